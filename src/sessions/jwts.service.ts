import { sign } from 'node:crypto';
import { promisify } from 'node:util';
import { Inject, Injectable } from '@nestjs/common';
import * as errors from 'jose/errors';
import { compactVerify } from 'jose/jws/compact/verify';
import { jwtVerify } from 'jose/jwt/verify';
import type { JWSHeaderParameters, JWTPayload, JWTVerifyOptions } from 'jose';
import { IAM_OPTIONS, type ResolvedIamOptions } from '../config/iam.resolved-options.js';
import { signingAlgorithms, type SigningAlgorithm } from '../http/client-registry.service.js';
import { Clock } from '../runtime/clock.js';
import { ALGORITHM, type SigningKey } from './signing-key.js';
import { SigningKeys } from './signing-keys.service.js';

/** How far the clocks of replicas and of other verifiers may differ. */
export const SKEW_SECONDS = 60;

/** The header of a token to sign, but its key. */
interface TokenHeader {
  /** `typ`, which keeps one kind of token from being taken for another. */
  readonly type: string;
  /** From `iat` to `exp`. */
  readonly seconds: number;
  readonly algorithm?: SigningAlgorithm;
}

/** What a token is checked by; `subject`, `audience` and more as jose names them. */
type Expected = Pick<JWTVerifyOptions, 'typ' | 'audience' | 'requiredClaims' | 'maxTokenAge'>;

/** The JWTs that we sign: access tokens, ID tokens, logout tokens. */
@Injectable()
export class Jwts {
  constructor(
    @Inject(IAM_OPTIONS) private readonly options: ResolvedIamOptions,
    private readonly keys: SigningKeys,
    private readonly clock: Clock,
  ) {}

  /** Signs claims, with `iss`, `iat` and `exp`. The time is looked at once the key is there: with it, the clock may have been read again. */
  async sign(
    claims: Readonly<JWTPayload>,
    { type, seconds, algorithm = ALGORITHM }: TokenHeader,
  ): Promise<string> {
    const key = await this.keys.current(algorithm);
    const iat = Math.floor(this.clock.now() / 1000);
    const header = encode({ alg: algorithm, typ: type, kid: key.kid });
    const text = `${header}.${encode({ iss: this.options.publicUrl, iat, exp: iat + seconds, ...claims })}`;
    return `${text}.${await signatureOf(key, text)}`;
  }

  /** @throws JOSEError for a token that is not ours, not for this or not valid now */
  async verify(token: string, expected: Expected) {
    await this.keys.ready();
    return jwtVerify(token, (header) => this.publicKey(header), {
      ...expected,
      algorithms: [...signingAlgorithms],
      issuer: this.options.publicUrl,
      clockTolerance: SKEW_SECONDS,
      currentDate: new Date(this.clock.now()),
    });
  }

  /** As `verify` for the signature alone: the token may have expired. @throws JOSEError */
  verifySignature(token: string) {
    return compactVerify(token, (header) => this.publicKey(header), { algorithms: [...signingAlgorithms] });
  }

  /** The key decides the algorithm, never the header: otherwise a token chooses how it is checked (RFC 8725 §3.1). */
  private async publicKey({ kid, alg }: Pick<JWSHeaderParameters, 'kid' | 'alg'>) {
    const key = kid === undefined ? null : await this.keys.find(kid);
    if (key === null) throw new errors.JWKSNoMatchingKey();
    if (key.algorithm !== alg) throw new errors.JOSEAlgNotAllowed(`the key signs by ${key.algorithm}`);
    return key.publicKey;
  }
}

function encode(part: object): string {
  return Buffer.from(JSON.stringify(part), 'utf8').toString('base64url');
}

const signElsewhere = promisify(sign);

/**
 * RFC 7518 §3.3, §3.4. By ES256 here, in 30 µs: Web Crypto hands it to another thread, which takes three times the CPU time. RSA
 * takes a millisecond, in which no other request would be served.
 */
async function signatureOf({ privateKey, algorithm }: SigningKey, text: string): Promise<string> {
  const bytes = Buffer.from(text, 'utf8');
  const signature =
    algorithm === 'RS256'
      ? await signElsewhere('sha256', bytes, privateKey)
      : sign('sha256', bytes, { key: privateKey, dsaEncoding: 'ieee-p1363' });
  return signature.toString('base64url');
}
