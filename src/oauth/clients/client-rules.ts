import { wrongMember } from '../../errors/iam.error.js';
import { type ClientChanges, type ClientRow, uuidForm } from './client-columns.js';

/** The members of an application that must fit each other. */
type Whole = Pick<
  ClientRow,
  | 'type'
  | 'first_party'
  | 'tokens'
  | 'grants'
  | 'redirect_uris'
  | 'origins'
  | 'resources'
  | 'providers'
  | 'roles'
  | 'jwks'
  | 'jwks_uri'
  | 'subject_type'
  | 'sector_identifier_uri'
>;

/** What a row of a type has that names no others. */
export const clientDefaults = (type: ClientRow['type']): Whole => ({
  type,
  first_party: true,
  tokens: 'bearer',
  grants: type === 'service' ? ['client_credentials'] : ['authorization_code', 'refresh_token'],
  redirect_uris: [],
  origins: [],
  resources: [],
  providers: [],
  roles: [],
  jwks: null,
  jwks_uri: null,
  subject_type: 'public',
  sector_identifier_uri: null,
});

/** The token of a service has its id where that of a person has a user's (RFC 9068 §5). @throws IamError `invalid_request` */
export function checkServiceId(id: string): void {
  if (!new RegExp(uuidForm, 'i').test(id)) return;
  throw wrongMember('id', 'expected no uuid for a service, which could be the id of a user');
}

/** The members as a change leaves them. */
export function completed(before: Whole, changes: ClientChanges): Whole {
  const given = Object.entries(changes).filter(([, value]) => value !== undefined);
  return { ...before, ...Object.fromEntries(given) };
}

/** What only all members together show to be wrong. @throws IamError `invalid_request` that names the member */
export function checkWhole(before: Whole, changes: ClientChanges): void {
  const whole = completed(before, changes);
  checkKeys(whole);
  checkSubjects(whole);
  if (whole.type === 'service') checkService(whole);
  else checkForPeople(whole);
  if (!whole.first_party) checkThirdParty(whole);
}

function checkKeys({ type, jwks, jwks_uri }: Whole): void {
  if (jwks !== null && jwks_uri !== null) throw wrongMember('jwks', 'expected none beside jwks_uri');
  if (type === 'public' && (jwks ?? jwks_uri) !== null)
    throw wrongMember('jwks', 'a public application proves itself by nothing');
}

/** A machine proves itself, and no browser comes back to it. */
function checkService({ grants, tokens, ...whole }: Whole): void {
  if (grants.length !== 1 || grants[0] !== 'client_credentials')
    throw wrongMember('grants', 'expected client_credentials alone, for a service');
  if (tokens === 'cookie') throw wrongMember('tokens', 'expected bearer, for a service');
  for (const member of ['redirect_uris', 'origins', 'providers'] as const)
    if (whole[member].length > 0) throw wrongMember(member, 'expected none, for a service');
}

function checkForPeople({ type, tokens, grants, redirect_uris, resources, roles }: Whole): void {
  if (type === 'confidential' && tokens === 'cookie')
    throw wrongMember('tokens', 'expected bearer, for a server');
  if (tokens === 'cookie' && resources.length > 0)
    throw wrongMember('resources', 'expected none, for cookies that no other API gets');
  if (grants.length === 0) throw wrongMember('grants', 'expected at least one');
  if (grants.includes('client_credentials'))
    throw wrongMember('grants', 'client_credentials is for a service alone');
  if (grants.includes('authorization_code') && redirect_uris.length === 0)
    throw wrongMember('redirect_uris', 'expected at least one, for authorization_code');
  if (roles.length > 0) throw wrongMember('roles', 'expected none, but for a service');
}

/** Other grants do not pass the consent page. */
const thirdPartyGrants = ['authorization_code', 'refresh_token'];

function checkThirdParty({ type, tokens, grants }: Whole): void {
  if (type === 'service') throw wrongMember('first_party', 'expected true, for a service');
  if (tokens === 'cookie') throw wrongMember('tokens', 'expected bearer, for a third party');
  if (!grants.every((grant) => thirdPartyGrants.includes(grant)))
    throw wrongMember('grants', `expected some of ${thirdPartyGrants.join(', ')}`);
}

/** Without a document of several, the host of the redirect URIs is the sector (OpenID Connect Core 8.1). */
function checkSubjects({ first_party, subject_type, redirect_uris, sector_identifier_uri }: Whole): void {
  if (subject_type === 'public') return;
  if (first_party) throw wrongMember('subject_type', 'expected public, for a first-party application');
  if (sector_identifier_uri !== null) return;
  const [host, ...otherHosts] = new Set(redirect_uris.map((uri) => new URL(uri).host));
  if (host === undefined || otherHosts.length > 0)
    throw wrongMember('redirect_uris', 'expected one host, for pairwise subjects');
}
