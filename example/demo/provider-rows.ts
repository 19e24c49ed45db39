import { readFile } from 'node:fs/promises';
import { IamError, type IdentityProviderInput, type IdentityProviders } from 'nestjs-wechat-iam';
import { StartUpError } from '../run/start-up.error.js';
import { demoProviders } from './demo-providers.js';

const isRow = (value: unknown): value is IdentityProviderInput =>
  typeof value === 'object' && value !== null && 'slug' in value && typeof value.slug === 'string';

/** The rows of the IAM_PROVIDERS file, or the demo's. Their columns are checked when they are saved. */
export async function readProviderRows(file: string | undefined): Promise<readonly IdentityProviderInput[]> {
  if (file === undefined) return demoProviders;
  const rows = await readJson(file);
  if (Array.isArray(rows) && rows.every(isRow)) return rows;
  throw new StartUpError(`IAM_PROVIDERS ${file} is not a JSON array of objects that each have a "slug".`);
}

async function readJson(file: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(file, 'utf8'));
  } catch (cause) {
    throw new StartUpError(`IAM_PROVIDERS ${file} cannot be read: ${reasonOf(cause)}.`, { cause });
  }
}

/** A parser's message quotes the text, which holds secrets; only the place may be told. */
function reasonOf(cause: unknown): string {
  if (cause instanceof SyntaxError) {
    return ['it is not valid JSON', ...(/at position \d+/.exec(cause.message) ?? [])].join(' ');
  }
  return cause instanceof Error ? cause.message : String(cause);
}

/** Writes the rows of a file as they are; the demo's row only once, so that an administrator's changes to it stay. */
export async function saveProviderRows(
  providers: IdentityProviders,
  rows: readonly IdentityProviderInput[],
): Promise<void> {
  for (const row of rows) {
    if (demoProviders.includes(row) && (await exists(providers, row.slug))) continue;
    try {
      await providers.save(row);
    } catch (cause) {
      if (!(cause instanceof IamError)) throw cause;
      throw new StartUpError(`IAM_PROVIDERS, row "${row.slug}": ${cause.detail}.`, { cause });
    }
  }
}

async function exists(providers: IdentityProviders, slug: string): Promise<boolean> {
  try {
    await providers.getEnabled(slug);
    return true;
  } catch (error) {
    if (error instanceof IamError) return error.code !== 'provider_not_found';
    throw error;
  }
}
