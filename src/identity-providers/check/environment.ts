import { isIP } from 'node:net';
import type { IdentityProviderEntity } from '../identity-provider.entity.js';
import { unionScopeOf } from '../read-row.js';
import type { ResolvedIamOptions } from '../../config/iam.resolved-options.js';
import { isLoopback } from '../../config/address-guard.js';
import type { Finding, FindingKey } from './check-item.js';
import type { ProviderAddresses } from './provider-addresses.js';

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
