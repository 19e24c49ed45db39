import { randomUUID } from 'node:crypto';
import { DataSource } from 'typeorm';
import { iamMigrations } from '../../src/index.js';
import { createDatabase, type TestDatabase } from '../support/database.js';
import { rowsOf, valueOf } from '../support/rows.js';

const partitioning = iamMigrations.findIndex(({ name }) => name.startsWith('PartitionByTime'));

describe('a database of the version before', () => {
  let database: TestDatabase;
  let source: DataSource;
  const [cleaner, reader] = ['cleaner', 'reader'].map((name) => `${name}_${randomUUID().slice(0, 8)}`);

  beforeEach(async () => {
    database = await createDatabase();
    source = await new DataSource({
      type: 'postgres',
      url: database.url,
      migrations: iamMigrations.slice(0, 1 + partitioning),
    }).initialize();
    await source.runMigrations();
    await source.undoLastMigration();
    await source.query(`CREATE ROLE ${cleaner}; CREATE ROLE ${reader};
      GRANT USAGE ON SCHEMA iam TO ${cleaner}, ${reader}; GRANT SELECT ON iam.audit_log, iam.webhook_events TO ${reader};
      GRANT SELECT, INSERT, UPDATE, DELETE ON iam.audit_log, iam.webhook_events TO ${cleaner}`);
  });
  afterEach(async () => {
    await source.query(`DROP OWNED BY ${cleaner}, ${reader}; DROP ROLE ${cleaner}; DROP ROLE ${reader}`);
    await source.destroy();
    await database.drop();
  });

  const entries = () => rowsOf(source, 'SELECT * FROM iam.audit_log ORDER BY id');
  const events = () =>
    rowsOf(
      source,
      `SELECT id, replay_key, split_part(dedupe_key, ':', 2) AS hash FROM iam.webhook_events ORDER BY event`,
    );
  const rights = async () =>
    rowsOf(
      source,
      `SELECT role, parent, has_table_privilege(role, 'iam.' || parent, 'SELECT') AS reads, has_table_privilege(role, 'iam.' || parent, 'DELETE') AS deletes
       FROM unnest($1::text[]) role, unnest(ARRAY['audit_log', 'webhook_events']) parent ORDER BY 2, 1`,
      [[cleaner, reader]],
    );
  /** The files of a table and its indexes, which change when it is written anew. */
  const filesOf = async (table: string) =>
    rowsOf(
      source,
      `SELECT pg_relation_filenode(oid) AS file FROM pg_class WHERE oid = $1::regclass
       UNION SELECT pg_relation_filenode(indexrelid) FROM pg_index WHERE indrelid = $1::regclass ORDER BY 1`,
      [table],
    );
  const ofVersionBefore = (key: string, replayKey: string | null = null) =>
    source.query(
      `INSERT INTO iam.webhook_events (id, provider, dedupe_key, event, event_at, message, status, replay_key, received_at)
       SELECT gen_random_uuid(), 'wechat', $1, $1, to_timestamp(1700000000), '{"CreateTime": 1700000000}', 'done', $2, now()
       ON CONFLICT (dedupe_key) DO NOTHING`,
      [key, replayKey],
    );

  it('keeps every row, in the files in which it is, and every grant; and so does the way back', async () => {
    await source.query(`INSERT INTO iam.audit_log (id, action) VALUES
      ('0198c0de-0000-7000-8000-000000000001', 'old'), ('f0000000-0000-4000-8000-000000000001', 'of another version')`);
    await ofVersionBefore('a');
    await ofVersionBefore('b', 'signature');
    const before = {
      entries: await entries(),
      files: await filesOf('iam.audit_log'),
      rights: await rights(),
    };

    await source.runMigrations();
    const after = {
      entries: await entries(),
      files: await filesOf('iam.audit_log_undated'),
      rights: await rights(),
    };
    const moved = await events();
    const mayRoll = await rowsOf(
      source,
      `SELECT has_function_privilege(role, 'iam.roll_partitions(timestamptz, integer)', 'EXECUTE') AS may FROM unnest($1::text[]) role`,
      [[cleaner, reader]],
    );
    await source.undoLastMigration();

    expect(after).toEqual(before);
    expect(moved).toMatchObject([
      { hash: 'a', replay_key: null },
      { hash: '', replay_key: 'signature' },
    ]);
    expect(mayRoll).toEqual([{ may: true }, { may: false }]);
    expect({ entries: await entries(), rights: await rights() }).toEqual({
      entries: before.entries,
      rights: before.rights,
    });
    expect((await events()).map(({ id }) => id)).toEqual(moved.map(({ id }) => id));
  });

  it('goes on with its own statements after the migration', async () => {
    await source.runMigrations();
    for (const key of ['again', 'again', 'other']) await ofVersionBefore(key);
    await ofVersionBefore('plain', 'once');
    const forged = ofVersionBefore('plain, forged', 'once');

    await expect(forged).rejects.toThrow('replay_key');
    const removed = await rowsOf(
      source,
      `WITH gone AS (DELETE FROM iam.webhook_events WHERE id IN
         (SELECT id FROM iam.webhook_events WHERE status = 'done' ORDER BY received_at LIMIT 500 FOR UPDATE SKIP LOCKED) RETURNING 1)
       SELECT count(*)::int FROM gone`,
    );
    expect(removed).toEqual([{ count: 3 }]);
  });

  it('is not read under the lock where its operator has had the bound validated before', async () => {
    const bound = '01b00000-0000-0000-0000-000000000000';
    await source.query(`ALTER TABLE iam.audit_log ADD CONSTRAINT audit_log_undated CHECK (id < '${bound}') NOT VALID;
      ALTER TABLE iam.audit_log VALIDATE CONSTRAINT audit_log_undated`);

    await source.runMigrations();

    const [undated] = await rowsOf(
      source,
      `SELECT upper FROM iam.partitions_of('audit_log') WHERE name = 'audit_log_undated'`,
    );
    expect(undated).toEqual({ upper: bound });
    expect(
      await valueOf(source, `SELECT count(*)::int FROM pg_constraint WHERE conname = 'audit_log_undated'`),
    ).toBe(0);
  });
});
