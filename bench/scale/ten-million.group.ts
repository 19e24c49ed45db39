import { withClient } from '../database-server.js';
import type { Group, Stage, Table } from '../group.js';
import { sample, type Sample, type Surroundings } from '../measure/sample.js';
import { watchServer } from '../measure/server-usage.js';
import { openWorldOn } from '../world.js';
import { type FilledServer, openFilledServer, openKnownWechat } from './databases.js';
import { type Load, operationsOn } from './scale-operations.js';
import { ratioTable, sizeTable } from './scale-tables.js';

const TEN_MILLION = 10_000_000;
const TEN_THOUSAND = 10_000;

/** A host on one of the databases. */
interface Candidate {
  readonly surroundings: Surroundings;
  readonly operations: ReadonlyMap<string, Load>;
}

/** The same operations on a small and a great database of one server, in turns. */
export const tenMillionGroup: Group = {
  name: 'ten-million',
  async run(stage): Promise<readonly Table[]> {
    const { profile } = stage;
    const great = Math.round(TEN_MILLION * profile.scale);
    const server = await openFilledServer(stage, [TEN_THOUSAND, great]);
    const candidates = await openCandidates(stage, server);
    const results = await runRounds(stage, candidates);
    const title = [
      `${TEN_THOUSAND.toLocaleString('en')} users and ${great.toLocaleString('en')}`,
      `${profile.connections} at once, median of ${profile.rounds} rounds of ${profile.roundSeconds / 2} s`,
      server.settings,
    ].join('; ');
    const sizes = await withClient(server.url(`of_${great}`), (client) => sizeTable(client, great));
    return [ratioTable(title, results), sizes];
  },
};

async function openCandidates(stage: Stage, server: FilledServer): Promise<Candidate[]> {
  const { people, ...side } = await openKnownWechat(stage, server.seed);
  const candidates: Candidate[] = [];
  for (const database of server.databases) {
    const databaseUrl = server.url(database.name);
    const world = await openWorldOn(stage, side, { databaseUrl, key: server.key });
    stage.say(`scale: everybody known signs in, among ${database.users.toLocaleString('en')}`);
    const operations = await operationsOn(world, {
      database,
      people,
      connections: stage.profile.connections,
    });
    const serverUsage = await watchServer(stage.resources, databaseUrl);
    candidates.push({ surroundings: { ...world, serverUsage }, operations });
  }
  return candidates;
}

/** Samples of each operation: for every round one of each candidate. */
async function runRounds({ profile, say }: Stage, candidates: readonly Candidate[]) {
  const results = new Map<string, Sample[][]>();
  const names = [...(candidates[0]?.operations.keys() ?? [])];
  const extent = { seconds: profile.roundSeconds / 2, workers: profile.connections };
  for (let round = 0; round < profile.rounds; round += 1) {
    for (const name of names) {
      say(`scale: round ${round + 1} of ${profile.rounds}, ${name}`);
      const samples: Sample[] = [];
      for (const { surroundings, operations } of candidates) {
        const operation = operations.get(name);
        if (operation === undefined) throw new TypeError(name);
        await operation.load(profile.warmUpSeconds / 4, extent.workers);
        samples.push(await sample(operation, surroundings, extent));
      }
      results.set(name, [...(results.get(name) ?? []), samples]);
    }
  }
  return results;
}
