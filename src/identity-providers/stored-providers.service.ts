import { Inject, Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { z } from 'zod';
import { Sealer } from '../crypto/sealer.js';
import { versionSql } from '../database/sql-fragments.js';
import { IAM_DATA_SOURCE, IAM_OPTIONS, type ResolvedIamOptions } from '../config/iam.resolved-options.js';
import { IdentityProviderEntity } from './identity-provider.entity.js';
import { type IdentityProvider, readRow } from './identity-provider.js';
import { secretColumnNames } from './provider-columns.js';
import { openSecret, PROVIDER_SECRETS_PURPOSE } from './provider-secrets.js';

/** A row as it is stored, secrets sealed, with its version (see `versionSql`). */
export interface StoredProvider {
  readonly row: IdentityProviderEntity;
  readonly version: string;
}

/** A stored row and what the code makes of it. */
export interface OpenedProvider {
  readonly row: IdentityProviderEntity;
  /** Null when it cannot be used. */
  readonly provider: IdentityProvider | null;
  /** The secret columns that do not open. */
  readonly unreadable: readonly string[];
}

/** Which rows are listed, by slug: those after a slug, with a name or slug that begins with `prefix`. */
export interface ProviderFilter {
  readonly after: string | null;
  readonly limit: number;
  readonly enabled?: boolean | undefined;
  readonly prefix?: string | undefined;
}

const versions = z.array(z.object({ version: z.string() }));

/** Identity provider rows as an administrator looks at them: from the database, also those that cannot be used. */
@Injectable()
export class StoredProviders {
  private readonly sealer: Sealer;

  constructor(
    @Inject(IAM_OPTIONS) options: ResolvedIamOptions,
    @Inject(IAM_DATA_SOURCE) private readonly dataSource: DataSource,
  ) {
    this.sealer = new Sealer(options.keyRing, PROVIDER_SECRETS_PURPOSE);
  }

  async list({ after, limit, enabled, prefix }: ProviderFilter): Promise<StoredProvider[]> {
    const query = this.dataSource.manager
      .createQueryBuilder(IdentityProviderEntity, 'p')
      .addSelect(versionSql('p', 'confirmations').text, 'version')
      .orderBy('p.slug')
      .limit(limit);
    if (after !== null) query.andWhere('p.slug > :after', { after });
    if (enabled !== undefined) query.andWhere('p.enabled = :enabled', { enabled });
    if (prefix !== undefined)
      query.andWhere('(starts_with(lower(p.slug), :prefix) OR starts_with(lower(p.name), :prefix))', {
        prefix: prefix.toLowerCase(),
      });
    const { entities, raw } = await query.getRawAndEntities();
    const read = versions.parse(raw);
    return entities.map((row, index) => ({ row, version: read[index]?.version ?? '' }));
  }

  /** Every row but this one. */
  async others({ id }: IdentityProviderEntity): Promise<IdentityProviderEntity[]> {
    const rows = await this.dataSource.getRepository(IdentityProviderEntity).find({ order: { slug: 'ASC' } });
    return rows.filter((row) => row.id !== id);
  }

  /** Opens a row's secrets as a sign-in would. */
  open(row: IdentityProviderEntity): OpenedProvider {
    const unreadable = secretColumnNames.filter((name) => {
      try {
        openSecret(this.sealer, row, name);
        return false;
      } catch {
        return true;
      }
    });
    const provider = unreadable.length === 0 ? readRow(row, this.sealer) : null;
    return { row, provider, unreadable };
  }
}
