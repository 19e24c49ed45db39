// `npm run mutation [-- GROUP…]`: changes the code that decides about trust in one place at a time and lets its tests judge. docs/mutation.md
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { startLocalPostgres } from '../test/support/start-local-postgres.mjs';
import { groups } from './groups.mjs';

const MINUTES_PER_GROUP = 45;
const LEAST_SCORE = 95;

const home = fileURLToPath(new URL('.', import.meta.url));
const stryker = `${home}node_modules/@stryker-mutator/core/bin/stryker.js`;
const named = process.argv.slice(2);
const unknown = named.filter((name) => !(name in groups));
if (unknown.length > 0)
  throw new Error(`no group ${unknown.join(', ')}: there are ${Object.keys(groups).join(', ')}`);

if (!existsSync(stryker)) await run('npm', ['ci', '--ignore-scripts', '--loglevel=error'], { cwd: home });

const chosen = named.length > 0 ? named : Object.keys(groups);
const postgres = chosen.some((name) => groups[name].database) ? await startLocalPostgres() : null;
const rows = [];
try {
  for (const name of chosen) {
    console.log(`\n${name}`);
    forgetSurvivors(`${home}reports/${name}.incremental.json`);
    await run(process.execPath, [stryker, 'run', 'mutation/stryker.config.mjs'], {
      cwd: fileURLToPath(new URL('..', import.meta.url)),
      env: { ...process.env, MUTATION_GROUP: name, IAM_TEST_POSTGRES_URL: postgres?.url() },
      timeout: MINUTES_PER_GROUP * 60_000,
    });
    rows.push(...rowsOf(name));
  }
} finally {
  await postgres?.stop();
}
console.table(rows);
process.exitCode = rows.every(({ score }) => score >= LEAST_SCORE) ? 0 : 1;

/** Not by `spawnSync`: PostgreSQL writes its log to this process, and stands still as soon as nobody reads it. */
async function run(command, words, options) {
  const child = spawn(command, words, { stdio: 'inherit', shell: process.platform === 'win32', ...options });
  const [status] = await once(child, 'exit');
  if (status !== 0) throw new Error(`${command} ${words.join(' ')} ended with ${status}`);
}

/** Of a mutant of what a module does when it is loaded Stryker does not know which new test may notice it, and would not try again. */
function forgetSurvivors(path) {
  if (!existsSync(path)) return;
  const report = JSON.parse(readFileSync(path, 'utf8'));
  for (const file of Object.values(report.files))
    file.mutants = file.mutants.filter(({ status }) => status === 'Killed' || status === 'Timeout');
  writeFileSync(path, JSON.stringify(report));
}

/** Each file of a group, and the group. Mutants with which a test file cannot even be loaded are `broken` and do not count. */
function rowsOf(group) {
  const { files } = JSON.parse(readFileSync(`${home}reports/${group}.json`, 'utf8'));
  const all = Object.entries(files).map(([file, { mutants }]) => row(group, file, mutants));
  return [
    ...all,
    row(
      group,
      'together',
      Object.values(files).flatMap(({ mutants }) => mutants),
    ),
  ];
}

function row(group, file, mutants) {
  const count = (...states) => mutants.filter(({ status }) => states.includes(status)).length;
  const killed = count('Killed', 'Timeout');
  const survived = count('Survived', 'NoCoverage');
  const score = Math.round((1000 * killed) / (killed + survived)) / 10;
  return { group, file, score, killed, survived, broken: count('RuntimeError', 'CompileError') };
}
