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
import { ThirdParties } from './third-parties.service.js';

const TYPE = 'at+jwt';

/** The claims of the access token of a person. */
export interface AccessTokenClaims {
  readonly userId: string;
  readonly sessionId: string;
  readonly clientId: string;
  readonly roles: readonly string[];
  /** See `AuthenticatedPerson`; `amr` of the token (RFC 9068 §2.2.1). */
  readonly method: string;
  /** When the person proved who they are: `auth_time` of the token. */
  readonly signedInAt: Date;
  /** Absent where the client named none: then a first-party client has all. */
  readonly scope?: string | undefined;
  /** The resources that the client asked for (RFC 8707). */
  readonly resources?: readonly string[] | undefined;
  /** The client was one of a third party when it got the token. */
  readonly isThirdParty?: boolean | undefined;
}

/** A session for which tokens are made: what they tell of it. */
export interface TokenSubject extends AccessTokenClaims {
  /** When the session began: its life is counted from then. */
  readonly beganAt: Date;
  /** Where the scope has `openid`. */
  readonly person?: Person | undefined;
}

/** The claims of the access token of a service, whose `sub` is its `client_id` (RFC 9068 §2.2). */
export interface ServiceTokenClaims extends Pick<
  AccessTokenClaims,
  'clientId' | 'roles' | 'scope' | 'resources'
> {
  /** What the service proved itself by; see `ClientRegistry.findService`. The token ends with it. */
  readonly credential: string;
}

/** The claims of any access token of ours. */
export type TokenClaims = AccessTokenClaims | ServiceTokenClaims;

/** Tells the tokens of people from those of services. */
export function isOfPerson<T extends AccessTokenClaims>(claims: T | ServiceTokenClaims): claims is T {
  return 'sessionId' in claims;
}

const seconds = z.number().int().nonnegative();
const anyPayload = z.object({
  sub: z.string().min(1),
  client_id: z.string().min(1),
  jti: z.string().min(1),
  iat: seconds,
  exp: seconds,
  roles: z.array(z.string()),
  aud: z.string().or(z.array(z.string())),
  scope: z.string().optional(),
  third_party: z.literal(true).optional(),
});
const payloadSchema = z.union([
  anyPayload.extend({ sid: z.string().min(1), amr: z.tuple([z.string()]), auth_time: seconds }),
  anyPayload.extend({ sid: z.undefined().optional(), credential: z.string() }),
]);

/** A few megabytes; beyond that, the token that was used longest ago is verified again. */
const MOST_REMEMBERED = 10_000;

/** A token that has verified, and the time in which it does: of the clock's milliseconds. */
interface Verified {
  readonly claims: TokenClaims;
  /** Of the key that signed it. */
  readonly kid: string;
  /** Of `aud`. */
  readonly audience: readonly string[];
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
    private readonly parties: ThirdParties,
    private readonly clock: Clock,
  ) {}

  /** Signs a token that expires after `tokens.accessToken` seconds. */
  async issue(claims: TokenClaims, { algorithm }: { algorithm?: SigningAlgorithm } = {}): Promise<string> {
    const payload = {
      ...(await this.parties.describe(claims)),
      client_id: claims.clientId,
      ...(claims.scope !== undefined && { scope: claims.scope }),
      ...proofOf(claims),
      jti: randomUUID(),
    };
    const seconds = this.options.tokens.accessToken;
    return this.jwts.sign(payload, { type: TYPE, seconds, ...(algorithm !== undefined && { algorithm }) });
  }

  /**
   * Verifies signature and times alone. `Authentication.authenticate` also checks the session and the current roles, reads
   * cookies, and admits services.
   * @throws IamError `invalid_token`; `person_required` for the token of a service
   */
  async verify(token: string): Promise<AccessTokenClaims> {
    return requireOfPerson(await this.read(token));
  }

  /** As `verify`, for a token of ours whatever resource it is for. @throws IamError as `verify` */
  async verifyForAny(token: string): Promise<AccessTokenClaims> {
    return requireOfPerson(await this.readForAny(token));
  }

  /** As `verify`, of people and services; also for a resource of this application. @throws IamError `invalid_token` */
  async read(token: string, resource?: string): Promise<TokenClaims> {
    const verified = this.known(token) ?? (await this.verifyAnew(token));
    if (!this.isForUs(verified, resource))
      throw new IamError('invalid_token', 'the access token is for another resource');
    return copyOf(verified.claims);
  }

  /** As `read`, whatever resource it is for. @throws IamError `invalid_token` */
  async readForAny(token: string): Promise<TokenClaims> {
    return copyOf((this.known(token) ?? (await this.verifyAnew(token))).claims);
  }

  /** As `read`, at once, for a token that has verified before; null for any other. */
  recall(token: string, resource?: string): TokenClaims | null {
    const known = this.known(token);
    return known !== null && this.isForUs(known, resource) ? copyOf(known.claims) : null;
  }

  private isForUs({ audience }: Verified, resource: string | undefined): boolean {
    return (
      audience.includes(this.options.tokens.audience) ||
      (resource !== undefined && audience.includes(resource))
    );
  }

  private known(token: string): Verified | null {
    const id = sha256(token);
    const known = this.verified.get(id);
    if (known === undefined) return null;
    this.verified.delete(id);
    const now = this.clock.now();
    if (now < known.from || now >= known.until || !this.keys.isKnown(known.kid)) return null;
    this.verified.set(id, known);
    return known;
  }

  /** As `readForAny`; null for one that does not verify, after `whenForged` for one that we have not signed. */
  async find(token: string, whenForged: () => void = () => undefined): Promise<TokenClaims | null> {
    try {
      return await this.readForAny(token);
    } catch (error) {
      if (!(error instanceof IamError) || error.code !== 'invalid_token') throw error;
      if (!isSigned(error.cause)) whenForged();
      return null;
    }
  }

  private async verifyAnew(token: string): Promise<Verified> {
    try {
      const { payload, protectedHeader } = await this.jwts.verify(token, {
        typ: TYPE,
        requiredClaims: ['sub', 'client_id', 'jti', 'iat', 'exp', 'aud', 'iss'],
        maxTokenAge: this.options.tokens.accessToken,
      });
      const parsed = payloadSchema.parse(payload);
      const { iat, exp, aud } = parsed;
      const verified = {
        claims: await this.claimsOf(parsed),
        kid: protectedHeader.kid ?? '',
        audience: [aud].flat(),
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

  private async claimsOf(payload: z.infer<typeof payloadSchema>): Promise<TokenClaims> {
    const { sub, client_id: clientId, roles, scope } = payload;
    const common = { clientId, roles, ...(scope !== undefined && { scope }) };
    if (payload.sid === undefined) return { ...common, credential: payload.credential };
    const { sid: sessionId, amr, auth_time } = payload;
    const userId = await this.parties.userOf(sub, clientId);
    const session = { userId, sessionId, method: amr[0], signedInAt: new Date(auth_time * 1000) };
    return { ...common, ...session, ...(payload.third_party === true && { isThirdParty: true }) };
  }

  private remember(token: string, verified: Verified): void {
    this.verified.set(sha256(token), verified);
    const [oldest] = this.verified.keys();
    if (this.verified.size > MOST_REMEMBERED && oldest !== undefined) this.verified.delete(oldest);
  }
}

/** Where the person has signed in, or what a service has proved itself by. */
function proofOf(claims: TokenClaims): Readonly<Record<string, unknown>> {
  if (!isOfPerson(claims)) return { credential: claims.credential };
  return {
    sid: claims.sessionId,
    amr: [claims.method],
    auth_time: Math.floor(claims.signedInAt.getTime() / 1000),
  };
}

function requireOfPerson(claims: TokenClaims): AccessTokenClaims {
  if (isOfPerson(claims)) return claims;
  throw new IamError('person_required', `a token of service "${claims.clientId}"`);
}

/** Of its own for each request: what a host changes in one must not show in the next. */
function copyOf(claims: TokenClaims): TokenClaims {
  const roles = [...claims.roles];
  return isOfPerson(claims)
    ? { ...claims, roles, signedInAt: new Date(claims.signedInAt) }
    : { ...claims, roles };
}

/** Only the claims of the token were refused: the signature, which is verified first, is ours. */
function isSigned(cause: unknown): boolean {
  return cause instanceof errors.JWTExpired || cause instanceof errors.JWTClaimValidationFailed;
}

/** The token is at fault, not the database or the keys. */
function isRefusal(cause: unknown): boolean {
  return cause instanceof errors.JOSEError || cause instanceof z.ZodError;
}
