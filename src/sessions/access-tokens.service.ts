import { Inject, Injectable } from '@nestjs/common';
import * as errors from 'jose/errors';
import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import { Clock } from '../runtime/clock.js';
import { sha256 } from '../crypto/hash.js';
import { IamError } from '../errors/iam.error.js';
import { IAM_OPTIONS, type ResolvedIamOptions } from '../config/iam.resolved-options.js';
import type { SigningAlgorithm } from '../http/client-registry.service.js';
import { Jwts, SKEW_SECONDS } from './jwts.service.js';
import type { Person } from './session-statements.js';
import { SigningKeys } from './signing-keys.service.js';

const TYPE = 'at+jwt';

/** How a client wants its access tokens. */
interface IssueOptions {
  readonly algorithm?: SigningAlgorithm;
}

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

/** A session for which tokens are made: what they tell of it. */
export interface TokenSubject extends AccessTokenClaims {
  /** When the session began: its life is counted from then. */
  readonly beganAt: Date;
  /** Where the scope has `openid`. */
  readonly person?: Person | undefined;
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
  aud: z.string().or(z.array(z.string())),
  amr: z.tuple([z.string()]),
  auth_time: seconds,
  scope: z.string().optional(),
});

/** A few megabytes; beyond that, the token that was used longest ago is verified again. */
const MOST_REMEMBERED = 10_000;

/** A token that has verified, and the time in which it does: of the clock's milliseconds. */
interface Verified {
  readonly claims: AccessTokenClaims;
  /** Of the key that signed it. */
  readonly kid: string;
  /** For `tokens.audience`; another one is for `verifyForAny` alone. */
  readonly isForUs: boolean;
  readonly from: number;
  readonly until: number;
}

/** Access tokens: JWTs in the profile of RFC 9068 (`typ: at+jwt`), ES256 unless the client asks for RS256, verified without a query. */
@Injectable()
export class AccessTokens {
  /** By SHA-256 of the whole token, so that one with another signature is another; last used last. */
  private readonly verified = new Map<string, Verified>();

  constructor(
    @Inject(IAM_OPTIONS) private readonly options: ResolvedIamOptions,
    private readonly keys: SigningKeys,
    private readonly jwts: Jwts,
    private readonly clock: Clock,
  ) {}

  /** Signs a token that expires after `tokens.accessToken` seconds. */
  issue(claims: AccessTokenClaims, { algorithm }: IssueOptions = {}): Promise<string> {
    const { now } = this.jwts;
    const payload = {
      aud: this.options.tokens.audience,
      sub: claims.userId,
      client_id: claims.clientId,
      sid: claims.sessionId,
      roles: claims.roles,
      ...(claims.scope !== undefined && { scope: claims.scope }),
      amr: [claims.method],
      auth_time: Math.floor(claims.signedInAt.getTime() / 1000),
      iat: now,
      exp: now + this.options.tokens.accessToken,
      jti: randomUUID(),
    };
    return this.jwts.sign(payload, { type: TYPE, ...(algorithm !== undefined && { algorithm }) });
  }

  /**
   * Verifies signature and times alone. `Authentication.authenticate` also checks the session and the current roles, and
   * reads cookies.
   * @throws IamError `invalid_token`
   */
  async verify(token: string): Promise<AccessTokenClaims> {
    const { claims, isForUs } = this.find(token) ?? (await this.verifyAnew(token));
    if (!isForUs) throw new IamError('invalid_token', 'the access token is for another resource');
    return copyOf(claims);
  }

  /** As `verify`, for a token of ours whatever resource it is for. @throws IamError `invalid_token` */
  async verifyForAny(token: string): Promise<AccessTokenClaims> {
    return copyOf((this.find(token) ?? (await this.verifyAnew(token))).claims);
  }

  /** As `verify`, at once, for a token that has verified before; null for any other. */
  recall(token: string): AccessTokenClaims | null {
    const known = this.find(token);
    return known?.isForUs === true ? copyOf(known.claims) : null;
  }

  private find(token: string): Verified | null {
    const id = sha256(token);
    const known = this.verified.get(id);
    if (known === undefined) return null;
    this.verified.delete(id);
    const now = this.clock.now();
    if (now < known.from || now >= known.until || !this.keys.isKnown(known.kid)) return null;
    this.verified.set(id, known);
    return known;
  }

  /** The session of a token; null for one that does not verify. */
  async findSessionId(token: string): Promise<string | null> {
    try {
      return (await this.verifyForAny(token)).sessionId;
    } catch (error) {
      if (error instanceof IamError && error.code === 'invalid_token') return null;
      throw error;
    }
  }

  private async verifyAnew(token: string): Promise<Verified> {
    try {
      const { payload, protectedHeader } = await this.jwts.verify(token, {
        typ: TYPE,
        requiredClaims: ['sub', 'sid', 'client_id', 'jti', 'iat', 'exp', 'aud', 'iss'],
        maxTokenAge: this.options.tokens.accessToken,
      });
      const parsed = payloadSchema.parse(payload);
      const { iat, exp, aud } = parsed;
      const verified = {
        claims: claimsOf(parsed),
        kid: protectedHeader.kid ?? '',
        isForUs: [aud].flat().includes(this.options.tokens.audience),
        from: (iat - SKEW_SECONDS) * 1000,
        until: Math.min(exp, iat + this.options.tokens.accessToken) * 1000,
      };
      this.remember(token, verified);
      return verified;
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
}

function claimsOf(payload: z.infer<typeof payloadSchema>): AccessTokenClaims {
  return {
    userId: payload.sub,
    sessionId: payload.sid,
    clientId: payload.client_id,
    roles: payload.roles,
    method: payload.amr[0],
    signedInAt: new Date(payload.auth_time * 1000),
    ...(payload.scope !== undefined && { scope: payload.scope }),
  };
}

/** Of its own for each request: what a host changes in one must not show in the next. */
function copyOf(claims: AccessTokenClaims): AccessTokenClaims {
  return { ...claims, roles: [...claims.roles], signedInAt: new Date(claims.signedInAt) };
}

/** The token is at fault, not the database or the keys. */
function isRefusal(cause: unknown): boolean {
  return cause instanceof errors.JOSEError || cause instanceof z.ZodError;
}
