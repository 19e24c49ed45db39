import pg from 'pg';
import { LocalPostgres } from '../postgres/local-postgres.js';
import type { Environment } from '../run/environment.js';
import { StartUpError } from '../run/start-up.error.js';

/** The database of this run. */
export interface OpenedDatabase {
  readonly url: string;
  close(): Promise<void>;
}

/** Takes the server that DATABASE_URL names, or starts one. */
export async function openDatabase({ databaseUrl, dataDir }: Environment): Promise<OpenedDatabase> {
  if (databaseUrl !== undefined) {
    await checkReachable(databaseUrl);
    return { url: databaseUrl, close: () => Promise.resolve() };
  }
  try {
    const server = await LocalPostgres.start({ dataDir });
    return { url: server.url(), close: () => server.stop() };
  } catch (cause) {
    throw new StartUpError(cause instanceof Error ? cause.message : String(cause), { cause });
  }
}

async function checkReachable(url: string): Promise<void> {
  if (!/^postgres(ql)?:\/\//.test(url) || !URL.canParse(url)) {
    throw new StartUpError(
      'DATABASE_URL is not a URL such as postgresql://user:password@host:5432/database.',
    );
  }
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 5_000 });
  client.on('error', () => undefined);
  try {
    await client.connect();
  } catch (cause) {
    throw new StartUpError(`DATABASE_URL ${withoutPassword(url)} cannot be used: ${reasonOf(cause)}.`, {
      cause,
    });
  } finally {
    await client.end().catch(() => undefined);
  }
}

function withoutPassword(text: string): string {
  const url = new URL(text);
  return `${url.protocol}//${url.username === '' ? '' : `${url.username}@`}${url.host}${url.pathname}`;
}

/** Several addresses of one name fail together, with an empty message of their own. */
function reasonOf(cause: unknown): string {
  if (cause instanceof AggregateError) return cause.errors.map(reasonOf).join(', ');
  return cause instanceof Error ? cause.message.replace(/\s+/g, ' ') : String(cause);
}
