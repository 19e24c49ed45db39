import { readFile } from 'node:fs/promises';
import type { IdentityProviderInput } from 'nestjs-wechat-iam';
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
