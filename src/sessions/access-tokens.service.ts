import { Inject, Injectable } from '@nestjs/common';
import { errors, jwtVerify, SignJWT } from 'jose';
import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import { Clock } from '../runtime/clock.js';
import { IamError } from '../errors/iam.error.js';
import { IAM_OPTIONS, type ResolvedIamOptions } from '../config/iam.resolved-options.js';
import { SigningKeys } from './signing-keys.service.js';

/** How far the clocks of replicas and of other verifiers may differ. */
export const SKEW_SECONDS = 60;

/** The claims of an access token. */
export interface AccessTokenClaims {
  readonly userId: string;
  readonly sessionId: string;
  readonly clientId: string;
  readonly roles: readonly string[];
  /** How the session began: `open`, `mp`, `follow`, `mini` or `mobile`; `amr` of the token (RFC 9068 §2.2.1). */
  readonly method: string;
  /** `auth_time` of the token. */
  readonly signedInAt: Date;
}

const seconds = z.number().int().nonnegative();
const payloadSchema = z.object({
  sub: z.string().min(1),
  sid: z.string().min(1),
  client_id: z.string().min(1),
  jti: z.string().min(1),
  iat: seconds,
  exp: seconds,
  roles: z.array(z.string()),
  amr: z.tuple([z.string()]),
  auth_time: seconds,
});

/** Access tokens: JWTs in the profile of RFC 9068 (`typ: at+jwt`), ES256, verified without a query. */
@Injectable()
export class AccessTokens {
  constructor(
    @Inject(IAM_OPTIONS) private readonly options: ResolvedIamOptions,
    private readonly keys: SigningKeys,
    private readonly clock: Clock,
  ) {}

  /** Signs a token that expires after `tokens.accessToken` seconds. */
  async issue(claims: AccessTokenClaims): Promise<string> {
    const key = await this.keys.current();
    const now = Math.floor(this.clock.now() / 1000);
    return new SignJWT({
      client_id: claims.clientId,
      sid: claims.sessionId,
      roles: [...claims.roles],
      amr: [claims.method],
      auth_time: Math.floor(claims.signedInAt.getTime() / 1000),
    })
      .setProtectedHeader({ alg: 'ES256', typ: 'at+jwt', kid: key.kid })
      .setIssuer(this.options.publicUrl)
      .setAudience(this.options.tokens.audience)
      .setSubject(claims.userId)
      .setIssuedAt(now)
      .setExpirationTime(now + this.options.tokens.accessToken)
      .setJti(randomUUID())
      .sign(key.privateKey);
  }

  /**
   * Verifies signature and times alone. `Authentication.authenticate` also checks the session and the current roles, and
   * reads cookies.
   * @throws IamError `invalid_token`
   */
  async verify(token: string): Promise<AccessTokenClaims> {
    try {
      const { payload } = await jwtVerify(token, ({ kid }) => this.publicKey(kid), {
        algorithms: ['ES256'],
        typ: 'at+jwt',
        issuer: this.options.publicUrl,
        audience: this.options.tokens.audience,
        requiredClaims: ['sub', 'sid', 'client_id', 'jti', 'iat', 'exp', 'aud', 'iss'],
        maxTokenAge: this.options.tokens.accessToken,
        clockTolerance: SKEW_SECONDS,
        currentDate: new Date(this.clock.now()),
      });
      const { sub, sid, client_id, roles, amr, auth_time } = payloadSchema.parse(payload);
      const signedInAt = new Date(auth_time * 1000);
      return { userId: sub, sessionId: sid, clientId: client_id, roles, method: amr[0], signedInAt };
    } catch (cause) {
      if (!isRefusal(cause)) throw cause;
      throw new IamError('invalid_token', 'the access token does not verify', { cause });
    }
  }

  /** The session of a token; null for one that does not verify. */
  async findSessionId(token: string): Promise<string | null> {
    try {
      return (await this.verify(token)).sessionId;
    } catch (error) {
      if (error instanceof IamError && error.code === 'invalid_token') return null;
      throw error;
    }
  }

  private async publicKey(kid: string | undefined) {
    const key = kid === undefined ? null : await this.keys.find(kid);
    if (key === null) throw new errors.JWKSNoMatchingKey();
    return key.publicKey;
  }
}

/** The token is at fault, not the database or the keys. */
function isRefusal(cause: unknown): boolean {
  return cause instanceof errors.JOSEError || cause instanceof z.ZodError;
}
