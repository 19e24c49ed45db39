import { closedLoop } from '../measure/closed-loop.js';
import { httpShots } from '../measure/http-shots.js';
import type { Operation } from '../measure/operation.js';
import type { Profile } from '../profile.js';
import { tokenForm } from '../sign-in/redirect-client.js';
import type { World } from '../world.js';
import { collect, deviceAuthorization, deviceGrant, scan, startLogin, startLogins } from './device-client.js';
import { askedScenes, pushShot, scanFields, textFields } from './pushes.js';
import { WaitingBrowser } from './waiting-browser.js';

/** Everything that follow-to-login is made of, on one replica. */
export async function followOperations(world: World, profile: Profile): Promise<Operation[]> {
  const { agent } = world;
  const { url } = world.replica;
  const ordinary = { url, agent, status: 200 };
  const again = pushShot(world, textFields());
  return [
    wholeSignIn(world),
    httpShots({
      ...ordinary,
      name: 'QR code asked for',
      shooter: () => ({ next: () => ({ method: 'POST', ...deviceAuthorization }) }),
    }),
    await waitingPoll(world),
    await scanPush(world, profile),
    httpShots({
      ...ordinary,
      name: 'push: a message in the chat',
      shooter: () => ({ next: () => pushShot(world, textFields()) }),
    }),
    httpShots({
      ...ordinary,
      name: 'push: delivered again',
      shooter: () => ({ next: () => again }),
    }),
  ];
}

/** The webhook lands on the replica that the browser waits at. */
function wholeSignIn(world: World): Operation {
  return closedLoop('sign-in of a new follower', async (step) => {
    const login = await step('QR code', () => startLogin(world));
    const browser = await step('stream of events', () =>
      WaitingBrowser.open(world.replica.url, login.eventsPath),
    );
    const person = world.wechat.person({ nickname: '小兰' });
    await step('push: scan', () => scan(person, login));
    await step('event arrives', () => browser.arrivalOf('confirmed'));
    await step('tokens', () => collect(world, login));
    browser.close();
  });
}

async function waitingPoll(world: World): Promise<Operation> {
  const logins = await startLogins(world, 200);
  const shots = logins.map(({ deviceCode }) => ({
    method: 'POST' as const,
    path: '/iam/token',
    ...tokenForm({ grant_type: deviceGrant, device_code: deviceCode }),
  }));
  let turn = 0;
  const next = () => shots[(turn += 1) % shots.length] ?? { path: '/iam/token' };
  const { replica, agent } = world;
  const shooter = () => ({ next });
  return httpShots({ name: 'poll while waiting', url: replica.url, agent, status: 400, shooter });
}

/** Each login can be scanned once, so their number limits the load. */
async function scanPush(world: World, profile: Profile): Promise<Operation> {
  const { scannedLogins, aloneRuns, connections, warmUpSeconds, loadSeconds } = profile;
  world.wechat.clearCalls();
  await startLogins(world, scannedLogins + aloneRuns + 4 * connections);
  const scenes = askedScenes(world);
  const next = () => {
    const scene = scenes.pop();
    if (scene === undefined) throw new Error('every login has been scanned');
    return pushShot(world, scanFields(scene));
  };
  const { replica, agent } = world;
  const shooter = () => ({ next });
  const amount = (seconds: number) => Math.floor((scannedLogins * seconds) / (warmUpSeconds + loadSeconds));
  return httpShots({ name: 'push: scan', url: replica.url, agent, status: 200, shooter, amount });
}
