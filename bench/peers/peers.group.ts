import type { Group, Stage, Table } from '../group.js';
import { closedLoop } from '../measure/closed-loop.js';
import { httpShots } from '../measure/http-shots.js';
import type { Operation, Step } from '../measure/operation.js';
import { sample } from '../measure/sample.js';
import type { Person } from '../../emulator/index.js';
import { wechatStep } from '../sign-in/redirect-client.js';
import type { SignIn } from './contenders.js';
import { type Entrant, openEntrants } from './entrants.js';
import { kinds, peerTables, type Results, type RoundResult } from './peer-tables.js';

/** So many people return to each worker, in turn. */
const PEOPLE_PER_WORKER = 20;

type Load = Pick<Operation, 'load'>;
type Operations = Readonly<Record<(typeof kinds)[number], Load>>;

/** This module and what others use instead, one after the other in every round. */
export const peersGroup: Group = {
  name: 'peers',
  async run(stage): Promise<readonly Table[]> {
    const { rounds } = stage.profile;
    const entrants = await openEntrants(stage);
    const prepared: (readonly [Entrant, Operations])[] = [];
    for (const entrant of entrants) {
      stage.say(`peers: ${entrant.contender.name} warms up`);
      prepared.push([entrant, await prepare(entrant, stage)]);
    }
    const results: Results = new Map(entrants.map(({ contender }) => [contender.name, []]));
    for (let round = 0; round < rounds; round += 1) {
      // Each begins a round once, so that none always follows the same other one.
      const turn = round % prepared.length;
      for (const [entrant, operations] of [...prepared.slice(turn), ...prepared.slice(0, turn)]) {
        stage.say(`peers: round ${round + 1} of ${rounds}, ${entrant.contender.name}`);
        results.get(entrant.contender.name)?.push(await runRound(entrant, operations, stage));
      }
    }
    return peerTables(results, stage.profile);
  },
};

async function runRound(entrant: Entrant, operations: Operations, { profile }: Stage): Promise<RoundResult> {
  const { peerConnections: workers, roundSeconds } = profile;
  const weigh = async (kind: (typeof kinds)[number]) => {
    const seconds = kind === 'returning' || kind === 'first' ? roundSeconds : roundSeconds / 2;
    await operations[kind].load(profile.warmUpSeconds / 2, workers);
    return sample(operations[kind], entrant, { seconds, workers });
  };
  return {
    returning: await weigh('returning'),
    first: await weigh('first'),
    guarded: await weigh('guarded'),
    unguarded: await weigh('unguarded'),
  };
}

/** Signs in everybody who returns, and warms everything up. */
async function prepare(entrant: Entrant, { profile }: Stage): Promise<Operations> {
  const { signIn, wechat } = entrant;
  const { peerConnections: workers } = profile;
  const newPerson = () => wechat.person({ nickname: '小兰' });
  const people = Array.from({ length: workers * PEOPLE_PER_WORKER }, newPerson);
  const enroll = people.map((person) => () => signIn(person, (_name, work) => work()));
  const take = async () => {
    for (let next = enroll.pop(); next !== undefined; next = enroll.pop()) await next();
  };
  await Promise.all(Array.from({ length: workers }, take));
  let turn = 0;
  const somebody = () => people[(turn += 1) % people.length] ?? newPerson();
  const headers = await signIn(newPerson(), (_name, work) => work());
  const operations = {
    returning: signIns(signIn, somebody),
    first: signIns(signIn, newPerson),
    guarded: gets(entrant, '/guarded', headers),
    unguarded: gets(entrant, '/open', {}),
  };
  await gets(entrant, '/guarded', {}, 401).once((_name, work) => work(), 0);
  for (const kind of kinds) await operations[kind].load(profile.warmUpSeconds, workers);
  return operations;
}

/** Sign-ins of whole browsers; the latency is the time spent on the host's responses, without WeChat's page and the phone. */
function signIns(signIn: SignIn, personOf: () => Person): Load {
  return {
    async load(seconds, workers) {
      const latencies: number[] = [];
      const once = async () => {
        let ms = 0;
        const step: Step = async (name, work) => {
          const began = performance.now();
          const result = await work();
          if (name !== wechatStep) ms += performance.now() - began;
          return result;
        };
        await signIn(personOf(), step);
        latencies.push(ms);
      };
      const load = await closedLoop('sign-in', once).load(seconds, workers);
      return { ...load, latencies };
    },
  };
}

function gets(
  { replica, agent, contender }: Entrant,
  path: string,
  headers: Readonly<Record<string, string>>,
  status = 200,
): Operation {
  const name = `GET ${path} of ${contender.name}`;
  return httpShots({
    name,
    url: replica.url,
    agent,
    status,
    shooter: () => ({ next: () => ({ path, headers }) }),
  });
}
