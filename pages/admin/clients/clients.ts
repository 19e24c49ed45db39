import { codeWords } from '../../shared/language';
import type { Client, ClientMembers } from './client-types';

/** What the form gives; the id and the type are those of a new one. */
export interface ClientDraft {
  readonly id: string;
  readonly type: Client['type'];
  readonly members: ClientMembers;
}

/** A new one as the server would complete it. */
export const newClient: Client = {
  id: '',
  source: 'database',
  type: 'public',
  name: '',
  logo_uri: null,
  client_uri: null,
  enabled: true,
  redirect_uris: [],
  origins: [],
  grants: ['authorization_code', 'refresh_token'],
  providers: [],
  tokens: 'bearer',
  has_secret: false,
  has_previous_secret: false,
  secret_created_at: null,
  created_at: null,
  updated_at: null,
};

/** As the API takes an id. */
export const idForm = /^[A-Za-z0-9][\w.-]{0,127}$/;

/** The grants, each with what it is for. */
export const grantWord = codeWords({
  authorization_code: ['浏览器跳转登录', 'Sign-in by redirect'],
  refresh_token: ['刷新', 'Refresh'],
  'urn:ietf:params:oauth:grant-type:device_code': ['自己页面上的扫码登录', 'QR code on a page of its own'],
  'urn:wechat:grant:mini_program': ['小程序', 'Mini program'],
  'urn:wechat:grant:mobile_app': ['移动应用', 'Mobile app'],
});
export const grants = [
  'authorization_code',
  'refresh_token',
  'urn:ietf:params:oauth:grant-type:device_code',
  'urn:wechat:grant:mini_program',
  'urn:wechat:grant:mobile_app',
];

/** Only what differs: another administrator may have changed the rest. */
export function changesOf(client: Client, { members }: ClientDraft): Partial<ClientMembers> {
  const before: Readonly<Record<string, unknown>> = { ...client };
  return Object.fromEntries(
    Object.entries(members).filter(
      ([member, value]) => JSON.stringify(value) !== JSON.stringify(before[member]),
    ),
  );
}
