import { Inject, Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { z } from 'zod';
import { IAM_DATA_SOURCE, IAM_OPTIONS, type ResolvedIamOptions } from '../config/iam.resolved-options.js';
import { constantTimeEqual, sha256 } from '../crypto/hash.js';
import { Mac } from '../crypto/key-ring.js';
import { randomAlphanumeric } from '../crypto/random.js';
import { defineTable, json, key, nullable, text, timestamp } from '../database/define-table.js';
import { execute, queryRow, sql, type Sql } from '../database/sql.js';
import { IamError } from '../errors/iam.error.js';
import type { Parameters } from '../http/request-body.js';

/** `iam.pushed_requests`: authorization requests that clients have sent by themselves (RFC 9126). */
export const PushedRequestEntity = defineTable('pushed_requests', {
  columns: {
    /** SHA-256 of the random part of the `request_uri`. */
    id: key(text),
    client_id: text,
    parameters: json,
    /** When a browser came with it. */
    used_at: nullable(timestamp),
    expires_at: timestamp,
  },
  indexes: { pushed_requests_expires_at_idx: ['expires_at'] },
});

const PREFIX = 'urn:ietf:params:oauth:request_uri:';
const form = /^urn:ietf:params:oauth:request_uri:([A-Za-z0-9]{43})(?:\.([0-9a-f]{8})\.([\w-]{43}))?$/;

/** Seconds in which a browser must come with a `request_uri`. */
export const PUSHED_SECONDS = 90;
/** Seconds in which that browser may return from pages of ours: as long as what it agrees to there is kept. */
const KEPT_SECONDS = 3_600;

/** What a person decides on pages of ours, which come back with it. */
const decisions = ['provider', 'method', 'display', 'follow_proof', 'from'];

const found = z.object({ parameters: z.record(z.string(), z.union([z.string(), z.array(z.string())])) });

/** No row: it is unknown, of another client, used, or has expired. */
const useSql = (id: string, clientId: string): Sql => sql`
  WITH used AS (
    UPDATE iam.pushed_requests SET used_at = now(), expires_at = now() + make_interval(secs => ${KEPT_SECONDS}::int)
    WHERE id = ${id} AND client_id = ${clientId} AND used_at IS NULL AND expires_at > now() RETURNING parameters
  ) SELECT parameters FROM used`;

const findUsedSql = (id: string, clientId: string): Sql => sql`
  SELECT parameters FROM iam.pushed_requests
  WHERE id = ${id} AND client_id = ${clientId} AND used_at IS NOT NULL AND expires_at > now()`;

/** The store of pushed authorization requests, shared by all replicas. */
@Injectable()
export class PushedRequests {
  private readonly mac: Mac;

  constructor(
    @Inject(IAM_OPTIONS) options: ResolvedIamOptions,
    @Inject(IAM_DATA_SOURCE) private readonly dataSource: DataSource,
  ) {
    this.mac = new Mac(options.keyRing, 'pushed-request');
  }

  /** The `request_uri` of a request that has been checked; one statement. */
  async add(clientId: string, parameters: Parameters): Promise<string> {
    const handle = randomAlphanumeric(43);
    await execute(
      this.dataSource,
      sql`INSERT INTO iam.pushed_requests (id, client_id, parameters, expires_at)
          VALUES (${sha256(handle)}, ${clientId}, ${JSON.stringify(parameters)}, now() + make_interval(secs => ${PUSHED_SECONDS}::int))`,
    );
    return `${PREFIX}${handle}`;
  }

  /**
   * The parameters of a request to `/authorize`: as they came, or those that the client has pushed, and nothing beside them (RFC 9126
   * §4). Only once: for the way over pages of ours, they have another `request_uri`, which the client does not know.
   * @throws IamError `invalid_request`, `invalid_request_uri`
   */
  async expand(query: Parameters): Promise<Parameters> {
    const { request_uri: uri, client_id: clientId } = query;
    if (uri === undefined) return query;
    if (typeof uri !== 'string' || typeof clientId !== 'string')
      throw new IamError('invalid_request', 'expected one client_id and one request_uri');
    const [, handle, keyId, tag] = form.exec(uri) ?? [];
    if (handle === undefined) throw new IamError('invalid_request_uri', 'not a request_uri of ours');
    const isKept = keyId !== undefined && tag !== undefined;
    const id = sha256(handle);
    if (isKept && !constantTimeEqual(this.mac.signWith(keyId, id) ?? '', tag))
      throw new IamError('invalid_request_uri', 'a request_uri that we did not extend');
    const row = await queryRow(
      this.dataSource,
      found,
      isKept ? findUsedSql(id, clientId) : useSql(id, clientId),
    );
    if (row === null)
      throw new IamError('invalid_request_uri', `no pushed request of "${clientId.slice(0, 64)}" is left`);
    const decided = Object.entries(query).filter(([name]) => isKept && decisions.includes(name));
    return {
      ...row.parameters,
      ...Object.fromEntries(decided),
      request_uri: `${PREFIX}${handle}.${this.mac.keyId}.${this.mac.sign(id)}`,
    };
  }
}
