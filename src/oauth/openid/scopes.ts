import { IamError } from '../../errors/iam.error.js';
import type { Client } from '../../http/client-registry.service.js';
import { namesOf } from '../../http/request-body.js';
import type { TokenSubject } from '../../sessions/access-tokens.service.js';

/** The scopes that we know, each with the claims about a person that it adds (OpenID Connect Core §5.4); `roles` is ours. */
const scopeClaims = {
  openid: ['sub'],
  profile: ['name', 'nickname', 'picture', 'updated_at'],
  phone: ['phone_number', 'phone_number_verified'],
  roles: ['roles'],
  offline_access: [],
} as const;

/** Their names. Without `scope` a first-party client has `profile`, `roles` and `offline_access` as it has always had them. */
export const supportedScopes: readonly string[] = Object.keys(scopeClaims);

/** What `GET /userinfo` may tell. */
export const supportedClaims: readonly string[] = Object.values(scopeClaims).flat();

/** Whether `openid` is among the names. */
export function isOpenId(scope: string | undefined): boolean {
  return namesOf(scope).includes('openid');
}

/**
 * The names of a `scope` that we know, each once. With `openid` among them the others are ignored (OpenID Connect Core §3.1.2.1).
 * @throws IamError `invalid_scope` (RFC 6749 §3.3)
 */
export function readScope(scope: unknown = ''): string[] {
  const names = typeof scope === 'string' ? namesOf(scope) : null;
  const known = names?.filter((name) => supportedScopes.includes(name)) ?? [];
  if (names === null || (known.length < names.length && !known.includes('openid')))
    throw new IamError('invalid_scope', `scope: expected some of ${supportedScopes.join(' ')}`);
  return [...new Set(known)];
}

/** What a client gets of the scope that it asks for; undefined where it names none. @throws IamError `invalid_scope` */
export function grantScope({ id, scopes }: Client, asked: string | undefined): string | undefined {
  const names = readScope(asked);
  const refused = names.find((name) => scopes?.includes(name) === false);
  if (refused !== undefined)
    throw new IamError('invalid_scope', `application "${id}" may not ask for ${refused}`);
  return names.length === 0 ? undefined : names.join(' ');
}

/**
 * Of a granted scope, what the client may still ask for: never nothing, which would be a token without bounds.
 * @throws IamError `invalid_scope`
 */
export function scopeLeft({ id, scopes }: Client, granted: string | undefined): string | undefined {
  if (granted === undefined || scopes === null) return granted;
  const left = namesOf(granted).filter((name) => scopes.includes(name));
  if (left.length === 0)
    throw new IamError('invalid_scope', `application "${id}" may ask for nothing of "${granted}" any more`);
  return left.join(' ');
}

/** The claims about a person that a scope allows; what we do not know of them is left out (Core §5.3.2). */
export function personClaims(
  scope: string | undefined,
  { person, roles }: Pick<TokenSubject, 'person' | 'roles'>,
): Record<string, unknown> {
  const { nickname, avatar_url: picture, phone_number, updated_at } = person ?? {};
  const known: Readonly<Record<string, unknown>> = {
    name: nickname,
    nickname,
    picture,
    updated_at,
    phone_number,
    phone_number_verified: phone_number == null ? undefined : true,
    roles,
  };
  const allowed: readonly string[] = Object.entries(scopeClaims).flatMap(([name, claims]) =>
    namesOf(scope).includes(name) ? claims : [],
  );
  return Object.fromEntries(
    Object.entries(known).filter(([name, value]) => allowed.includes(name) && value != null),
  );
}
