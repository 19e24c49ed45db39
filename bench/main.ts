import { writeFile } from 'node:fs/promises';
import { cpus, loadavg } from 'node:os';
import { fileURLToPath } from 'node:url';
import { adminListsGroup } from './admin-lists/admin-lists.group.js';
import { readArguments } from './arguments.js';
import { type Resources, runProgram } from './resources.js';
import { openDatabaseServer } from './database-server.js';
import { followGroup } from './follow/follow.group.js';
import type { Group, Stage, Table } from './group.js';
import { peersGroup } from './peers/peers.group.js';
import { fullProfile, quickProfile } from './profile.js';
import { printTable } from './print-table.js';
import { tenMillionGroup } from './scale/ten-million.group.js';
import { signInGroup } from './sign-in/sign-in.group.js';
import { startCostGroup } from './start-cost/start-cost.group.js';

const defaultGroups: readonly Group[] = [signInGroup, followGroup, adminListsGroup, startCostGroup];
const groups: readonly Group[] = [...defaultGroups, peersGroup, tenMillionGroup];
const outputFile = fileURLToPath(new URL('../../bench/output.json', import.meta.url));

const say = (text: string) => process.stderr.write(`${text}\n`);

async function run(resources: Resources): Promise<boolean> {
  const { quick, json, only, ...changes } = readArguments(process.argv.slice(2));
  const chosen = only.length === 0 ? defaultGroups : only.map(findGroup);
  const standard = quick ? quickProfile : fullProfile;
  const { rounds = standard.rounds, seconds = standard.roundSeconds, scale = standard.scale } = changes;
  const profile = { ...standard, rounds, roundSeconds: seconds, scale, dataDir: changes.dataDir };
  const { node, cores, cpu } = machine();
  process.stdout.write(
    `Node ${node} on ${cores} × ${cpu}${quick ? ', quick: good for nothing but a smoke test' : ''}\n`,
  );
  let server: ReturnType<typeof openDatabaseServer> | undefined;
  const createDatabase = async (name: string) => (await (server ??= openDatabaseServer(resources)))(name);
  const tables: Record<string, readonly Table[]> = {};
  for (const group of chosen) {
    const branch = await resources.branch();
    tables[group.name] = await runGroup(group, { profile, resources: branch, createDatabase, say });
    await branch.close();
  }
  const output = { at: new Date().toISOString(), quick, ...machine(), tables };
  if (json) await writeFile(outputFile, `${JSON.stringify(output, undefined, 2)}\n`);
  return true;
}

async function runGroup(group: Group, stage: Stage): Promise<readonly Table[]> {
  const before = loadAverage();
  const tables = await group.run(stage);
  for (const table of tables) process.stdout.write(`\n${printTable(table)}\n`);
  process.stdout.write(`\nload average before: ${before}, at the end: ${loadAverage()}\n`);
  return tables;
}

function findGroup(name: string): Group {
  const group = groups.find((candidate) => candidate.name === name);
  if (group !== undefined) return group;
  throw new TypeError(`--only ${name}: expected ${groups.map((known) => known.name).join(', ')}`);
}

/** Over one, five and fifteen minutes. */
function loadAverage(): string {
  return loadavg()
    .map((load) => load.toFixed(2))
    .join(' ');
}

function machine() {
  const all = cpus();
  return { node: process.version, cores: all.length, cpu: all[0]?.model ?? 'CPUs of an unknown kind' };
}

await runProgram(run);
