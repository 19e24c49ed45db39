import pg from 'pg';
import { isDatabaseUnavailable } from '../../src/database/database-errors.js';
import { createDatabase, type TestDatabase } from '../support/database.js';

describe('an outage of PostgreSQL is recognised', () => {
  let database: TestDatabase;

  beforeAll(async () => {
    database = await createDatabase();
  });
  afterAll(() => database.drop());

  const connected = async () => {
    const client = new pg.Client({ connectionString: database.url });
    client.on('error', () => undefined);
    await client.connect();
    return client;
  };
  const failureOf = (work: Promise<unknown>): Promise<unknown> => work.then(fail, (error: unknown) => error);
  const fail = () => {
    throw new Error('expected a failure');
  };

  it('while a statement runs', async () => {
    const [victim, killer] = [await connected(), await connected()];

    const failure = failureOf(victim.query('SELECT pg_terminate_backend(pg_backend_pid()), pg_sleep(5)'));

    expect(isDatabaseUnavailable(await failure)).toBe(true);
    await killer.end();
  });

  it('between two statements of a connection, as in a transaction', async () => {
    const [victim, killer] = [await connected(), await connected()];
    const { rows } = await victim.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
    const ended = new Promise<void>((resolve) => victim.once('end', () => resolve()));
    await killer.query('SELECT pg_terminate_backend($1)', [rows[0]?.pid]);
    await ended;

    expect(isDatabaseUnavailable(await failureOf(victim.query('SELECT 1')))).toBe(true);
    await killer.end();
  });

  it.each([
    ['statement_timeout', 'SELECT pg_sleep(0.5)', {}],
    ['lock_timeout', 'SELECT FROM public.held', {}],
    ['the host’s query_timeout', 'SELECT pg_sleep(0.5)', { query_timeout: 50 }],
  ])('when a statement takes longer than %s allows', async (which, sql, settings) => {
    const holder = await connected();
    await holder.query('CREATE TABLE IF NOT EXISTS public.held ()');
    await holder.query('BEGIN; LOCK TABLE public.held');
    const client = new pg.Client({ connectionString: database.url, ...settings });
    client.on('error', () => undefined);
    await client.connect();
    if (!('query_timeout' in settings)) await client.query(`SET ${which} = 50`);

    const failure = await failureOf(client.query(sql));
    await holder.end();
    await client.end();

    expect(isDatabaseUnavailable(failure)).toBe(true);
  });

  it.each(['EAI_AGAIN', 'ENETUNREACH', '57P05', '25P03'])('by the code %s', (code) => {
    expect(isDatabaseUnavailable(Object.assign(new Error('x'), { code }))).toBe(true);
  });

  it('and a wrong statement is not taken for one', async () => {
    const client = await connected();

    expect(isDatabaseUnavailable(await failureOf(client.query('SELECT nothing FROM nowhere')))).toBe(false);
    await client.end();
  });
});
