import { randomBytes } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Environment } from './environment.js';

/** Known to everybody who can read this file: it seals nothing from anybody. */
export const DEMO_KEY = Buffer.from('nestjs-wechat-iam demo key 0001!').toString('base64');

/**
 * The key that seals secrets at rest. It must live exactly as long as the database: beside it in DATA_DIR, or with
 * the database server's other secrets in IAM_KEY.
 */
export async function findSealingKey({ key, dataDir, databaseUrl }: Environment): Promise<string> {
  if (key !== undefined) return key;
  if (dataDir !== undefined) return keyIn(dataDir);
  if (databaseUrl === undefined) return randomBytes(32).toString('base64');
  console.error(
    'Warning: IAM_KEY is not set, so secrets in this database are sealed with the published demo key. For anything but a demo: IAM_KEY=$(openssl rand -base64 32)',
  );
  return DEMO_KEY;
}

async function keyIn(dataDir: string): Promise<string> {
  const file = join(dataDir, 'iam-key');
  await mkdir(dataDir, { recursive: true });
  await writeFile(file, `${randomBytes(32).toString('base64')}\n`, { mode: 0o600, flag: 'wx' }).catch(
    (error: unknown) => {
      if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
    },
  );
  return (await readFile(file, 'utf8')).trim();
}
