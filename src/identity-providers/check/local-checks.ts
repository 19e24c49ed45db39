import type { Secret } from '../../crypto/secret.js';
import type { IdentityProviderEntity } from '../identity-provider.entity.js';
import type { OpenedProvider } from '../stored-providers.service.js';
import type { Finding, FindingKey } from './check-items.js';
import { isIP } from 'node:net';
import { unionScopeOf } from '../identity-provider.js';
import type { ResolvedIamOptions } from '../../config/iam.resolved-options.js';
import { isLoopback } from '../../config/address-guard.js';
import type { IamUrls } from '../../http/iam-urls.service.js';

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

/** What our public address tells, and what must be registered with WeChat, which offers no way to ask. */
export function checkAddresses(
  row: IdentityProviderEntity,
  { publicUrl }: Pick<ResolvedIamOptions, 'publicUrl'>,
  { callback_url, callback_domain, webhook_url }: ProviderAddresses,
): Finding[] {
  const registration = { domain: callback_domain, callback_url };
  const items: (Finding | null)[] = [
    {
      id: 'server.public_url',
      key: judgeUrl(new URL(publicUrl), row.mpAppId !== null),
      facts: { public_url: publicUrl },
    },
    row.openAppId === null
      ? null
      : { id: 'open.callback_domain', key: 'register_domain', facts: registration },
    row.mpAppId === null ? null : { id: 'mp.oauth_domain', key: 'register_domain', facts: registration },
    row.qrEnabled ? { id: 'mp.webhook', key: 'register_webhook', facts: { webhook_url } } : null,
  ];
  return items.filter((item) => item !== null);
}

/** Protocol B.1 (a port gives 10003), F (pushes go to 80 and 443 only) and I.4 (no IP addresses). */
function judgeUrl({ protocol, hostname, port }: URL, hasOfficialAccount: boolean): FindingKey {
  const host = hostname.replace(/^\[|\]$/g, '');
  if (host === 'localhost' || host.endsWith('.localhost') || (isIP(host) !== 0 && isLoopback(host)))
    return 'url_local';
  if (isIP(host) !== 0) return 'url_address';
  if (port !== '' && hasOfficialAccount) return 'url_port';
  return protocol === 'https:' ? 'url_public' : 'url_plain_http';
}

/** Rows that say something about the unionids of the same apps. */
export function checkUnionScope(
  row: IdentityProviderEntity,
  others: readonly IdentityProviderEntity[],
): Finding {
  const scope = unionScopeOf(row);
  const split = others.flatMap((other) => {
    const shared = appidsOf(row).find((appid) => appidsOf(other).includes(appid));
    return shared === undefined || unionScopeOf(other) === scope ? [] : [{ appid: shared, slug: other.slug }];
  });
  const [first] = split;
  const providers = (slugs: readonly string[]) => slugs.join(', ');
  if (first !== undefined) {
    const facts = { appid: first.appid, providers: providers(split.map(({ slug }) => slug)) };
    return { id: 'row.union_scope', key: 'union_scope_split', facts };
  }
  const sharing = others.filter((other) => unionScopeOf(other) === scope).map(({ slug }) => slug);
  if (sharing.length === 0)
    return { id: 'row.union_scope', key: 'union_scope_own', facts: { union_scope: scope } };
  const facts = { union_scope: scope, providers: providers(sharing) };
  return { id: 'row.union_scope', key: 'union_scope_shared', facts };
}

function appidsOf({ openAppId, mpAppId, miniAppId, mobileAppId }: IdentityProviderEntity): string[] {
  return [openAppId, mpAppId, miniAppId, mobileAppId].filter((appid) => appid !== null);
}

/** What is to be registered with WeChat for a provider. */
export interface ProviderAddresses {
  readonly callback_url: string;
  /** Host alone: no scheme, port or path (protocol A.1, B.1). */
  readonly callback_domain: string;
  readonly webhook_url: string;
}

/** The addresses of a provider's row. */
export function addressesOf(urls: IamUrls, slug: string): ProviderAddresses {
  const callback = urls.callback(slug);
  return {
    callback_url: callback,
    callback_domain: new URL(callback).hostname,
    webhook_url: urls.endpoint(`webhook/${slug}`),
  };
}
