import type { LocalPostgres } from '../../example/postgres/local-postgres.js';
import { startLocalPostgres } from './start-local-postgres.mjs';

declare global {
  // Jest's setup and teardown share the parent's global object and nothing else.
  var testPostgres: LocalPostgres | undefined;
}

/** Gives the test run one PostgreSQL: the server that TEST_DATABASE_URL names, or one of our own. Workers inherit its address. */
export default async function globalSetup(): Promise<void> {
  const given = process.env['TEST_DATABASE_URL'];
  if (given === undefined) globalThis.testPostgres = await startLocalPostgres();
  process.env['IAM_TEST_POSTGRES_URL'] = given ?? globalThis.testPostgres?.url();
}
