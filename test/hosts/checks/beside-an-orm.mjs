import assert from 'node:assert/strict';
import { appendFile, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Browser, visit } from '../support/browser.mjs';

const shared = {
  iamPath: '/iam',
  guardedPath: '/books',
  ownTable: 'books',
  migrationsTable: 'iam.migrations',
};

/** The host's own table through its own ORM; erasing a user takes their rows of it along. */
async function checkOwn({ host, user, token, query }) {
  const books = `${host.url}/books`;
  assert.equal((await visit(books, { json: { title: '茶经' }, token })).status, 201);
  assert.deepEqual((await visit(books, { token })).body, [{ id: 1, userId: user.id, title: '茶经' }]);
  const own = `SELECT (SELECT count(*)::int FROM public.books) AS books, (SELECT count(*)::int FROM iam.users) AS users`;
  assert.deepEqual(await query(own), [{ books: 1, users: 1 }]);
  const admin = new Browser();
  const address = `${host.url}/iam/admin/users/${user.id}`;
  const { headers } = await admin.visit(address, { token: host.adminToken });
  const erased = await admin.visit(address, {
    token: host.adminToken,
    method: 'DELETE',
    headers: { 'if-match': headers.get('etag') },
  });
  assert.equal(erased.status, 204, JSON.stringify(erased.body));
  assert.deepEqual(await query(own), [{ books: 0, users: 0 }]);
}

/** Nothing of ours is outside of the schema `iam`, nothing of theirs in it. */
async function checkSchemas(query, expected) {
  const tables = `SELECT schemaname || '.' || tablename AS name FROM pg_tables
    WHERE schemaname NOT IN ('iam', 'pg_catalog', 'information_schema') ORDER BY 1`;
  assert.deepEqual(
    (await query(tables)).map(({ name }) => name),
    expected,
  );
}

const migrationsIn = async (folder) => (await readdir(folder)).filter((name) => /^\d/.test(name)).sort();

/** Theirs on an empty database, ours at the start, theirs again. */
export const prisma = {
  ...shared,
  checkOwn,
  prepare: ({ host }) =>
    host.runCommand({ databaseUrl: 'postgresql://localhost/unused' }, 'prisma', 'generate'),
  async beforeStart({ host, databaseUrl }) {
    await host.runCommand({ databaseUrl }, 'prisma', 'migrate', 'deploy');
  },
  async checkStopped({ host, databaseUrl, query }) {
    const run = (...args) => host.runCommand({ databaseUrl }, 'prisma', ...args);
    const inSync = /Already in sync, no schema change or pending migration was found/;
    assert.match(await run('migrate', 'dev', '--skip-generate'), inSync);
    const schema = join(host.folder, 'prisma/schema.prisma');
    await appendFile(schema, '\nmodel Review {\n  id   Int    @id\n  text String\n\n  @@map("reviews")\n}\n');
    await run('migrate', 'dev', '--skip-generate', '--name', 'reviews');
    const folder = join(host.folder, 'prisma/migrations');
    const [, made] = await migrationsIn(folder);
    const sql = await readFile(join(folder, made, 'migration.sql'), 'utf8');
    assert.deepEqual(sql.match(/\b(CREATE|ALTER|DROP)\b.*/g), ['CREATE TABLE "reviews" (']);
    assert.match(await run('migrate', 'dev', '--skip-generate'), inSync);
    const pulled = await run('db', 'pull', '--print');
    assert.deepEqual(pulled.match(/^(model|enum) \w+/gm), ['model Book', 'model Review']);
    // What `reset` empties is the host's.
    const users = 'SELECT count(*)::int AS migrations FROM iam.migrations';
    const before = await query(users);
    await run('migrate', 'reset', '--force', '--skip-generate');
    assert.deepEqual(await query(users), before);
    await checkSchemas(query, ['public._prisma_migrations', 'public.books', 'public.reviews']);
  },
};

/** Ours first, by the command, theirs afterwards and again. */
export const drizzle = {
  ...shared,
  checkOwn,
  async beforeStart({ host, databaseUrl }) {
    const migrate = ['nestjs-wechat-iam', 'migrate', '--migrations-table', 'iam.migrations'];
    await host.runCommand({ databaseUrl }, ...migrate);
    await host.runCommand({ databaseUrl }, 'drizzle-kit', 'generate');
    await host.runCommand({ databaseUrl }, 'drizzle-kit', 'migrate');
  },
  async checkStopped({ host, databaseUrl, query }) {
    const run = (...args) => host.runCommand({ databaseUrl }, 'drizzle-kit', ...args);
    assert.match(await run('generate'), /No schema changes, nothing to migrate/);
    assert.match(await run('push', '--strict'), /No changes detected/);
    const schema = join(host.folder, 'src/schema.ts');
    const code = await readFile(schema, 'utf8');
    await writeFile(
      schema,
      `${code}\nexport const reviews = pgTable('reviews', { id: serial().primaryKey() });\n`,
    );
    await run('generate', '--name', 'reviews');
    const [, made] = (await migrationsIn(join(host.folder, 'drizzle'))).filter((name) =>
      name.endsWith('.sql'),
    );
    const sql = await readFile(join(host.folder, 'drizzle', made), 'utf8');
    assert.deepEqual(sql.match(/\b(CREATE|ALTER|DROP)\b.*/g), ['CREATE TABLE "reviews" (']);
    await run('migrate');
    assert.match(await run('check'), /Everything's fine/);
    assert.match(await run('push', '--strict'), /No changes detected/);
    await checkSchemas(query, ['drizzle.__drizzle_migrations', 'public.books', 'public.reviews']);
  },
};
