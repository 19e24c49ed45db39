import { Inject, Injectable } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import { recordAudit } from '../audit/record-audit.js';
import { isSealed, Sealer, sealedWith } from '../crypto/sealer.js';
import { inTransaction } from '../database/sql.js';
import { inLongJob } from '../database/bounded-data-source.js';
import { IAM_DATA_SOURCE, IAM_OPTIONS, type ResolvedIamOptions } from '../config/iam.resolved-options.js';
import { IdentityProviderEntity } from '../identity-providers/identity-provider.entity.js';
import { sealSecrets } from '../identity-providers/seal-secrets.js';
import { PROVIDER_SECRETS_PURPOSE, secretProperties } from '../identity-providers/secret-columns.js';
import {
  reencryptSigningKey,
  signingKeySeals,
  SIGNING_KEYS_PURPOSE,
  SigningKeyEntity,
} from '../sessions/signing-key.js';

/** What one key of the host's option `keys` has sealed. */
export interface SealingKeyUse {
  /** The first 8 hex digits of the key's SHA-256; null stands for secrets that nobody has sealed yet. */
  readonly keyId: string | null;
  /** Among the host's `keys` now. */
  readonly isConfigured: boolean;
  /** The first of them: what is sealed anew is sealed with it. */
  readonly isCurrent: boolean;
  /** Secrets of identity providers. */
  readonly providerSecrets: number;
  readonly signingKeys: number;
}

/** Counts seals by the key that made them; configured keys come first, in their order, also those that sealed nothing. */
export function countSeals(
  configured: readonly string[],
  seals: {
    readonly providerSecrets: readonly (string | null)[];
    readonly signingKeys: readonly (string | null)[];
  },
): SealingKeyUse[] {
  const ids = new Set<string | null>([...configured, ...seals.providerSecrets, ...seals.signingKeys]);
  return [...ids].map((keyId) => ({
    keyId,
    isConfigured: keyId !== null && configured.includes(keyId),
    isCurrent: keyId === configured[0],
    providerSecrets: seals.providerSecrets.filter((id) => id === keyId).length,
    signingKeys: seals.signingKeys.filter((id) => id === keyId).length,
  }));
}

/** How far a run is, in provider rows and signing keys. */
export interface ReencryptionProgress {
  readonly done: number;
  readonly total: number;
}

/** What a run has sealed anew, and what other keys than the first still hold: those do not open. */
export interface ReencryptionReport {
  readonly providerSecrets: number;
  readonly signingKeys: number;
  readonly left: number;
}

/**
 * Seals everything anew with the first of the host's `keys`, so that the others can be taken away. Safe beside sign-ins,
 * administrators and other runs: a secret that changes meanwhile stays as it was changed. Nobody is signed out by it.
 */
@Injectable()
export class Reencryption {
  private readonly providerSecrets: Sealer;
  private readonly signingKeys: Sealer;

  constructor(
    @Inject(IAM_OPTIONS) private readonly options: ResolvedIamOptions,
    @Inject(IAM_DATA_SOURCE) private readonly dataSource: DataSource,
  ) {
    this.providerSecrets = new Sealer(options.keyRing, PROVIDER_SECRETS_PURPOSE);
    this.signingKeys = new Sealer(options.keyRing, SIGNING_KEYS_PURPOSE);
  }

  /** Row by row, each with its audit entry in one transaction. */
  run(onProgress: (progress: ReencryptionProgress) => void = () => undefined): Promise<ReencryptionReport> {
    return inLongJob(() => this.reseal(onProgress));
  }

  /** Which keys have sealed what is stored now. */
  async use(): Promise<SealingKeyUse[]> {
    const rows = await this.dataSource.getRepository(IdentityProviderEntity).find();
    const stored = rows.flatMap((row) => secretProperties.map((property) => row[property] ?? ''));
    return countSeals(this.options.keyRing.ids, {
      providerSecrets: stored.filter((text) => text !== '').map(keyIdOf),
      signingKeys: await signingKeySeals(this.dataSource),
    });
  }

  private async reseal(onProgress: (progress: ReencryptionProgress) => void): Promise<ReencryptionReport> {
    const rows = await this.dataSource.getRepository(IdentityProviderEntity).find();
    const keys = await this.dataSource.getRepository(SigningKeyEntity).find();
    const total = rows.length + keys.length;
    const report = { providerSecrets: 0, signingKeys: 0 };
    for (const [index, row] of rows.entries()) {
      report.providerSecrets += await this.resealProvider(row);
      onProgress({ done: index + 1, total });
    }
    for (const [index, key] of keys.entries()) {
      report.signingKeys += await this.resealKey(key);
      onProgress({ done: rows.length + index + 1, total });
    }
    return { ...report, left: await this.countLeft() };
  }

  private resealProvider(row: IdentityProviderEntity): Promise<number> {
    return this.audited({ provider: row.slug }, (manager) => sealSecrets(manager, this.providerSecrets, row));
  }

  private resealKey({ kid, privateJwk: private_jwk }: SigningKeyEntity): Promise<number> {
    return this.audited({ kid }, async (manager) =>
      (await reencryptSigningKey(manager, this.signingKeys, { kid, private_jwk })) ? 1 : 0,
    );
  }

  private audited(
    what: Readonly<Record<string, string>>,
    work: (manager: EntityManager) => Promise<number>,
  ): Promise<number> {
    return inTransaction(this.dataSource, async (manager) => {
      const count = await work(manager);
      const detail = { ...what, count, keyId: this.options.keyRing.ids[0] };
      if (count > 0) await recordAudit(manager, { action: 'key.resealed', detail });
      return count;
    });
  }

  private async countLeft(): Promise<number> {
    const others = (await this.use()).filter(({ isCurrent }) => !isCurrent);
    return others.reduce((sum, { providerSecrets, signingKeys }) => sum + providerSecrets + signingKeys, 0);
  }
}

function keyIdOf(stored: string): string | null {
  return isSealed(stored) ? sealedWith(stored) : null;
}
