import assert from 'node:assert/strict';
import { join } from 'node:path';
import { drizzle, prisma } from './checks/beside-an-orm.mjs';
import { apolloSocketIo, mercuriusWs } from './checks/beyond-http.mjs';
import { checkTemplate, templates } from './checks/cli-templates.mjs';
import { checkEveryHost } from './checks/every-host.mjs';
import * as expressEsm from './checks/express-esm.mjs';
import * as fastifyEsm from './checks/fastify-esm.mjs';
import * as nest11Cjs from './checks/nest11-cjs.mjs';
import { Host } from './support/host.mjs';
import { checkContents, packPackage } from './support/package.mjs';
import { asClient, createDatabase, startPostgres } from './support/postgres.mjs';
import { Workspace } from './support/workspace.mjs';

/**
 * Installs the packed tarball into host applications, each in a folder of its own outside this repository, and signs a person
 * in there; and into what `nest new` makes, by README.md alone. Says what failed and with what log, and ends with one line.
 */
const hosts = {
  'express-esm': expressEsm,
  'fastify-esm': fastifyEsm,
  'nest11-cjs': nest11Cjs,
  prisma,
  drizzle,
  'apollo-socket-io': apolloSocketIo,
  'mercurius-ws': mercuriusWs,
};
const root = join(import.meta.dirname, '../..');
const workspace = await Workspace.open();
const interruption = new Promise((_done, fail) => {
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'])
    process.on(signal, () => fail(new Error(`interrupted by ${signal}`)));
});

async function checkMigrations(query, { ownTable, migrationsTable = 'public.migrations' }) {
  const [row] =
    await query(`SELECT to_regclass('public.${ownTable}') AS own, to_regclass('iam.users') AS ours,
    (SELECT count(*)::int FROM ${migrationsTable}) AS executed`);
  assert.ok(row.own !== null && row.ours !== null, 'a migration did not run');
  return row.executed;
}

async function tryHost(host, checks, postgres) {
  const { checkOwn, iamPath, guardedPath, otherProjects = [] } = checks;
  await host.install(join(import.meta.dirname, 'apps'));
  await checks.prepare?.({ host });
  for (const project of ['tsconfig.json', ...otherProjects]) await host.compile(project);
  const databaseUrl = await createDatabase(workspace, await postgres, host.name);
  const query = (sql) => asClient(databaseUrl, async (client) => (await client.query(sql)).rows);
  const wechat = await host.startWechat();
  await checks.beforeStart?.({ host, databaseUrl });
  await host.start(wechat, databaseUrl);
  const executed = await checkMigrations(query, checks);
  const seen = await checkEveryHost({ host, wechat, iamPath, guardedPath });
  await checkOwn({ host, wechat, query, ...seen });
  await host.stop();
  // A second start finds everything migrated.
  await host.start(wechat, databaseUrl);
  assert.equal(await checkMigrations(query, checks), executed);
  await host.stop();
  await checks.checkStopped?.({ host, wechat, databaseUrl, query });
  assert.match(await host.runBin('emulator', '--help'), /emulator/i);
}

/** Runs one part of the test and says how it went; true when it passed. */
async function report(name, work, log = () => '') {
  const start = performance.now();
  try {
    await work();
    console.log(`ok ${name} (${((performance.now() - start) / 1000).toFixed(1)} s)`);
    return true;
  } catch (error) {
    console.error(`not ok ${name}\n${error instanceof Error ? error.stack : error}\n${log()}`);
    return false;
  }
}

async function main() {
  const files = await packPackage(root, workspace);
  const postgres = startPostgres(workspace);
  postgres.catch(() => undefined);
  const contents = report('tarball', () => checkContents(root, files));
  const runs = Object.entries(hosts).map(([name, checks]) => {
    const host = new Host(workspace, name);
    return report(
      name,
      () => tryHost(host, checks, postgres),
      () => host.log,
    );
  });
  const appsFolder = join(import.meta.dirname, 'apps');
  const fresh = Object.keys(templates).map((name) =>
    report(name, async () =>
      checkTemplate({
        workspace,
        name,
        appsFolder,
        databaseUrl: await createDatabase(workspace, await postgres, name),
      }),
    ),
  );
  runs.push(...fresh);
  const passed = (await Promise.all(runs)).filter(Boolean).length;
  const failed = runs.length - passed + ((await contents) ? 0 : 1);
  return { passed, failed };
}

const running = main();
let verdict = { passed: 0, failed: Object.keys({ ...hosts, ...templates }).length };
try {
  verdict = await Promise.race([running, interruption]);
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
} finally {
  await workspace.close();
  await Promise.allSettled([running]);
  await workspace.close();
}
console.log(`${verdict.passed} passed, ${verdict.failed} failed`);
process.exit(verdict.failed === 0 ? 0 : 1);
