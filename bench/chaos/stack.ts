import { randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type pg from 'pg';
import { LocalPostgres } from '../../example/postgres/local-postgres.js';
import {
  findPgBouncer,
  startPgBouncer,
  type PgBouncer,
  type PgBouncerProgram,
} from '../../example/postgres/pg-bouncer.js';
import { withClient } from '../database-server.js';
import { quickProfile } from '../profile.js';
import { openFolder, type Resources } from '../resources.js';
import { Replica } from '../host/replica.js';
import { addProvider, openWechat, openWorldOn, type World } from '../world.js';

const REPLICAS = 4;
/** The provider row of sign-ins by redirect; the other one has the Official Account. */
export const SITE = 'site';

/** Replicas behind a proxy, before one PostgreSQL, perhaps by way of PgBouncer. */
export interface Stack {
  /** Its replica is the proxy. */
  readonly world: World;
  readonly replicas: readonly Replica[];
  readonly database: CrashingDatabase;
  readonly pgBouncer: (PgBouncer & PgBouncerProgram) | null;
  /** Starts a replica in the place of one that was killed. */
  replace(index: number): Promise<void>;
}

/** How the replicas of a run are started. */
export interface StackOptions {
  /** Without PgBouncer, also where it is installed. */
  readonly direct: boolean;
  /** The replicas log their errors to stderr. */
  readonly logs: boolean;
}

/** Starts everything. */
export async function openStack(
  resources: Resources,
  { direct, logs }: StackOptions,
  say: (text: string) => void,
): Promise<Stack> {
  const database = await CrashingDatabase.open(resources);
  const pgBouncer = direct ? null : await openPgBouncer(resources, database.url);
  if (pgBouncer === null && !direct) say('PgBouncer is not installed: left out');
  const createDatabase = () => Promise.resolve(database.url);
  const stage = { profile: quickProfile, resources, createDatabase, say };
  const wechatSide = await openWechat(stage);
  const first = await openWorldOn(stage, wechatSide, {
    databaseUrl: pgBouncer?.url ?? database.url,
    key: randomBytes(32).toString('base64'),
    provider: { qr_enabled: true, qr_confirmation: 'none', union_scope: SITE },
    isSilent: !logs,
    preparedStatements: pgBouncer?.isPreparing ?? true,
  });
  const { appid, secret } = wechatSide.account.websiteApp({ callbackDomain: 'localhost' });
  await addProvider(first, {
    ...{ slug: SITE, name: SITE, union_scope: SITE },
    ...{ open_app_id: appid, open_app_secret: secret },
  });
  const replicas = [first.replica];
  while (replicas.length < REPLICAS) replicas.push(await first.startAnother());
  const program = { entry: new URL('proxy-main.js', import.meta.url) };
  const targets = () => ({ targets: replicas.map(({ url }) => url) });
  const proxy = await Replica.start(resources, targets(), program);
  first.oa.configureServer({ url: `${proxy.url}/iam/webhook/wechat` });
  const replace = async (index: number) => {
    replicas[index] = await first.startAnother();
    proxy.tell(targets());
  };
  return { world: { ...first, replica: proxy }, replicas, database, pgBouncer, replace };
}

async function openPgBouncer(resources: Resources, databaseUrl: string) {
  const program = findPgBouncer();
  if (program === null) return null;
  const started = await resources.open(
    () => startPgBouncer(databaseUrl, { poolSize: 20, maxPreparedStatements: 200 }),
    (pgBouncer) => pgBouncer.stop(),
  );
  return { ...started, ...program };
}

/** A PostgreSQL that waits for its disk at every commit, and can be killed. */
export class CrashingDatabase {
  private constructor(
    private readonly dataDir: string,
    private server: LocalPostgres,
  ) {}

  static async open(resources: Resources): Promise<CrashingDatabase> {
    const dataDir = await openFolder(resources, 'chaos');
    return resources.open(
      async () => new CrashingDatabase(dataDir, await LocalPostgres.start({ dataDir })),
      (database) => database.server.stop(),
    );
  }

  get url(): string {
    return this.server.url();
  }

  get pid(): number | undefined {
    return this.server.pid;
  }

  /** Kills the server and starts it on the same files and port; resolves when it accepts connections. */
  async crash(): Promise<void> {
    const { dataDir } = this;
    const port = Number(new URL(this.url).port);
    await this.server.crash();
    for (let attempt = 1; ; attempt += 1) {
      try {
        this.server = await LocalPostgres.start({ dataDir, port });
        return;
      } catch (error) {
        if (attempt === 5) throw error;
        await delay(500);
      }
    }
  }

  /** Rows of a query, past PgBouncer. */
  async rows<T extends pg.QueryResultRow>(text: string): Promise<T[]> {
    return (await withClient(this.url, (client) => client.query<T>(text))).rows;
  }
}
