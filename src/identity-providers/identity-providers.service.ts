import { createHash, randomUUID } from 'node:crypto';
import { Inject, Injectable, Logger } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { Clock } from '../clock.js';
import { Sealer } from '../crypto/sealer.js';
import { isUniqueViolation } from '../database/database-errors.js';
import { IAM_DATA_SOURCE, IAM_OPTIONS, type ResolvedIamOptions } from '../iam.resolved-options.js';
import { IamError } from '../iam.error.js';
import { IdentityProviderEntity } from './identity-provider.entity.js';
import { identityProviderInput, type IdentityProviderInput } from './identity-provider.input.js';
import type { IdentityProvider } from './identity-provider.js';
import { readRow } from './read-row.js';
import { rowColumns } from './row-columns.js';
import {
  needsSeal,
  openSecret,
  secretColumns,
  secretContext,
  secretProperties,
  type SecretProperty,
} from './secret-columns.js';

/** How old the rows in memory may be: with the read itself, a change acts within 5 seconds on every replica. */
const FRESH_MS = 4_000;

interface Snapshot {
  readonly readAt: number;
  /** By slug; an error where the row cannot be used. */
  readonly rows: ReadonlyMap<string, IdentityProvider | IamError>;
}

/** The identity provider rows: read by every sign-in from memory, written by administrators. */
@Injectable()
export class IdentityProviders {
  private readonly logger = new Logger(IdentityProviders.name);
  private readonly sealer: Sealer;
  private snapshot: Snapshot | undefined;
  private reading: Promise<Snapshot> | undefined;
  /** Rows that have not changed since the last read keep their object, so that what was built from one stays. */
  private readonly unchanged = new Map<
    string,
    { readonly fingerprint: string; readonly provider: IdentityProvider }
  >();

  constructor(
    @Inject(IAM_OPTIONS) options: ResolvedIamOptions,
    @Inject(IAM_DATA_SOURCE) private readonly dataSource: DataSource,
    private readonly clock: Clock,
  ) {
    this.sealer = new Sealer(options.keyRing, 'identity-providers');
  }

  /** Every enabled row that can be used, by slug order. */
  async listEnabled(): Promise<IdentityProvider[]> {
    const { rows } = await this.current();
    return [...rows.values()].filter(
      (row): row is IdentityProvider => !(row instanceof IamError) && row.enabled,
    );
  }

  /** @throws IamError `provider_not_found`, `provider_disabled` or `provider_misconfigured` */
  async getEnabled(slug: string): Promise<IdentityProvider> {
    const { rows } = await this.current();
    const row = rows.get(slug);
    if (row === undefined) throw new IamError('provider_not_found', `no identity provider "${slug}"`);
    if (row instanceof IamError) throw row;
    if (!row.enabled) throw new IamError('provider_disabled', `identity provider "${slug}" is disabled`);
    return row;
  }

  /**
   * Creates the row with this slug or changes the columns given; secrets are taken in clear and stored sealed.
   * @throws IamError `invalid_request` that names the column
   */
  async save(input: IdentityProviderInput): Promise<void> {
    const checked = identityProviderInput.safeParse(input);
    if (!checked.success)
      throw new IamError('invalid_request', describe(checked.error.issues[0]), { cause: checked.error });
    try {
      await this.write(checked.data);
    } catch (error) {
      if (!isUniqueViolation(error)) throw error;
      await this.write(checked.data);
    }
    this.snapshot = undefined;
  }

  private async write(input: IdentityProviderInput): Promise<void> {
    const rows = this.dataSource.getRepository(IdentityProviderEntity);
    const existing = await rows.findOneBy({ slug: input.slug });
    const row =
      existing ?? rows.create({ id: randomUUID(), slug: input.slug, name: input.name ?? input.slug });
    await rows.save(Object.assign(row, rowColumns(row.id, input, this.sealer)));
  }

  private current(): Promise<Snapshot> {
    const { snapshot } = this;
    const isFresh = snapshot !== undefined && Math.abs(this.clock.now() - snapshot.readAt) < FRESH_MS;
    if (isFresh) return Promise.resolve(snapshot);
    this.reading ??= this.read().finally(() => (this.reading = undefined));
    return this.reading;
  }

  private async read(): Promise<Snapshot> {
    const readAt = this.clock.now();
    const rows = await this.dataSource.getRepository(IdentityProviderEntity).find({ order: { slug: 'ASC' } });
    await Promise.all(rows.map((row) => this.sealSecrets(row)));
    this.snapshot = { readAt, rows: new Map(rows.map((row) => [row.slug, this.toProvider(row)])) };
    return this.snapshot;
  }

  private toProvider(row: IdentityProviderEntity): IdentityProvider | IamError {
    const fingerprint = JSON.stringify(row);
    const known = this.unchanged.get(row.slug);
    if (known?.fingerprint === fingerprint) return known.provider;
    try {
      const provider = readRow(row, this.sealer);
      this.unchanged.set(row.slug, { fingerprint, provider });
      return provider;
    } catch (cause) {
      const error = new IamError('provider_misconfigured', `identity provider "${row.slug}" cannot be read`, {
        cause,
      });
      this.logger.error(`${error.message}: ${cause instanceof Error ? cause.message : 'unknown reason'}`);
      return error;
    }
  }

  /** Seals what was written by hand, and seals anew what an older key sealed, so that the host can retire that key. */
  private async sealSecrets(row: IdentityProviderEntity): Promise<void> {
    for (const property of secretProperties) {
      const stored = row[property];
      if (stored !== null && needsSeal(this.sealer, row, property)) await this.seal(row, property, stored);
    }
  }

  /**
   * The condition on the old value keeps a concurrent change by an administrator or another replica. It compares digests,
   * because the host may log the parameters of statements.
   */
  private async seal(row: IdentityProviderEntity, property: SecretProperty, stored: string): Promise<void> {
    const sealed = this.sealer.seal(
      openSecret(this.sealer, row, property) ?? '',
      secretContext(row.id, property),
    );
    const column = secretColumns[property];
    await this.dataSource.query(
      `UPDATE iam.identity_providers SET ${column} = $2, updated_at = now()
       WHERE id = $1 AND sha256(convert_to(${column}, 'UTF8')) = $3`,
      [row.id, sealed, createHash('sha256').update(stored, 'utf8').digest()],
    );
    row[property] = sealed;
  }
}

function describe(issue: { readonly path: PropertyKey[]; readonly message: string } | undefined): string {
  return issue === undefined ? 'not a provider row' : `${issue.path.map(String).join('.')}: ${issue.message}`;
}
