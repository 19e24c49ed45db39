import { Inject, Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { Clock } from '../runtime/clock.js';
import { Sealer } from '../crypto/sealer.js';
import { IamLogger } from '../runtime/iam-logger.js';
import { IAM_DATA_SOURCE, IAM_OPTIONS, type ResolvedIamOptions } from '../config/iam.resolved-options.js';
import { IamError } from '../errors/iam.error.js';
import { FreshValue } from '../runtime/single-flight.js';
import { adoptPairs } from './confirmations.service.js';
import { IdentityProviderEntity } from './identity-provider.entity.js';
import { identityProviderInput, type IdentityProviderInput } from './provider-columns.js';
import { type IdentityProvider, readRow } from './identity-provider.js';
import { ProviderRows } from './provider-rows.service.js';
import { PROVIDER_SECRETS_PURPOSE, sealSecrets } from './provider-secrets.js';

/** How old the rows in memory may be: with the read itself, a change acts within 5 seconds on every replica. */
const FRESH_MS = 4_000;

/** By slug; an error where the row cannot be used. */
type Rows = ReadonlyMap<string, IdentityProvider | IamError>;

/** The identity provider rows: read by every sign-in from memory, written by administrators. */
@Injectable()
export class IdentityProviders {
  private readonly logger = new IamLogger(IdentityProviders.name);
  private readonly sealer: Sealer;
  private readonly current: FreshValue<Rows>;
  /** Rows that have not changed since the last read keep their object, so that what was built from one stays. */
  private readonly unchanged = new Map<
    string,
    { readonly fingerprint: string; readonly provider: IdentityProvider }
  >();

  constructor(
    @Inject(IAM_OPTIONS) options: ResolvedIamOptions,
    @Inject(IAM_DATA_SOURCE) private readonly dataSource: DataSource,
    private readonly rows: ProviderRows,
    clock: Clock,
  ) {
    this.sealer = new Sealer(options.keyRing, PROVIDER_SECRETS_PURPOSE);
    this.current = new FreshValue({
      read: () => this.read(),
      milliseconds: FRESH_MS,
      elapsed: () => clock.elapsed(),
    });
    rows.onChange(() => this.forget());
  }

  /** Every row that can be read, by slug order. */
  async list(): Promise<IdentityProvider[]> {
    const rows = await this.current.get();
    return [...rows.values()].filter((row): row is IdentityProvider => !(row instanceof IamError));
  }

  /** Every enabled row that can be used, by slug order. */
  async listEnabled(): Promise<IdentityProvider[]> {
    return (await this.list()).filter(({ enabled }) => enabled);
  }

  /** Also a disabled row, which admits no sign-in. @throws IamError `provider_not_found` or `provider_misconfigured` */
  async get(slug: string): Promise<IdentityProvider> {
    const rows = await this.current.get();
    const row = rows.get(slug);
    if (row === undefined) throw new IamError('provider_not_found', `no identity provider "${slug}"`);
    if (row instanceof IamError) throw row;
    return row;
  }

  /** @throws IamError `provider_not_found`, `provider_disabled` or `provider_misconfigured` */
  async getEnabled(slug: string): Promise<IdentityProvider> {
    const row = await this.get(slug);
    if (!row.enabled) throw new IamError('provider_disabled', `identity provider "${slug}" is disabled`);
    return row;
  }

  /**
   * Creates the row with this slug or changes the columns given; secrets are taken in clear and stored sealed. The audit
   * log gets an entry unless nothing changes.
   * @throws IamError `invalid_request` that names the column
   */
  async save(input: IdentityProviderInput): Promise<void> {
    const checked = identityProviderInput.safeParse(input);
    if (!checked.success)
      throw new IamError('invalid_request', describe(checked.error.issues[0]), { cause: checked.error });
    await this.rows.save(checked.data);
  }

  /** Makes the next question read the rows again: a change by this process acts at once. */
  forget(): void {
    this.current.forget();
  }

  private async read(): Promise<Rows> {
    const rows = await this.dataSource.getRepository(IdentityProviderEntity).find({ order: { slug: 'ASC' } });
    await Promise.all(rows.map((row) => sealSecrets(this.dataSource, this.sealer, row)));
    const providers = new Map(rows.map((row) => [row.slug, this.toProvider(row)]));
    for (const provider of providers.values())
      if (!(provider instanceof IamError) && (await adoptPairs(this.dataSource, provider)))
        return this.read();
    return providers;
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
}

function describe(issue: { readonly path: PropertyKey[]; readonly message: string } | undefined): string {
  return issue === undefined ? 'not a provider row' : `${issue.path.map(String).join('.')}: ${issue.message}`;
}
