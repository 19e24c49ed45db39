import type { Group, Stage, Table } from '../group.js';
import { columns, measure } from '../measure/measure.js';
import { openWorld } from '../world.js';
import { followOperations } from './follow-operations.js';
import { eventColumns, idleColumns, letWait } from './waiting.js';

/** Follow-to-login: its requests, the pushes, and browsers that wait. */
export const followGroup: Group = {
  name: 'follow',
  async run(stage): Promise<Table[]> {
    const requests = await measureRequests(stage);
    const waiting = [];
    for (const count of stage.profile.waiting) {
      stage.say(`follow: ${count} waiting browsers`);
      waiting.push(await letWait(stage, count));
    }
    return [
      requests,
      {
        title: 'Browsers that wait at one replica',
        columns: idleColumns,
        rows: waiting.map(({ idle }) => idle),
      },
      {
        title: 'From the push to the event in the browser',
        columns: eventColumns,
        rows: waiting.flatMap(({ events }) => events),
      },
    ];
  },
};

async function measureRequests(stage: Stage): Promise<Table> {
  const { profile } = stage;
  const resources = await stage.resources.branch();
  try {
    const row = { qr_enabled: true, qr_confirmation: 'none' };
    const world = await openWorld({ ...stage, resources }, 'follow', row);
    world.oa.configureServer({ url: `${world.replica.url}/iam/webhook/wechat` });
    const rows: Table['rows'][number][] = [];
    for (const operation of await followOperations(world, profile)) {
      stage.say(`follow: ${operation.name}`);
      rows.push(...(await measure(operation, profile, { replicas: [world.replica], wechat: world.wechat })));
    }
    return { title: `Follow-to-login, ${profile.connections} at once`, columns, rows };
  } finally {
    await resources.close();
  }
}
