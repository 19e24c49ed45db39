import { Inject, Injectable } from '@nestjs/common';
import { JOSEError } from 'jose/errors';
import { decodeJwt } from 'jose/jwt/decode';
import { jwtVerify } from 'jose/jwt/verify';
import { DataSource } from 'typeorm';
import { z } from 'zod';
import { IAM_DATA_SOURCE, IAM_OPTIONS, type ResolvedIamOptions } from '../../config/iam.resolved-options.js';
import { sha256 } from '../../crypto/hash.js';
import { defineTable, key, text, timestamp } from '../../database/define-table.js';
import { hasRow, sql, type Sql } from '../../database/sql.js';
import { IamError } from '../../errors/iam.error.js';
import type { Client } from '../../http/client-registry.service.js';
import { IamUrls } from '../../http/iam-urls.service.js';
import { Clock } from '../../runtime/clock.js';
import { SKEW_SECONDS } from '../../sessions/jwts.service.js';
import { clientAlgorithms, ClientKeys } from './client-keys.service.js';

/** `iam.client_assertions`: those that were used, until they expire. */
export const ClientAssertionEntity = defineTable('client_assertions', {
  columns: {
    /** SHA-256 of client and `jti`. */
    id: key(text),
    expires_at: timestamp,
  },
  indexes: { client_assertions_expires_at_idx: ['expires_at'] },
});

/** The value of `client_assertion_type` (RFC 7523 §2.2). */
export const JWT_BEARER = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer';

/** The client that an assertion names; nothing of it is verified. @throws IamError `invalid_client` for text that is no JWT */
export function subjectOf(assertion: string): string {
  try {
    return z.string().min(1).parse(decodeJwt(assertion).sub);
  } catch (cause) {
    throw new IamError('invalid_client', 'the client assertion names no client', { cause });
  }
}

/** Seconds: used ones are remembered until they expire, so one for a year would be remembered for a year. */
const LONGEST_SECONDS = 3_600;

const claims = z.object({
  jti: z.string().min(1).max(256),
  exp: z.number(),
  aud: z.union([z.string().transform((aud) => [aud]), z.array(z.string()).min(1)]),
});

interface Verified extends z.output<typeof claims> {
  /** The key that signed it, or where that key is. */
  readonly proof: string;
}

/** No row: it was used before, here or on another replica. */
const useSql = (id: string, exp: number): Sql => sql`
  INSERT INTO iam.client_assertions AS used (id, expires_at) VALUES (${id}, to_timestamp(${exp + 2 * SKEW_SECONDS}::float8))
  ON CONFLICT (id) DO UPDATE SET expires_at = excluded.expires_at WHERE used.expires_at < now()
  RETURNING id`;

/** `private_key_jwt`: a client proves itself by a JWT that it has signed, each of them once (RFC 7523 §3). */
@Injectable()
export class ClientAssertions {
  constructor(
    @Inject(IAM_OPTIONS) private readonly options: ResolvedIamOptions,
    @Inject(IAM_DATA_SOURCE) private readonly dataSource: DataSource,
    private readonly urls: IamUrls,
    private readonly keys: ClientKeys,
    private readonly clock: Clock,
  ) {}

  /** Returns the proof. One statement, and none for an assertion that does not verify. @throws IamError `invalid_client` */
  async use(assertion: string, client: Client): Promise<string> {
    const { jti, exp, proof } = await this.verify(assertion, client);
    if (!(await hasRow(this.dataSource, useSql(sha256(`${client.id}\n${jti}`), exp))))
      throw new IamError('invalid_client', `an assertion of application "${client.id}" came twice`);
    return proof;
  }

  private async verify(assertion: string, client: Client): Promise<Verified> {
    try {
      const now = this.clock.now();
      const verified = await jwtVerify(assertion, (header) => this.keys.find(client, header), {
        algorithms: [...clientAlgorithms],
        issuer: client.id,
        subject: client.id,
        clockTolerance: SKEW_SECONDS,
        currentDate: new Date(now),
      });
      const read = claims.parse(verified.payload);
      if (read.exp > now / 1000 + LONGEST_SECONDS + SKEW_SECONDS) throw new Refused('`exp` is too far ahead');
      this.checkAudience(read.aud);
      return { ...read, proof: this.keys.proofOf(client, verified.key) };
    } catch (cause) {
      if (!isRefusal(cause)) throw cause;
      const detail = `an assertion of application "${client.id}" does not verify: ${cause.message}`;
      throw new IamError('invalid_client', detail, { cause });
    }
  }

  /** One that another server may use too could come from there (RFC 9126 §2 names the addresses that are ours). */
  private checkAudience(audience: readonly string[]): void {
    const ours = [this.options.publicUrl, this.urls.endpoint('token'), this.urls.endpoint('par')];
    if (!audience.every((each) => ours.includes(each))) throw new Refused('`aud` is not this server alone');
  }
}

class Refused extends Error {}

/** The assertion is at fault, or the client's keys are; not the database. */
function isRefusal(cause: unknown): cause is Error {
  return cause instanceof JOSEError || cause instanceof z.ZodError || cause instanceof Refused;
}
