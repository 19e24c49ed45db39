import type { WechatAppKind } from '../../wechat/wechat-call.js';
import { sharedSecrets } from '../provider-columns.js';
import type { Secret } from '../../crypto/secret.js';
import type { IdentityProviderEntity } from '../identity-provider.entity.js';
import type { OpenedProvider } from '../stored-providers.service.js';
import type { Finding, FindingKey } from './check-items.js';
import { isIP } from 'node:net';
import { unionScopeOf } from '../identity-provider.js';
import type { ResolvedIamOptions } from '../../config/iam.resolved-options.js';
import { isLoopback } from '../../config/address-guard.js';
import type { IamUrls } from '../../http/iam-urls.service.js';

const kinds = ['open', 'mp', 'mini', 'mobile'] as const satisfies readonly WechatAppKind[];

/** Findings from the row alone. */
export function checkRow({ row, provider, unreadable }: OpenedProvider): Finding[] {
  // WeChat pushes withdrawals of authorizations also where follow-to-login is off.
  const hasServer = has(row.mp_token) || has(row.mp_encoding_aes_key);
  return [
    { id: 'row.enabled', key: row.enabled ? 'row_enabled' : 'row_disabled', facts: {} },
    unreadable.length === 0
      ? { id: 'row.secrets', key: 'secrets_open', facts: {} }
      : { id: 'row.secrets', key: 'secret_unreadable', facts: { columns: unreadable.join(', ') } },
    checkMethods(row),
    checkSignUp(row),
    ...kinds.flatMap((kind) => checkPair(row, kind)),
    ...(row.mp_app_id === null && !row.qr_enabled ? [] : [checkQrLogin(row)]),
    ...((row.qr_enabled || hasServer) && provider !== null ? checkServer(row, provider.mpServer) : []),
    ...(hasServer ? [checkRotation(row)] : []),
  ];
}

function checkMethods(row: IdentityProviderEntity): Finding {
  const apps = kinds.filter((kind) => hasPair(row, kind));
  if (apps.length === 0) return { id: 'row.methods', key: 'no_pair', facts: {} };
  return { id: 'row.methods', key: 'methods_complete', facts: { apps: apps.join(', ') } };
}

function checkSignUp({ sign_up }: IdentityProviderEntity): Finding {
  const key = sign_up === 'bind' ? 'sign_up_bind' : sign_up === 'off' ? 'sign_up_off' : 'sign_up_auto';
  return { id: 'row.sign_up', key, facts: {} };
}

/** Protocol section 0: an appid is `wx` and 16 hex digits. */
function checkPair(row: IdentityProviderEntity, kind: (typeof kinds)[number]): Finding[] {
  const id = `${kind}.credentials` as const;
  const [appid, hasSecret] = [row[`${kind}_app_id`]?.trim() ?? '', has(row[`${kind}_app_secret`])];
  if (appid === '' && !hasSecret) return [];
  if (appid === '' || !hasSecret) {
    const missing = `${kind}_app_${hasSecret ? 'id' : 'secret'}`;
    return [{ id, key: 'pair_incomplete', facts: { missing } }];
  }
  const key = /^wx[0-9a-f]{16}$/.test(appid) ? 'pair_complete' : 'appid_form';
  return [{ id, key, facts: { appid } }];
}

function hasPair(row: IdentityProviderEntity, kind: (typeof kinds)[number]): boolean {
  return has(row[`${kind}_app_id`]) && has(row[`${kind}_app_secret`]);
}

function checkQrLogin(row: IdentityProviderEntity): Finding {
  const lacksOpen = row.qr_login_with === 'open' && !hasPair(row, 'open');
  const key = !hasPair(row, 'mp') ? 'qr_without_pair' : lacksOpen ? 'qr_open_pair_missing' : 'qr_ready';
  return { id: 'mp.qr_login', key: row.qr_enabled ? key : 'qr_off', facts: {} };
}

interface MpServer {
  readonly tokens: readonly Secret[];
  readonly encodingAesKeys: readonly Secret[];
}

/** Protocol section F: without token and key the server URL cannot verify and decrypt WeChat's messages. */
function checkServer(row: IdentityProviderEntity, { tokens, encodingAesKeys }: MpServer): Finding[] {
  const mode = row.mp_message_mode;
  const token = form(has(row.mp_token) ? tokens : [], /^[A-Za-z0-9]{3,32}$/);
  const key = form(has(row.mp_encoding_aes_key) ? encodingAesKeys : [], /^[A-Za-z0-9]{43}$/);
  return [
    { id: 'mp.token', key: `token_${token}`, facts: {} },
    { id: 'mp.encoding_aes_key', key: mode === 'plain' ? 'key_not_needed' : `key_${key}`, facts: {} },
    mode === 'safe'
      ? { id: 'mp.message_mode', key: 'mode_safe', facts: {} }
      : { id: 'mp.message_mode', key: 'mode_weaker', facts: { mode } },
  ];
}

function checkRotation(row: IdentityProviderEntity): Finding {
  const columns = Object.values(sharedSecrets)
    .map(({ previous }) => previous)
    .filter((name) => has(row[name]))
    .join(', ');
  if (columns === '') return { id: 'mp.rotation', key: 'rotation_finished', facts: {} };
  return { id: 'mp.rotation', key: 'rotation_open', facts: { columns } };
}

/** Checks the current value and the previous one: during a rotation both are in use. */
function form(secrets: readonly Secret[], expected: RegExp): 'set' | 'missing' | 'malformed' {
  if (secrets.length === 0) return 'missing';
  return secrets.every((secret) => expected.test(secret.reveal())) ? 'set' : 'malformed';
}

function has(value: string | null): boolean {
  return value !== null && value.trim() !== '';
}

/** Findings about the public address, and the addresses to register with WeChat, whose API does not show them. */
export function checkAddresses(
  row: IdentityProviderEntity,
  { publicUrl }: Pick<ResolvedIamOptions, 'publicUrl'>,
  { callback_url, callback_domain, webhook_url }: ProviderAddresses,
): Finding[] {
  const registration = { domain: callback_domain, callback_url };
  const items: (Finding | null)[] = [
    {
      id: 'server.public_url',
      key: classifyUrl(new URL(publicUrl), row.mp_app_id !== null),
      facts: { public_url: publicUrl },
    },
    row.open_app_id === null
      ? null
      : { id: 'open.callback_domain', key: 'register_domain', facts: registration },
    row.mp_app_id === null ? null : { id: 'mp.oauth_domain', key: 'register_domain', facts: registration },
    row.qr_enabled ? { id: 'mp.webhook', key: 'register_webhook', facts: { webhook_url } } : null,
  ];
  return items.filter((item) => item !== null);
}

/** Protocol B.1 (a port gives 10003), F (pushes go to 80 and 443 only) and I.4 (no IP addresses). */
function classifyUrl({ protocol, hostname, port }: URL, hasOfficialAccount: boolean): FindingKey {
  const host = hostname.replace(/^\[|\]$/g, '');
  if (host === 'localhost' || host.endsWith('.localhost') || (isIP(host) !== 0 && isLoopback(host)))
    return 'url_local';
  if (isIP(host) !== 0) return 'url_address';
  if (port !== '' && hasOfficialAccount) return 'url_port';
  return protocol === 'https:' ? 'url_public' : 'url_plain_http';
}

/** Compares the union scope with those of the other rows. */
export function checkUnionScope(
  row: IdentityProviderEntity,
  others: readonly IdentityProviderEntity[],
): Finding {
  const scope = unionScopeOf(row);
  const split = others.flatMap((other) => {
    const shared = appidsOf(row).find((appid) => appidsOf(other).includes(appid));
    return shared === undefined || unionScopeOf(other) === scope ? [] : [{ appid: shared, slug: other.slug }];
  });
  const id = 'row.union_scope';
  const [first] = split;
  if (first !== undefined)
    return { id, key: 'union_scope_split', facts: { appid: first.appid, providers: slugsOf(split) } };
  const sharing = others.filter((other) => unionScopeOf(other) === scope);
  if (sharing.length === 0) return { id, key: 'union_scope_own', facts: { union_scope: scope } };
  return { id, key: 'union_scope_shared', facts: { union_scope: scope, providers: slugsOf(sharing) } };
}

function slugsOf(rows: readonly { readonly slug: string }[]): string {
  return rows.map(({ slug }) => slug).join(', ');
}

function appidsOf(row: IdentityProviderEntity): string[] {
  return kinds.map((kind) => row[`${kind}_app_id`]).filter((appid) => appid !== null);
}

/** The addresses to register with WeChat for a provider. */
export interface ProviderAddresses {
  readonly callback_url: string;
  /** Host name without scheme, port and path (protocol A.1, B.1). */
  readonly callback_domain: string;
  readonly webhook_url: string;
}

/** Computes the addresses of the provider `slug`. */
export function addressesOf(urls: IamUrls, slug: string): ProviderAddresses {
  const callback = urls.callback(slug);
  return {
    callback_url: callback,
    callback_domain: new URL(callback).hostname,
    webhook_url: urls.endpoint(`webhook/${slug}`),
  };
}
