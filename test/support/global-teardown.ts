/** Ends the PostgreSQL of the test run, if it was ours. */
export default async function globalTeardown(): Promise<void> {
  await globalThis.testPostgres?.stop();
}
