import type { Group, Stage, Table } from '../group.js';
import { closedLoop } from '../measure/closed-loop.js';
import { columns, measure } from '../measure/measure.js';
import type { Operation, Step } from '../measure/operation.js';
import { openWorld, type World } from '../world.js';
import { signIn, type Tokens } from './redirect-client.js';
import { requestOperations } from './requests.js';

const plain: Step = (_name, work) => work();

/** Redirect sign-in and what comes after it. */
export const signInGroup: Group = {
  name: 'sign-in',
  async run(stage): Promise<Table[]> {
    const world = await openWorld(stage, 'sign_in');
    const { replica, wechat } = world;
    const sessions = await signInMany(world, 2 * stage.profile.connections + 1);
    const operations = [
      newPerson(world),
      await returningPerson(world, stage),
      ...requestOperations(world, sessions),
    ];
    const rows: Table['rows'][number][] = [];
    for (const operation of operations) {
      stage.say(`sign-in: ${operation.name}`);
      rows.push(...(await measure(operation, stage.profile, { replicas: [replica], wechat })));
    }
    return [{ title: `Redirect sign-in, ${stage.profile.connections} at once`, columns, rows }];
  },
};

function newPerson(world: World): Operation {
  return closedLoop('sign-in of a new person', async (step) => {
    await signIn(world, world.wechat.person({ nickname: '小兰' }), step);
  });
}

/** Everybody was here before, and WeChat's profile of them is fresh. */
async function returningPerson(world: World, { profile }: Stage): Promise<Operation> {
  const people = Array.from({ length: profile.connections }, () => world.wechat.person({ nickname: '阿伟' }));
  for (const person of people) await signIn(world, person, plain);
  return closedLoop('sign-in of a returning person', async (step, worker) => {
    const person = people[worker % people.length];
    if (person !== undefined) await signIn(world, person, step);
  });
}

async function signInMany(world: World, count: number): Promise<Tokens[]> {
  const sessions: Tokens[] = [];
  while (sessions.length < count)
    sessions.push(await signIn(world, world.wechat.person({ nickname: 'Grace' }), plain));
  return sessions;
}
