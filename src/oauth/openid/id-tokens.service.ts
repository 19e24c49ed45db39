import { createHash } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import { IAM_OPTIONS, type ResolvedIamOptions } from '../../config/iam.resolved-options.js';
import type { Client } from '../../http/client-registry.service.js';
import type { TokenSubject } from '../../sessions/access-tokens.service.js';
import { Jwts } from '../../sessions/jwts.service.js';
import { SubjectIdentifiers } from '../../sessions/subject-identifiers.service.js';
import { personClaims } from './scopes.js';

/** `typ` of an ID token. */
const ID_TOKEN_TYPE = 'JWT';

/** `acr` of every sign-in: the person has shown that a WeChat account is theirs. */
export const WECHAT_ACR = 'urn:wechat:acr:account';

/** A sign-in, as an ID token tells it to the client. */
interface Told extends TokenSubject {
  /** Of the authorization request; a refreshed ID token has none (OpenID Connect Core §12.2). */
  readonly nonce?: string | undefined;
}

/** ID tokens (OpenID Connect Core §2): made with tokens whose scope has `openid`. */
@Injectable()
export class IdTokens {
  constructor(
    @Inject(IAM_OPTIONS) private readonly options: ResolvedIamOptions,
    private readonly jwts: Jwts,
    private readonly subjects: SubjectIdentifiers,
  ) {}

  /** `accessToken`: the one that the client gets with it; null for a client whose browser has it as a cookie. */
  async issue(session: Told, client: Client, accessToken: string | null): Promise<string> {
    const { nonce, scope } = session;
    const claims = {
      sub: await this.subjects.of(session.userId, client),
      aud: client.id,
      auth_time: Math.floor(session.signedInAt.getTime() / 1000),
      ...(nonce !== undefined && { nonce }),
      amr: [session.method],
      acr: WECHAT_ACR,
      sid: session.sessionId,
      ...(accessToken !== null && { at_hash: hashOf(accessToken) }),
      ...personClaims(scope, session),
    };
    const seconds = this.options.tokens.accessToken;
    return this.jwts.sign(claims, { type: ID_TOKEN_TYPE, seconds, algorithm: client.idTokenAlgorithm });
  }
}

/** The left half of the SHA-256 that both algorithms have in their name (Core §3.1.3.6). */
function hashOf(accessToken: string): string {
  return createHash('sha256').update(accessToken, 'ascii').digest().subarray(0, 16).toString('base64url');
}
