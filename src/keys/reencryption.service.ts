import { Inject, Injectable } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import { z } from 'zod';
import { recordAudit } from '../audit/record-audit.js';
import { IAM_DATA_SOURCE, IAM_OPTIONS, type ResolvedIamOptions } from '../config/iam.resolved-options.js';
import { inLongJob } from '../database/bounded-data-source.js';
import { inTransaction } from '../database/sql.js';
import type { KeyRing } from '../crypto/key-ring.js';
import { sealedProviderRows } from '../identity-providers/provider-secrets.js';
import { sealedSessionKeys } from '../identity-providers/session-keys.service.js';
import { sealedSigningKeys } from '../sessions/signing-key.js';
import { sealedSubjectSecrets } from '../sessions/subject-identifiers.service.js';

/** A row with sealed columns, as its owner offers it. */
interface SealedRow {
  /** Names the row in the audit log. */
  readonly label: Readonly<Record<string, string>>;
  /** For each secret the key that sealed it; null for one that is not sealed. */
  readonly keyIds: readonly (string | null)[];
  /** Seals with the first key what another one sealed, and nothing that changed meanwhile; how many secrets that were. */
  readonly reencrypt: (manager: EntityManager) => Promise<number>;
}

/** A part of a re-encryption, with its audit entry in one transaction. */
interface ReencryptionStep {
  readonly label: Readonly<Record<string, string>>;
  /** How many rows it has looked at, and how many secrets it has re-encrypted. */
  readonly run: (manager: EntityManager) => Promise<{ readonly rows: number; readonly count: number }>;
}

/** What is sealed in one table. */
interface SealedTable {
  /** How many secrets each key has sealed; null: those that are not sealed. */
  readonly keyIds: ReadonlyMap<string | null, number>;
  /** How many rows the steps look at. */
  readonly rows: number;
  readonly steps: Iterable<ReencryptionStep> | AsyncIterable<ReencryptionStep>;
}

const counts = {
  provider_secrets: z.int(),
  signing_keys: z.int(),
  session_keys: z.int(),
  subject_secrets: z.int(),
};

type SealedKind = keyof typeof counts;

/** The owners of sealed columns. */
const owners: Readonly<
  Record<SealedKind, (dataSource: DataSource, keyRing: KeyRing) => Promise<SealedTable>>
> = {
  provider_secrets: async (...of) => tableOf(await sealedProviderRows(...of)),
  signing_keys: async (...of) => tableOf(await sealedSigningKeys(...of)),
  session_keys: sealedSessionKeys,
  subject_secrets: async (...of) => tableOf(await sealedSubjectSecrets(...of)),
};

/** A table that is small enough to be read as a whole: each row is a step. */
function tableOf(rows: readonly SealedRow[]): SealedTable {
  const keyIds = new Map<string | null, number>();
  for (const keyId of rows.flatMap((row) => row.keyIds)) keyIds.set(keyId, (keyIds.get(keyId) ?? 0) + 1);
  const steps = rows.map(({ label, reencrypt }) => ({
    label,
    run: async (manager: EntityManager) => ({ rows: 1, count: await reencrypt(manager) }),
  }));
  return { keyIds, rows: rows.length, steps };
}

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
interface ReencryptionProgress {
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

  /** Row by row, or page by page, each with its audit entry in one transaction. */
  run(onProgress: (progress: ReencryptionProgress) => void = () => undefined): Promise<ReencryptionReport> {
    return inLongJob(() => this.reencrypt(onProgress));
  }

  /** What each key has sealed: configured keys first, in their order, also those that sealed nothing. */
  async use(): Promise<SealingKeyUse[]> {
    const tables = await this.tables();
    const { ids: configured, currentId } = this.options.keyRing;
    const keyIds = Object.values(tables).flatMap(({ keyIds }) => [...keyIds.keys()]);
    const count = (kind: SealedKind, keyId: string | null) => tables[kind].keyIds.get(keyId) ?? 0;
    return [...new Set<string | null>([...configured, ...keyIds])].map((keyId) => ({
      key_id: keyId,
      is_configured: keyId !== null && configured.includes(keyId),
      is_current: keyId === currentId,
      provider_secrets: count('provider_secrets', keyId),
      signing_keys: count('signing_keys', keyId),
      session_keys: count('session_keys', keyId),
      subject_secrets: count('subject_secrets', keyId),
    }));
  }

  private tables(): Promise<Record<SealedKind, SealedTable>> {
    return byKind((kind) => owners[kind](this.dataSource, this.options.keyRing));
  }

  private async reencrypt(onProgress: (progress: ReencryptionProgress) => void): Promise<ReencryptionReport> {
    const tables = await this.tables();
    const total = Object.values(tables).reduce((sum, { rows }) => sum + rows, 0);
    let done = 0;
    const counts = await byKind(async (kind) => {
      let sum = 0;
      for await (const step of tables[kind].steps) {
        const { rows, count } = await this.runStep(step);
        sum += count;
        onProgress({ done: Math.min((done += rows), total), total });
      }
      return sum;
    });
    const keyIds = Object.values(await this.tables()).flatMap((table) => [...table.keyIds]);
    const left = keyIds.filter(([keyId]) => keyId !== this.options.keyRing.currentId);
    return { ...counts, left: left.reduce((sum, [, count]) => sum + count, 0) };
  }

  private runStep({ label, run }: ReencryptionStep): ReturnType<ReencryptionStep['run']> {
    return inTransaction(this.dataSource, async (manager) => {
      const { rows, count } = await run(manager);
      const detail = { ...label, count, keyId: this.options.keyRing.currentId };
      if (count > 0) await recordAudit(manager, { action: 'key.resealed', detail });
      return { rows, count };
    });
  }
}

/** One kind after the other. */
async function byKind<T>(of: (kind: SealedKind) => Promise<T>): Promise<Record<SealedKind, T>> {
  const provider_secrets = await of('provider_secrets');
  const signing_keys = await of('signing_keys');
  const session_keys = await of('session_keys');
  return { provider_secrets, signing_keys, session_keys, subject_secrets: await of('subject_secrets') };
}
