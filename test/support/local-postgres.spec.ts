import { access, mkdtemp, rm } from 'node:fs/promises';
import { connect, Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import pg from 'pg';
import { DataSource } from 'typeorm';
import { LocalPostgres } from '../../example/postgres/local-postgres.js';
import { createDatabase } from './database.js';
import { countQueries } from './query-counter.js';

const ask = async (server: LocalPostgres, sql: string): Promise<unknown> => {
  const client = new pg.Client({ connectionString: server.url() });
  await client.connect();
  const { rows } = await client.query<{ answer: unknown }>(sql);
  await client.end();
  return rows[0]?.answer;
};

const dataFolder = async (server: LocalPostgres): Promise<string> =>
  String(await ask(server, "SELECT current_setting('data_directory') AS answer"));

describe('a local PostgreSQL', () => {
  it('answers queries in UTF-8 and leaves no folder behind', async () => {
    const server = await LocalPostgres.start();
    const folder = await dataFolder(server);
    const answer = await ask(server, "SELECT upper('ä') || current_setting('server_encoding') AS answer");
    await server.stop();

    expect(answer).toBe('ÄUTF8');
    expect(folder.startsWith(tmpdir())).toBe(true);
    await expect(access(dirname(folder))).rejects.toMatchObject({ code: 'ENOENT' });
  });

  it('listens on 127.0.0.1 only, with a password and without a socket file', async () => {
    const server = await LocalPostgres.start();

    const addresses = await ask(server, "SELECT current_setting('listen_addresses') AS answer");
    const sockets = await ask(server, "SELECT current_setting('unix_socket_directories') AS answer");
    const wrong = new pg.Client({ connectionString: server.url().replace(/:[^:@]+@/, ':wrong@') });
    await expect(wrong.connect()).rejects.toMatchObject({ code: '28P01' });
    await server.stop();

    expect(addresses).toBe('127.0.0.1');
    expect(sockets).toBe('');
  });

  it('keeps the rows of a given folder and opens it again while the previous server is still going down', async () => {
    const dataDir = join(await mkdtemp(join(tmpdir(), 'kept-')), 'data');
    const first = await LocalPostgres.start({ dataDir });
    await ask(first, 'CREATE TABLE kept AS SELECT 42 AS answer');
    const down = first.stop();

    const second = await LocalPostgres.start({ dataDir });
    const answer = await ask(second, 'SELECT answer FROM kept');
    const fsync = await ask(second, "SELECT current_setting('fsync') AS answer");
    await Promise.all([down, second.stop()]);

    expect(answer).toBe(42);
    expect(fsync).toBe('on');
    await expect(access(dataDir)).resolves.toBeUndefined();
    await rm(join(dataDir, '..'), { recursive: true });
  });

  it('names the folder when it cannot be used', async () => {
    const file = join(import.meta.dirname, 'local-postgres.spec.ts');

    await expect(LocalPostgres.start({ dataDir: join(file, 'data') })).rejects.toThrow(file);
  });
});

describe('test databases', () => {
  it('copies a template that is prepared once, however many ask for it', async () => {
    let prepared = 0;
    const template = {
      key: `test-support ${Date.now()}`,
      prepare: async (url: string) => {
        prepared += 1;
        const client = new pg.Client({ connectionString: url });
        await client.connect();
        await client.query('CREATE TABLE t AS SELECT 7 AS n');
        await client.end();
      },
    };

    const databases = await Promise.all([
      createDatabase(template),
      createDatabase(template),
      createDatabase(template),
    ]);
    const client = new pg.Client({ connectionString: databases[2].url });
    await client.connect();
    const { rows } = await client.query('SELECT n FROM t');
    await client.end();
    await Promise.all(databases.map((database) => database.drop()));

    expect(rows).toEqual([{ n: 7 }]);
    expect(prepared).toBe(1);
    expect(new Set(databases.map(({ url }) => url)).size).toBe(3);
  });
});

describe('the query counter', () => {
  it('sees every statement of a TypeORM transaction', async () => {
    const database = await createDatabase();
    const dataSource = await new DataSource({ type: 'postgres', url: database.url }).initialize();
    const queries = countQueries(database.url);
    const mark = queries.mark();

    await dataSource.transaction((manager) => manager.query('SELECT $1::int', [1]));

    expect(queries.since(mark)).toEqual(['START TRANSACTION', 'SELECT $1::int', 'COMMIT']);
    queries.stop();
    await dataSource.destroy();
    await database.drop();
  });
});

describe('the network block', () => {
  it('refuses a connection to another machine and remembers it against the test', () => {
    expect(() => connect({ host: '127.0.0.1.example.com', port: 80 })).toThrow('this machine only');

    const attempts: unknown = Reflect.get(Socket.prototype, Symbol.for('nestjs-wechat-iam.blocked-attempts'));
    expect(Array.isArray(attempts) ? attempts.splice(0) : attempts).toEqual(['127.0.0.1.example.com']);
  });
});
