import { access, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import pg from 'pg';
import { LocalPostgres } from '../../example/postgres/local-postgres.js';

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
