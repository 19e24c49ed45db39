import { toIamError } from '../../src/http/to-iam-error.js';
import { startWorld, type World } from '../support/iam-app.js';

describe('what PostgreSQL says of a statement', () => {
  let world: World;

  beforeAll(async () => {
    world = await startWorld();
  });
  afterAll(() => world.close());

  const codeOf = async (sql: string, parameters: unknown[] = []) =>
    world.dataSource.query(sql, parameters).then(
      () => 'done',
      (error: unknown) => toIamError(error).code,
    );

  it.each<[string, string, unknown[]?]>([
    ['a text with NUL', 'SELECT $1::text', ['a\0b']],
    ['JSON with NUL', `SELECT '"\\u0000"'::jsonb`],
    ['bytes of another length', 'SELECT $1::uuid', [Buffer.alloc(17)]],
    ['half a character', `SELECT '"\\ud800"'::jsonb`],
    [
      'a text that is too long',
      `CREATE TEMP TABLE narrow AS SELECT 'x'::varchar(1) AS c; INSERT INTO narrow VALUES ('xx')`,
    ],
    ['a number out of range', 'SELECT 99999999999::int4'],
    ['no UUID', `SELECT 'nobody'::uuid`],
    ['no date', `SELECT 'yesterdays'::timestamptz`],
    ['a date out of range', `SELECT '2026-13-45'::timestamptz`],
    [
      'more than an index takes',
      `INSERT INTO iam.users (id, external_id)
       SELECT gen_random_uuid(), string_agg(gen_random_uuid()::text, '') FROM generate_series(1, 1000)`,
    ],
  ])('is the caller’s fault: %s', async (...[, sql, parameters]) => {
    expect(await codeOf(sql, parameters)).toBe('invalid_request');
  });

  it('is a conflict: a row that another one rules out, whoever forgot to name it', async () => {
    const insert = `INSERT INTO iam.users (id, external_id) VALUES (gen_random_uuid(), 'taken')`;

    expect([await codeOf(insert), await codeOf(insert)]).toEqual(['done', 'already_exists']);
  });

  it.each([
    ['a division by zero', 'SELECT 1 / 0'],
    ['a syntax error', 'SELECT FROM WHERE'],
    ['a row that lacks a value', `INSERT INTO iam.roles (name) VALUES (NULL)`],
  ])('is our fault: %s', async (_what, sql) => {
    expect(await codeOf(sql)).toBe('internal_error');
  });
});
