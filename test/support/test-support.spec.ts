import { Socket, connect } from 'node:net';
import pg from 'pg';
import { DataSource } from 'typeorm';
import { createDatabase } from './database.js';
import { countQueries } from './query-counter.js';

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
