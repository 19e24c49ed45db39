import { randomBytes } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { totalmem } from 'node:os';
import { join } from 'node:path';
import { DataSource } from 'typeorm';
import type { Person } from '../../emulator/index.js';
import { LocalPostgres } from '../../example/postgres/local-postgres.js';
import { iamMigrations } from '../../src/index.js';
import { fillingsFor, partitionPast } from '../admin-lists/many-rows.js';
import { withClient } from '../database-server.js';
import type { Stage } from '../group.js';
import { openFolder } from '../resources.js';
import { openWechat, type WechatSide } from '../world.js';
import { bulkLoad } from './bulk-load.js';

/** A database of so many users. */
export interface FilledDatabase {
  readonly name: string;
  readonly users: number;
  readonly rowEveryMs: number;
}

/** What a later run has to know of the files. */
interface Manifest {
  readonly seed: string;
  readonly key: string;
  readonly databases: readonly FilledDatabase[];
}

/** A running server with filled databases. */
export interface FilledServer extends Manifest {
  readonly url: (name: string) => string;
  readonly settings: string;
}

/** So many of the users are people of the emulator, spread over the whole table. */
const KNOWN_PEOPLE = 2_000;

/** WeChat with the known people. */
export interface KnownWechat extends WechatSide {
  readonly people: readonly Person[];
}

/** With the same seed everybody has the same openids again. */
export async function openKnownWechat(stage: Stage, seed: string): Promise<KnownWechat> {
  const side = await openWechat(stage, seed);
  const people = Array.from({ length: KNOWN_PEOPLE }, (_, index) =>
    side.wechat.person({ nickname: '小兰', id: `known-${index}` }),
  );
  return { ...side, people };
}

/** Between two rows: a year's worth of them at most, since retention removes older ones and no id is of the future. */
const rowEveryMs = (users: number): number => Math.min(30_000, Math.floor((350 * 86_400_000) / users));

/** Nothing here survives a crash, and nothing has to. */
const whileLoading = ['wal_level=minimal', 'max_wal_senders=0', 'max_wal_size=16GB', 'shared_buffers=1GB'];

/** A quarter of the memory for shared buffers, as PostgreSQL's manual begins with; the rest is its default. */
const inUse = [`shared_buffers=${Math.floor(totalmem() / 4 / 2 ** 20)}MB`, 'max_wal_size=4GB'];

/** Starts a server with a database of each size; makes them first unless `dataDir` has them from an earlier run. */
export async function openFilledServer(stage: Stage, sizes: readonly number[]): Promise<FilledServer> {
  const { resources, profile, say } = stage;
  const dataDir = profile.dataDir ?? (await openFolder(resources, 'scale'));
  const manifestFile = join(dataDir, 'databases.json');
  const databases = sizes.map((users) => ({
    name: `of_${users}`,
    users,
    rowEveryMs: rowEveryMs(users),
  }));
  let manifest = await readManifest(manifestFile);
  if (JSON.stringify(manifest?.databases) !== JSON.stringify(databases)) {
    if (manifest !== null) throw new Error(`${dataDir} has databases of other sizes`);
    manifest = { seed: 'ten million', key: randomBytes(32).toString('base64'), databases };
    await makeDatabases(stage, dataDir, manifest);
    await writeFile(manifestFile, JSON.stringify(manifest));
  }
  if (manifest === null) throw new Error('no databases');
  say(`scale: PostgreSQL with ${inUse.join(', ')}`);
  const server = await resources.open(
    () => LocalPostgres.start({ dataDir, isDurable: true, settings: inUse }),
    (started) => started.stop(),
  );
  return { ...manifest, url: (name) => server.url(name), settings: inUse.join(', ') };
}

async function readManifest(file: string): Promise<Manifest | null> {
  const text = await readFile(file, 'utf8').catch(() => null);
  const manifest: unknown = text === null ? null : JSON.parse(text);
  return isManifest(manifest) ? manifest : null;
}

function isManifest(value: unknown): value is Manifest {
  return (
    typeof value === 'object' && value !== null && 'seed' in value && 'key' in value && 'databases' in value
  );
}

async function makeDatabases(stage: Stage, dataDir: string, { seed, databases }: Manifest): Promise<void> {
  const resources = await stage.resources.branch();
  const side = await openKnownWechat({ ...stage, resources }, seed);
  const server = await resources.open(
    () => LocalPostgres.start({ dataDir, isDurable: false, settings: whileLoading }),
    (started) => started.stop(),
  );
  for (const database of databases) {
    stage.say(`scale: rows of ${database.users.toLocaleString('en')} users`);
    await withClient(server.url(), async (client) => {
      await client.query(`DROP DATABASE IF EXISTS ${client.escapeIdentifier(database.name)}`);
      await client.query(`CREATE DATABASE ${client.escapeIdentifier(database.name)}`);
    });
    await makeRows(server.url(database.name), database, side, stage.say);
  }
  await resources.close();
}

async function makeRows(
  url: string,
  { users, rowEveryMs: every }: FilledDatabase,
  side: KnownWechat,
  say: (text: string) => void,
): Promise<void> {
  const dataSource = new DataSource({ type: 'postgres', url, migrations: [...iamMigrations] });
  await dataSource.initialize();
  await dataSource.runMigrations();
  await dataSource.query(partitionPast);
  await dataSource.query('CREATE TABLE known_people (g integer PRIMARY KEY, openid text, unionid text)');
  await dataSource.query(
    'INSERT INTO known_people SELECT * FROM unnest($1::integer[], $2::text[], $3::text[])',
    [
      side.people.map((_person, index) => rowOfPerson(index, users)),
      side.people.map((person) => person.openid(side.site)),
      side.people.map((person) => person.unionid(side.account)),
    ],
  );
  await dataSource.destroy();
  const fillings = fillingsFor({
    users,
    rowEveryMs: every,
    auditPerUser: 3,
    recent: Math.ceil(users / 10),
    appids: { open: side.site.appid, mp: side.oa.appid },
    names: 'known_people',
    withUnions: true,
  });
  await bulkLoad(url, fillings, say);
}

/** Spread evenly, and never one who is shut out. */
const rowOfPerson = (index: number, users: number): number => 1 + index * Math.floor(users / KNOWN_PEOPLE);
