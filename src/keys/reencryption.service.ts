import { Inject, Injectable } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
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

/** The owners of sealed columns. */
const owners = {
  providerSecrets: sealedProviderRows,
  signingKeys: sealedSigningKeys,
} as const satisfies Record<string, (dataSource: DataSource, keyRing: KeyRing) => Promise<SealedRow[]>>;

type SealedKind = keyof typeof owners;

/** What one key of the host's option `keys` has sealed. */
export interface SealingKeyUse extends Readonly<Record<SealedKind, number>> {
  /** The first 8 hex digits of the key's SHA-256; null stands for secrets that are not sealed yet. */
  readonly keyId: string | null;
  /** Among the host's `keys` now. */
  readonly isConfigured: boolean;
  /** The first of them, which seals. */
  readonly isCurrent: boolean;
}

/** How far a run is, in rows. */
export interface ReencryptionProgress {
  readonly done: number;
  readonly total: number;
}

/** What a run has re-encrypted, and how many secrets are left that the keys do not open. */
export interface ReencryptionReport extends Readonly<Record<SealedKind, number>> {
  readonly left: number;
}

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
    const { providerSecrets, signingKeys } = await this.rows();
    const configured = this.options.keyRing.ids;
    const keyIds = [...providerSecrets, ...signingKeys].flatMap((row) => row.keyIds);
    return [...new Set<string | null>([...configured, ...keyIds])].map((keyId) => ({
      keyId,
      isConfigured: keyId !== null && configured.includes(keyId),
      isCurrent: keyId === configured[0],
      providerSecrets: countOf(keyId, providerSecrets),
      signingKeys: countOf(keyId, signingKeys),
    }));
  }

  private async rows(): Promise<Record<SealedKind, SealedRow[]>> {
    const { keyRing } = this.options;
    return {
      providerSecrets: await owners.providerSecrets(this.dataSource, keyRing),
      signingKeys: await owners.signingKeys(this.dataSource, keyRing),
    };
  }

  private async reencrypt(onProgress: (progress: ReencryptionProgress) => void): Promise<ReencryptionReport> {
    const { providerSecrets, signingKeys } = await this.rows();
    const total = providerSecrets.length + signingKeys.length;
    let done = 0;
    const runAll = async (rows: readonly SealedRow[]) => {
      let count = 0;
      for (const row of rows) {
        count += await this.reencryptRow(row);
        onProgress({ done: (done += 1), total });
      }
      return count;
    };
    const counts = { providerSecrets: await runAll(providerSecrets), signingKeys: await runAll(signingKeys) };
    return { ...counts, left: await this.countLeft() };
  }

  private reencryptRow(row: SealedRow): Promise<number> {
    return inTransaction(this.dataSource, async (manager) => {
      const count = await row.reencrypt(manager);
      const detail = { ...row.label, count, keyId: this.options.keyRing.ids[0] };
      if (count > 0) await recordAudit(manager, { action: 'key.resealed', detail });
      return count;
    });
  }

  private async countLeft(): Promise<number> {
    const others = (await this.use()).filter(({ isCurrent }) => !isCurrent);
    return others.reduce((sum, { providerSecrets, signingKeys }) => sum + providerSecrets + signingKeys, 0);
  }
}

function countOf(keyId: string | null, rows: readonly SealedRow[]): number {
  return rows.flatMap((row) => row.keyIds).filter((each) => each === keyId).length;
}
