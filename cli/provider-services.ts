import type { Provider } from '@nestjs/common';
import { AccountMigration } from '../src/account-migration/account-migration.service.js';
import { ProviderCheck } from '../src/admin/provider-check.service.js';
import { IamUrls } from '../src/http/iam-urls.service.js';
import { ProviderRows } from '../src/identity-providers/provider-rows.service.js';
import { StoredProviders } from '../src/identity-providers/stored-providers.service.js';
import { Reseal } from '../src/keys/reseal.service.js';

/** What the commands about identity providers are made of. */
export const providerServices: readonly Provider[] = [ProviderRows, StoredProviders, IamUrls, Reseal];

/** What the check is made of. */
export const checkServices: readonly Provider[] = [ProviderCheck];

/** What the migration of an Official Account is made of. */
export const migrationServices: readonly Provider[] = [AccountMigration, Reseal];
