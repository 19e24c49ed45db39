import pg from 'pg';

/** The server that TEST_DATABASE_URL names, or one of our own. */
export async function startPostgres(workspace) {
  const given = process.env.TEST_DATABASE_URL;
  if (given !== undefined) return given;
  const { LocalPostgres } = await import('../../../dist/example/postgres/local-postgres.js');
  const postgres = await LocalPostgres.start();
  workspace.onClose(() => postgres.stop());
  return postgres.url();
}

/** Works with a connection of its own. */
export async function asClient(url, work) {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  return work(client).finally(() => client.end());
}

/** Makes a database that is removed at the end; its address. */
export async function createDatabase(workspace, server, owner) {
  const name = `iam_${owner.replaceAll('-', '_')}_${process.pid}`;
  await asClient(server, (client) => client.query(`CREATE DATABASE ${name}`));
  workspace.onClose(() => asClient(server, (client) => client.query(`DROP DATABASE ${name} WITH (FORCE)`)));
  const url = new URL(server);
  url.pathname = name;
  return url.href;
}
