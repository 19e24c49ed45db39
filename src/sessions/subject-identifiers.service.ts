import { createCipheriv, createDecipheriv, createHash, randomBytes } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { validate as isUuid } from 'uuid';
import { z } from 'zod';
import { IAM_DATA_SOURCE, IAM_OPTIONS, type ResolvedIamOptions } from '../config/iam.resolved-options.js';
import { deriveKey, type KeyRing } from '../crypto/key-ring.js';
import { isSealed, Sealer, sealedWith } from '../crypto/sealer.js';
import { defineTable, key, now, text } from '../database/define-table.js';
import { hasRow, queryRow, queryRows, sql, type SqlExecutor } from '../database/sql.js';
import type { Client } from '../http/client-registry.service.js';
import { SingleFlight } from '../runtime/single-flight.js';

/** `iam.subject_secrets`: one row, from which the keys of all sectors are derived. It outlives the option `keys`, which seal it. */
export const SubjectSecretEntity = defineTable('subject_secrets', {
  columns: {
    id: key(text),
    /** Sealed. */
    secret: text,
    created_at: now,
  },
  checks: { subject_secrets_id_check: "id = 'pairwise'" },
});

const ID = 'pairwise';
const PURPOSE = 'subject-secrets';
/** The context of its seal; see `Sealer`. */
const CONTEXT = `subject_secrets/${ID}/secret`;
const SECRET_BYTES = 32;
/** AES in 22 characters of base64url; a public identifier is a UUID of 36. */
const pairwiseForm = /^[\w-]{22}$/;

const secretRow = z.object({ secret: z.string() });

/** What decides how a client knows people. */
type SubjectClient = Pick<Client, 'subjectType' | 'sectorIdentifierUri' | 'redirectUris'>;

/** The host that all clients of a sector share (OpenID Connect Core 8.1). */
function sectorOf({ sectorIdentifierUri, redirectUris: [redirectUri = ''] }: SubjectClient): string {
  return new URL(sectorIdentifierUri ?? redirectUri).host;
}

/**
 * `sub` of everything that a client is told of a person: the user's id, or with `subject_type: pairwise` another one for each sector
 * (OpenID Connect Core 8). A pairwise one is the id, one block of AES under the key of the sector: clients of two sectors cannot
 * compare people, and here the user is found without a query.
 */
@Injectable()
export class SubjectIdentifiers {
  private readonly sealer: Sealer;
  private readonly loading = new SingleFlight<Buffer>();
  private secret: Buffer | undefined;
  private readonly keys = new Map<string, Buffer>();

  constructor(
    @Inject(IAM_OPTIONS) options: ResolvedIamOptions,
    @Inject(IAM_DATA_SOURCE) private readonly dataSource: DataSource,
  ) {
    this.sealer = new Sealer(options.keyRing, PURPOSE);
  }

  /** The `sub` by which the client knows the user. */
  async of(userId: string, client: SubjectClient): Promise<string> {
    if (client.subjectType === 'public') return userId;
    const cipher = createCipheriv('aes-256-ecb', await this.keyOf(sectorOf(client)), null);
    cipher.setAutoPadding(false);
    return Buffer.concat([cipher.update(userId.replaceAll('-', ''), 'hex'), cipher.final()]).toString(
      'base64url',
    );
  }

  /**
   * The user whom the client knows by this `sub`, which may be from before its `subject_type` was changed; null for none. Of a client
   * that is gone, pairwise ones are lost.
   */
  async userOf(subject: string, client: SubjectClient | undefined): Promise<string | null> {
    if (isUuid(subject)) return subject;
    if (client === undefined || !pairwiseForm.test(subject)) return null;
    const decipher = createDecipheriv('aes-256-ecb', await this.keyOf(sectorOf(client)), null);
    decipher.setAutoPadding(false);
    const id = Buffer.concat([decipher.update(subject, 'base64url'), decipher.final()]).toString('hex');
    const userId = id.replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
    return isUuid(userId) ? userId : null;
  }

  private async keyOf(sector: string): Promise<Buffer> {
    const known = this.keys.get(sector);
    if (known !== undefined) return known;
    const derived = deriveKey(await this.load(), `subject/${sector}`);
    this.keys.set(sector, derived);
    return derived;
  }

  private async load(): Promise<Buffer> {
    this.secret ??= await this.loading.run(ID, () => this.read());
    return this.secret;
  }

  /** The first process that needs it makes it; what another one has made meanwhile counts. */
  private async read(): Promise<Buffer> {
    const made = this.sealer.seal(randomBytes(SECRET_BYTES).toString('base64url'), CONTEXT);
    const find = sql`SELECT secret FROM iam.subject_secrets WHERE id = ${ID}`;
    const insert = sql`
      INSERT INTO iam.subject_secrets (id, secret) VALUES (${ID}, ${made}) ON CONFLICT DO NOTHING RETURNING secret`;
    const row =
      (await queryRow(this.dataSource, secretRow, find)) ??
      (await queryRow(this.dataSource, secretRow, insert)) ??
      (await queryRow(this.dataSource, secretRow, find));
    if (row === null) throw new Error('iam.subject_secrets has no row');
    return Buffer.from(this.sealer.open(row.secret, CONTEXT), 'base64url');
  }
}

/** The secret of pairwise identifiers with the key that sealed it and its re-encryption; the secret itself stays. */
export async function sealedSubjectSecrets(executor: SqlExecutor, keyRing: KeyRing) {
  const sealer = new Sealer(keyRing, PURPOSE);
  const rows = await queryRows(executor, secretRow, sql`SELECT secret FROM iam.subject_secrets`);
  return rows.map(({ secret }) => ({
    label: { subjects: ID },
    keyIds: [isSealed(secret) ? sealedWith(secret) : null],
    reencrypt: async (transaction: SqlExecutor) => {
      if (!sealer.needsReencryption(secret, CONTEXT)) return 0;
      // A digest, because hosts may log parameters.
      const digest = createHash('sha256').update(secret, 'utf8').digest();
      const isDone = await hasRow(
        transaction,
        sql`WITH resealed AS (
           UPDATE iam.subject_secrets SET secret = ${sealer.seal(sealer.open(secret, CONTEXT), CONTEXT)}
           WHERE id = ${ID} AND sha256(convert_to(secret, 'UTF8')) = ${digest} RETURNING id
         ) SELECT id FROM resealed`,
      );
      return isDone ? 1 : 0;
    },
  }));
}
