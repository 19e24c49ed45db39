import type { WechatAppKind } from '../../wechat/wechat-call.js';
import { sharedSecrets } from '../provider-columns.js';
import type { Secret } from '../../crypto/secret.js';
import type { IdentityProviderEntity } from '../identity-provider.entity.js';
import type { OpenedProvider } from '../provider-rows.service.js';
import { found, type Finding, type FindingKey } from './check-items.js';
import { isIP } from 'node:net';
import { unionScopeOf, type MpServer } from '../identity-provider.js';
import type { ResolvedIamOptions } from '../../config/iam.resolved-options.js';
import { isLoopback } from '../../config/address-guard.js';
import type { IamUrls } from '../../http/iam-urls.service.js';

const kinds = ['open', 'mp', 'mini', 'mobile'] as const satisfies readonly WechatAppKind[];

/** Findings from the row alone. */
export function checkRow({ row, provider, unreadable }: OpenedProvider): Finding[] {
  // WeChat pushes withdrawals of authorizations also where follow-to-login is off.
  const hasServer = has(row.mp_token) || has(row.mp_encoding_aes_key);
  const apps = kinds.filter((kind) => hasPair(row, kind)).join(', ');
  const showsFollow = row.qr_enabled && row.qr_with === 'follow';
  return [
    found('row.enabled', row.enabled ? 'row_enabled' : 'row_disabled'),
    unreadable.length === 0
      ? found('row.secrets', 'secrets_open')
      : found('row.secrets', 'secret_unreadable', { columns: unreadable.join(', ') }),
    apps === '' ? found('row.methods', 'no_pair') : found('row.methods', 'methods_complete', { apps }),
    found('row.sign_up', `sign_up_${row.sign_up}`),
    ...kinds.flatMap((kind) => checkPair(row, kind)),
    ...(row.mp_app_id === null && !row.qr_enabled ? [] : [found('mp.qr_login', qrLoginOf(row))]),
    ...((showsFollow || hasServer) && provider !== null ? checkServer(row, provider.mpServer) : []),
    ...(hasServer ? [checkRotation(row)] : []),
  ];
}

/** An appid is `wx` and 16 hex digits. */
function checkPair(row: IdentityProviderEntity, kind: (typeof kinds)[number]): Finding[] {
  const id = `${kind}.credentials` as const;
  const [appid, hasSecret] = [row[`${kind}_app_id`]?.trim() ?? '', has(row[`${kind}_app_secret`])];
  if (appid === '' && !hasSecret) return [];
  if (appid === '' || !hasSecret)
    return [found(id, 'pair_incomplete', { missing: `${kind}_app_${hasSecret ? 'id' : 'secret'}` })];
  return [found(id, /^wx[0-9a-f]{16}$/.test(appid) ? 'pair_complete' : 'appid_form', { appid })];
}

function hasPair(row: IdentityProviderEntity, kind: (typeof kinds)[number]): boolean {
  return has(row[`${kind}_app_id`]) && has(row[`${kind}_app_secret`]);
}

function qrLoginOf(row: IdentityProviderEntity): FindingKey {
  if (!row.qr_enabled) return 'qr_off';
  if (row.qr_with === 'mini') {
    if (!hasPair(row, 'mini')) return 'qr_without_mini_pair';
    return has(row.mini_approval_page) ? 'qr_ready' : 'qr_without_approval_page';
  }
  if (!hasPair(row, 'mp')) return 'qr_without_pair';
  return row.qr_login_with === 'open' && !hasPair(row, 'open') ? 'qr_open_pair_missing' : 'qr_ready';
}

/** Protocol section F: without token and key the server URL cannot verify and decrypt WeChat's messages. */
function checkServer(row: IdentityProviderEntity, { tokens, encodingAesKeys }: MpServer): Finding[] {
  const mode = row.mp_message_mode;
  const token = form(has(row.mp_token) ? tokens : [], /^[A-Za-z0-9]{3,32}$/);
  const key = form(has(row.mp_encoding_aes_key) ? encodingAesKeys : [], /^[A-Za-z0-9]{43}$/);
  return [
    found('mp.token', `token_${token}`),
    found('mp.encoding_aes_key', mode === 'plain' ? 'key_not_needed' : `key_${key}`),
    mode === 'safe'
      ? found('mp.message_mode', 'mode_safe')
      : found('mp.message_mode', 'mode_weaker', { mode }),
  ];
}

function checkRotation(row: IdentityProviderEntity): Finding {
  const previous = Object.values(sharedSecrets).map((secret) => secret.previous);
  const columns = previous.filter((name) => has(row[name])).join(', ');
  return columns === ''
    ? found('mp.rotation', 'rotation_finished')
    : found('mp.rotation', 'rotation_open', { columns });
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
  { callback_url, callback_domain, webhook_url }: ReturnType<typeof addressesOf>,
): Finding[] {
  const registration = { domain: callback_domain, callback_url };
  const hasOfficialAccount = row.mp_app_id !== null;
  return [
    found('server.public_url', classifyUrl(new URL(publicUrl), hasOfficialAccount), {
      public_url: publicUrl,
    }),
    ...(row.open_app_id === null ? [] : [found('open.callback_domain', 'register_domain', registration)]),
    ...(hasOfficialAccount ? [found('mp.oauth_domain', 'register_domain', registration)] : []),
    ...(row.qr_enabled && row.qr_with === 'follow'
      ? [found('mp.webhook', 'register_webhook', { webhook_url })]
      : []),
  ];
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
    return found(id, 'union_scope_split', { appid: first.appid, providers: slugsOf(split) });
  const sharing = others.filter((other) => unionScopeOf(other) === scope);
  return sharing.length === 0
    ? found(id, 'union_scope_own', { union_scope: scope })
    : found(id, 'union_scope_shared', { union_scope: scope, providers: slugsOf(sharing) });
}

function slugsOf(rows: readonly { readonly slug: string }[]): string {
  return rows.map(({ slug }) => slug).join(', ');
}

function appidsOf(row: IdentityProviderEntity): string[] {
  return kinds.map((kind) => row[`${kind}_app_id`]).filter((appid) => appid !== null);
}

/** The addresses to register with WeChat for the provider `slug`; the domain is a host name without scheme, port and path (protocol A.1, B.1). */
export function addressesOf(urls: IamUrls, slug: string) {
  const callback = urls.callback(slug);
  return {
    callback_url: callback,
    callback_domain: new URL(callback).hostname,
    webhook_url: urls.endpoint(`webhook/${slug}`),
  };
}
