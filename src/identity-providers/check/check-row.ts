import type { Secret } from '../../crypto/secret.js';
import type { IdentityProviderEntity } from '../identity-provider.entity.js';
import type { OpenedProvider } from '../stored-providers.service.js';
import type { Finding } from './check-item.js';

const pairs = [
  { kind: 'open', appid: 'openAppId', secret: 'openAppSecret', column: 'open_app' },
  { kind: 'mp', appid: 'mpAppId', secret: 'mpAppSecret', column: 'mp_app' },
  { kind: 'mini', appid: 'miniAppId', secret: 'miniAppSecret', column: 'mini_app' },
  { kind: 'mobile', appid: 'mobileAppId', secret: 'mobileAppSecret', column: 'mobile_app' },
] as const;

/** What the row alone tells. */
export function checkRow({ row, provider, unreadable }: OpenedProvider): Finding[] {
  const facts = { columns: unreadable.join(', ') };
  const isReadable = unreadable.length === 0;
  // Pushes also come for what people withdraw, with follow-to-login or without.
  const hasServer = has(row.mpToken) || has(row.mpEncodingAesKey);
  return [
    { id: 'row.enabled', key: row.enabled ? 'row_enabled' : 'row_disabled', facts: {} },
    {
      id: 'row.secrets',
      key: isReadable ? 'secrets_open' : 'secret_unreadable',
      facts: isReadable ? {} : facts,
    },
    checkMethods(row),
    checkSignUp(row),
    ...pairs.flatMap((pair) => checkPair(row, pair)),
    ...(row.mpAppId === null && !row.qrEnabled ? [] : [checkQrLogin(row)]),
    ...((row.qrEnabled || hasServer) && provider !== null ? checkServer(row, provider.mpServer) : []),
    ...(hasServer ? [checkRotation(row)] : []),
  ];
}

function checkMethods(row: IdentityProviderEntity): Finding {
  const apps = pairs.filter((pair) => has(row[pair.appid]) && has(row[pair.secret])).map(({ kind }) => kind);
  if (apps.length === 0) return { id: 'row.methods', key: 'no_pair', facts: {} };
  return { id: 'row.methods', key: 'methods_complete', facts: { apps: apps.join(', ') } };
}

function checkSignUp({ signUp }: IdentityProviderEntity): Finding {
  const key = signUp === 'bind' ? 'sign_up_bind' : signUp === 'off' ? 'sign_up_off' : 'sign_up_auto';
  return { id: 'row.sign_up', key, facts: {} };
}

/** Protocol section 0: an appid is `wx` and 16 hex digits. */
function checkPair(
  row: IdentityProviderEntity,
  { kind, appid, secret, column }: (typeof pairs)[number],
): Finding[] {
  const id = `${kind}.credentials` as const;
  const value = row[appid]?.trim() ?? '';
  if (value === '' && !has(row[secret])) return [];
  if (value === '') return [{ id, key: 'pair_incomplete', facts: { missing: `${column}_id` } }];
  if (!has(row[secret])) return [{ id, key: 'pair_incomplete', facts: { missing: `${column}_secret` } }];
  const key = /^wx[0-9a-f]{16}$/.test(value) ? 'pair_complete' : 'appid_form';
  return [{ id, key, facts: { appid: value } }];
}

function checkQrLogin(row: IdentityProviderEntity): Finding {
  const lacksMp = !has(row.mpAppId) || !has(row.mpAppSecret);
  const lacksOpen = row.qrLoginWith === 'open' && (!has(row.openAppId) || !has(row.openAppSecret));
  const key = lacksMp ? 'qr_without_pair' : lacksOpen ? 'qr_open_pair_missing' : 'qr_ready';
  return { id: 'mp.qr_login', key: row.qrEnabled ? key : 'qr_off', facts: {} };
}

interface MpServer {
  readonly tokens: readonly Secret[];
  readonly encodingAesKeys: readonly Secret[];
}

/** Protocol section F: what the server URL needs to believe and read WeChat's messages. */
function checkServer(row: IdentityProviderEntity, { tokens, encodingAesKeys }: MpServer): Finding[] {
  const mode = row.mpMessageMode;
  const token = form(has(row.mpToken) ? tokens : [], /^[A-Za-z0-9]{3,32}$/);
  const key = form(has(row.mpEncodingAesKey) ? encodingAesKeys : [], /^[A-Za-z0-9]{43}$/);
  return [
    { id: 'mp.token', key: `token_${token}`, facts: {} },
    { id: 'mp.encoding_aes_key', key: mode === 'plain' ? 'key_not_needed' : `key_${key}`, facts: {} },
    mode === 'safe'
      ? { id: 'mp.message_mode', key: 'mode_safe', facts: {} }
      : { id: 'mp.message_mode', key: 'mode_weaker', facts: { mode } },
  ];
}

function checkRotation(row: IdentityProviderEntity): Finding {
  const columns = [
    ...(has(row.mpTokenPrevious) ? ['mp_token_previous'] : []),
    ...(has(row.mpEncodingAesKeyPrevious) ? ['mp_encoding_aes_key_previous'] : []),
  ].join(', ');
  if (columns === '') return { id: 'mp.rotation', key: 'rotation_finished', facts: {} };
  return { id: 'mp.rotation', key: 'rotation_open', facts: { columns } };
}

/** The current value and the previous one, both of which must be of their form. */
function form(secrets: readonly Secret[], expected: RegExp): 'set' | 'missing' | 'malformed' {
  if (secrets.length === 0) return 'missing';
  return secrets.every((secret) => expected.test(secret.reveal())) ? 'set' : 'malformed';
}

function has(value: string | null): boolean {
  return value !== null && value.trim() !== '';
}
