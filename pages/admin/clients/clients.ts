import { linesOf } from '../components/record';
import { grants, groups, thirdPartyGrants, type ClientField } from './client-fields';
import type { Client, ClientMembers } from './client-types';

/** A new one as the server would complete it. */
export const newClient: Client = {
  id: '',
  source: 'database',
  type: 'public',
  name: '',
  logo_uri: null,
  client_uri: null,
  enabled: true,
  first_party: true,
  redirect_uris: [],
  post_logout_redirect_uris: [],
  origins: [],
  backchannel_logout_uri: null,
  grants: ['authorization_code', 'refresh_token'],
  scopes: null,
  resources: [],
  providers: [],
  tokens: 'bearer',
  sso: false,
  jwks: null,
  jwks_uri: null,
  roles: [],
  subject_type: 'public',
  sector_identifier_uri: null,
  id_token_signed_response_alg: 'RS256',
  access_token_signed_response_alg: 'ES256',
  has_secret: false,
  has_previous_secret: false,
  secret_created_at: null,
  created_at: null,
  updated_at: null,
};

/** As the API takes an id. */
export const idForm = /^[A-Za-z0-9][\w.-]{0,127}$/;

/** What the controls of the form hold, by member: text, a ticked box, or the options that are ticked. */
export type Written = Record<string, string | boolean | Set<string>>;

/** What the form gives; the id and the type are those of a new one. */
export interface ClientDraft {
  readonly id: string;
  readonly type: Client['type'];
  /** Of the fields that the kind has. */
  readonly members: Partial<ClientMembers>;
}

const fields = groups.flatMap((group) => group.fields);

/** An application as the controls show it. */
export function writtenOf(client: Client): Written {
  return Object.fromEntries(fields.map((field) => [field.member, shown(field, client[field.member])]));
}

function shown(field: ClientField, value: unknown): string | boolean | Set<string> {
  switch (field.kind) {
    case 'box':
      return value === field.on;
    case 'set':
      return new Set(Array.isArray(value) ? value.map(String) : field.options);
    case 'lines':
      return Array.isArray(value) ? value.join('\n') : '';
    case 'json':
      return value === null ? '' : JSON.stringify(value, null, 2);
    default:
      return typeof value === 'string' ? value : '';
  }
}

/** What a control stands for; undefined for a text that is no JSON. */
export function memberOf(field: ClientField, written: Written): unknown {
  const value = written[field.member];
  if (field.kind === 'box') return value === true ? field.on : field.off;
  if (value instanceof Set) return setOf(field, value);
  const text = typeof value === 'string' ? value.trim() : '';
  if (field.kind === 'lines') return linesOf(text);
  if (text === '') return null;
  return field.kind === 'json' ? objectOf(text) : text;
}

function setOf(field: ClientField, ticked: ReadonlySet<string>): readonly string[] | null {
  const options = field.kind === 'set' ? field.options : [];
  const isAll = field.kind === 'set' && field.isOpen === true && options.every((each) => ticked.has(each));
  return isAll ? null : options.filter((each) => ticked.has(each));
}

function objectOf(text: string): object | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? value : undefined;
  } catch {
    return undefined;
  }
}

/** The fields of a kind of application. */
export function fieldsOf(type: Client['type'], isThird: boolean): readonly ClientField[] {
  return fields.filter(({ isFor }) => isFor?.({ type, isThird }) !== false);
}

/** What the form stands for. A third party has no other grants, and a field that its kind lacks stays as it is. */
export function draftOf(id: string, type: Client['type'], written: Written): ClientDraft {
  const isThird = type !== 'service' && written.first_party === true;
  const members = Object.fromEntries(
    fieldsOf(type, isThird).map((field) => [field.member, memberOf(field, written)]),
  );
  const ticked = written.grants instanceof Set ? written.grants : new Set<string>();
  const name = typeof members.name === 'string' ? members.name : id;
  return {
    id,
    type,
    members: {
      ...members,
      name,
      ...(isThird && { grants: thirdPartyGrants.filter((grant) => ticked.has(grant)), tokens: 'bearer' }),
      ...(!isThird && type !== 'service' && { subject_type: 'public' }),
    },
  };
}

/** Only what differs: another administrator may have changed the rest, and what a new one has anyway needs no words. */
export function changesOf(client: Client, { members }: ClientDraft): Partial<ClientMembers> {
  const before: Readonly<Record<string, unknown>> = { ...client, grants: client.grants ?? grants };
  return Object.fromEntries(
    Object.entries(members).filter(
      ([member, value]) => JSON.stringify(value) !== JSON.stringify(before[member]),
    ),
  );
}
