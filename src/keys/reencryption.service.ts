import { Inject, Injectable } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import { z } from 'zod';
import { recordAudit } from '../audit/record-audit.js';
import { IAM_DATA_SOURCE, IAM_OPTIONS, type ResolvedIamOptions } from '../config/iam.resolved-options.js';
import { inLongJob } from '../database/bounded-data-source.js';
import { inTransaction } from '../database/sql.js';
import type { KeyRing } from '../crypto/key-ring.js';
import { sealedProviderRows } from '../identity-providers/provider-secrets.js';
import { sealedSigningKeys } from '../sessions/signing-key.js';

/** A row with sealed columns, as its owner offers it. */
interface SealedRow {
  /** Names the row in the audit log. */
  readonly label: Readonly<Record<string, string>>;
  /** For each secret the key that sealed it; null for one that is not sealed. */
  readonly keyIds: readonly (string | null)[];
  /** Seals with the first key what another one sealed, and nothing that changed meanwhile; how many secrets that were. */
  reencrypt(manager: EntityManager): Promise<number>;
}

const counts = { provider_secrets: z.int(), signing_keys: z.int() };

type SealedKind = keyof typeof counts;

/** The owners of sealed columns. */
const owners: Readonly<
  Record<SealedKind, (dataSource: DataSource, keyRing: KeyRing) => Promise<SealedRow[]>>
> = { provider_secrets: sealedProviderRows, signing_keys: sealedSigningKeys };

/**
 * What one key of the host's option `keys` has sealed; its id is the first 8 hex digits of its SHA-256, null for secrets that are
 * not sealed yet. The current key is the first of the configured ones, which seals.
 */
export const sealingKeyUse = z.object({
  key_id: z.string().nullable(),
  is_configured: z.boolean(),
  is_current: z.boolean(),
  ...counts,
});

/** See `sealingKeyUse`. */
export type SealingKeyUse = Readonly<z.infer<typeof sealingKeyUse>>;

/** How far a run is, in rows. */
export interface ReencryptionProgress {
  readonly done: number;
  readonly total: number;
}

/** What a run has re-encrypted, and how many secrets are left that the keys do not open. */
export const reencryptionReport = z.object({ ...counts, left: z.int() });

/** See `reencryptionReport`. */
export type ReencryptionReport = Readonly<z.infer<typeof reencryptionReport>>;

/**
 * Seals everything again with the first of the host's `keys`, so that the others can be removed. Safe during sign-ins,
 * changes by administrators and other runs: a secret that changes meanwhile stays as it was changed. No session ends.
 */
@Injectable()
export class Reencryption {
  constructor(
    @Inject(IAM_OPTIONS) private readonly options: ResolvedIamOptions,
    @Inject(IAM_DATA_SOURCE) private readonly dataSource: DataSource,
  ) {}

  /** Row by row, each with its audit entry in one transaction. */
  run(onProgress: (progress: ReencryptionProgress) => void = () => undefined): Promise<ReencryptionReport> {
    return inLongJob(() => this.reencrypt(onProgress));
  }

  /** What each key has sealed: configured keys first, in their order, also those that sealed nothing. */
  async use(): Promise<SealingKeyUse[]> {
    const rows = await this.rows();
    const { ids: configured, currentId } = this.options.keyRing;
    const keyIds = Object.values(rows).flatMap(keyIdsOf);
    const count = (kind: SealedKind, keyId: string | null) =>
      keyIdsOf(rows[kind]).filter((each) => each === keyId).length;
    return [...new Set<string | null>([...configured, ...keyIds])].map((keyId) => ({
      key_id: keyId,
      is_configured: keyId !== null && configured.includes(keyId),
      is_current: keyId === currentId,
      provider_secrets: count('provider_secrets', keyId),
      signing_keys: count('signing_keys', keyId),
    }));
  }

  private rows(): Promise<Record<SealedKind, SealedRow[]>> {
    return byKind((kind) => owners[kind](this.dataSource, this.options.keyRing));
  }

  private async reencrypt(onProgress: (progress: ReencryptionProgress) => void): Promise<ReencryptionReport> {
    const rows = await this.rows();
    const total = Object.values(rows).flat().length;
    let done = 0;
    const counts = await byKind(async (kind) => {
      let count = 0;
      for (const row of rows[kind]) {
        count += await this.reencryptRow(row);
        onProgress({ done: (done += 1), total });
      }
      return count;
    });
    const left = Object.values(await this.rows()).flatMap(keyIdsOf);
    return { ...counts, left: left.filter((keyId) => keyId !== this.options.keyRing.currentId).length };
  }

  private reencryptRow(row: SealedRow): Promise<number> {
    return inTransaction(this.dataSource, async (manager) => {
      const count = await row.reencrypt(manager);
      const detail = { ...row.label, count, keyId: this.options.keyRing.currentId };
      if (count > 0) await recordAudit(manager, { action: 'key.resealed', detail });
      return count;
    });
  }
}

function keyIdsOf(rows: readonly SealedRow[]): readonly (string | null)[] {
  return rows.flatMap((row) => row.keyIds);
}

/** One kind after the other. */
async function byKind<T>(of: (kind: SealedKind) => Promise<T>): Promise<Record<SealedKind, T>> {
  const provider_secrets = await of('provider_secrets');
  return { provider_secrets, signing_keys: await of('signing_keys') };
}
