import { Inject, Injectable } from '@nestjs/common';
import * as errors from 'jose/errors';
import { jwtVerify } from 'jose/jwt/verify';
import { randomUUID, sign } from 'node:crypto';
import { z } from 'zod';
import { Clock } from '../runtime/clock.js';
import { sha256 } from '../crypto/hash.js';
import { IamError } from '../errors/iam.error.js';
import { IAM_OPTIONS, type ResolvedIamOptions } from '../config/iam.resolved-options.js';
import { ALGORITHM, type SigningKey } from './signing-key.js';
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
  /** When the person proved who they are: `auth_time` of the token. */
  readonly signedInAt: Date;
  /** Absent where the client named none: then a first-party client has all. */
  readonly scope?: string | undefined;
  /** The resources that the client asked for (RFC 8707). */
  readonly resources?: readonly string[] | undefined;
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

/** A few megabytes; beyond that, the token that was used longest ago is verified again. */
const MOST_REMEMBERED = 10_000;

/** A token that has verified, and the time in which it does: of the clock's milliseconds. */
interface Verified {
  readonly claims: AccessTokenClaims;
  /** Of the key that signed it. */
  readonly kid: string;
  readonly from: number;
  readonly until: number;
}

/** Access tokens: JWTs in the profile of RFC 9068 (`typ: at+jwt`), ES256, verified without a query. */
@Injectable()
export class AccessTokens {
  /** By SHA-256 of the whole token, so that one with another signature is another; last used last. */
  private readonly verified = new Map<string, Verified>();

  constructor(
    @Inject(IAM_OPTIONS) private readonly options: ResolvedIamOptions,
    private readonly keys: SigningKeys,
    private readonly clock: Clock,
  ) {}

  /** Signs a token that expires after `tokens.accessToken` seconds. */
  async issue(claims: AccessTokenClaims): Promise<string> {
    const key = await this.keys.current();
    const now = Math.floor(this.clock.now() / 1000);
    const header = encode({ alg: ALGORITHM, typ: 'at+jwt', kid: key.kid });
    const payload = encode({
      iss: this.options.publicUrl,
      aud: this.options.tokens.audience,
      sub: claims.userId,
      client_id: claims.clientId,
      sid: claims.sessionId,
      roles: claims.roles,
      amr: [claims.method],
      auth_time: Math.floor(claims.signedInAt.getTime() / 1000),
      iat: now,
      exp: now + this.options.tokens.accessToken,
      jti: randomUUID(),
    });
    return `${header}.${payload}.${signWith(key, `${header}.${payload}`)}`;
  }

  /**
   * Verifies signature and times alone. `Authentication.authenticate` also checks the session and the current roles, and
   * reads cookies.
   * @throws IamError `invalid_token`
   */
  async verify(token: string): Promise<AccessTokenClaims> {
    return this.recall(token) ?? this.verifyAnew(token);
  }

  /** As `verify`, at once, for a token that has verified before; null for any other. */
  recall(token: string): AccessTokenClaims | null {
    const id = sha256(token);
    const known = this.verified.get(id);
    if (known === undefined) return null;
    this.verified.delete(id);
    const now = this.clock.now();
    if (now < known.from || now >= known.until || !this.keys.isKnown(known.kid)) return null;
    this.verified.set(id, known);
    return copyOf(known.claims);
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

  private async verifyAnew(token: string): Promise<AccessTokenClaims> {
    try {
      const { payload, protectedHeader } = await jwtVerify(token, ({ kid }) => this.publicKey(kid), {
        algorithms: [ALGORITHM],
        typ: 'at+jwt',
        issuer: this.options.publicUrl,
        audience: this.options.tokens.audience,
        requiredClaims: ['sub', 'sid', 'client_id', 'jti', 'iat', 'exp', 'aud', 'iss'],
        maxTokenAge: this.options.tokens.accessToken,
        clockTolerance: SKEW_SECONDS,
        currentDate: new Date(this.clock.now()),
      });
      const { sub, sid, client_id, roles, amr, auth_time, iat, exp } = payloadSchema.parse(payload);
      const signedInAt = new Date(auth_time * 1000);
      const claims = { userId: sub, sessionId: sid, clientId: client_id, roles, method: amr[0], signedInAt };
      this.remember(token, {
        claims,
        kid: protectedHeader.kid ?? '',
        from: (iat - SKEW_SECONDS) * 1000,
        until: Math.min(exp, iat + this.options.tokens.accessToken) * 1000,
      });
      return copyOf(claims);
    } catch (cause) {
      if (!isRefusal(cause)) throw cause;
      throw new IamError('invalid_token', 'the access token does not verify', { cause });
    }
  }

  private remember(token: string, verified: Verified): void {
    this.verified.set(sha256(token), verified);
    const [oldest] = this.verified.keys();
    if (this.verified.size > MOST_REMEMBERED && oldest !== undefined) this.verified.delete(oldest);
  }

  private async publicKey(kid: string | undefined) {
    const key = kid === undefined ? null : await this.keys.find(kid);
    if (key === null) throw new errors.JWKSNoMatchingKey();
    return key.publicKey;
  }
}

function encode(part: object): string {
  return Buffer.from(JSON.stringify(part), 'utf8').toString('base64url');
}

/** RFC 7518 §3.4. Here, in 30 µs: Web Crypto hands it to another thread, which takes three times the CPU time. */
function signWith({ privateKey }: SigningKey, text: string): string {
  const key = { key: privateKey, dsaEncoding: 'ieee-p1363' } as const;
  return sign('sha256', Buffer.from(text, 'utf8'), key).toString('base64url');
}

/** Of its own for each request: what a host changes in one must not show in the next. */
function copyOf(claims: AccessTokenClaims): AccessTokenClaims {
  return { ...claims, roles: [...claims.roles], signedInAt: new Date(claims.signedInAt) };
}

/** The token is at fault, not the database or the keys. */
function isRefusal(cause: unknown): boolean {
  return cause instanceof errors.JOSEError || cause instanceof z.ZodError;
}
