import { Inject, Injectable } from '@nestjs/common';
import { DataSource, type EntityManager, type SelectQueryBuilder } from 'typeorm';
import { z } from 'zod';
import { Sealer } from '../crypto/sealer.js';
import { versionSql } from '../database/sql-fragments.js';
import { IAM_DATA_SOURCE, IAM_OPTIONS, type ResolvedIamOptions } from '../config/iam.resolved-options.js';
import { IamError } from '../errors/iam.error.js';
import { IdentityProviderEntity } from './identity-provider.entity.js';
import { type IdentityProvider, readRow } from './identity-provider.js';
import { identityProviderInput, secretColumnNames } from './provider-columns.js';
import { openSecret, PROVIDER_SECRETS_PURPOSE } from './provider-secrets.js';

/** A row as it is stored, secrets sealed, with its version (see `versionSql`). */
export interface StoredProvider {
  readonly row: IdentityProviderEntity;
  readonly version: string;
}

/** A stored row with its secrets opened. */
export interface OpenedProvider {
  readonly row: IdentityProviderEntity;
  /** Null when it cannot be used. */
  readonly provider: IdentityProvider | null;
  /** The secret columns that do not open. */
  readonly unreadable: readonly string[];
}

/** Which rows are listed, by slug: those after a slug, with a name or slug that begins with `prefix`. */
export interface ProviderFilter {
  readonly after?: string | undefined;
  readonly limit: number;
  readonly enabled?: boolean | undefined;
  readonly prefix?: string | undefined;
}

const slugs = identityProviderInput.shape.slug;
const versions = z.array(z.object({ version: z.string() }));

/** Reads one row. @throws IamError `provider_not_found` */
export async function getStored(
  manager: EntityManager,
  slug: string,
  lock?: 'pessimistic_write',
): Promise<StoredProvider> {
  const query = storedQuery(manager).where({ slug });
  if (lock !== undefined) query.setLock(lock);
  const [stored] = slugs.safeParse(slug).success ? await readStored(query) : [];
  if (stored === undefined) throw new IamError('provider_not_found', `no identity provider "${slug}"`);
  return stored;
}

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
    const query = storedQuery(this.dataSource.manager).orderBy('p.slug').limit(limit);
    if (after !== undefined) query.andWhere('p.slug > :after', { after });
    if (enabled !== undefined) query.andWhere('p.enabled = :enabled', { enabled });
    if (prefix !== undefined)
      query.andWhere('(starts_with(lower(p.slug), :prefix) OR starts_with(lower(p.name), :prefix))', {
        prefix: prefix.toLowerCase(),
      });
    return readStored(query);
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

function storedQuery(manager: EntityManager): SelectQueryBuilder<IdentityProviderEntity> {
  const version = versionSql('p', 'confirmations').text;
  return manager.createQueryBuilder(IdentityProviderEntity, 'p').addSelect(version, 'version');
}

async function readStored(query: SelectQueryBuilder<IdentityProviderEntity>): Promise<StoredProvider[]> {
  const { entities, raw } = await query.getRawAndEntities();
  const read = versions.parse(raw);
  return entities.map((row, index) => ({ row, version: read[index]?.version ?? '' }));
}
