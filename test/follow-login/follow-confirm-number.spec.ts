import { setTimeout as delay } from 'node:timers/promises';
import {
  askForQrCode,
  confirmLink,
  decideOnPhone,
  pollUntilSettled,
  scanAndFollow,
  startFollowWorld,
} from '../support/follow.js';
import type { World } from '../support/iam-app.js';
import { rowsOf } from '../support/rows.js';

describe('the page that asks for the number', () => {
  let world: World;

  beforeAll(async () => {
    world = await startFollowWorld({ qr_confirmation: 'number' });
  });
  afterAll(() => world.close());

  async function opened(nickname: string) {
    const person = world.wechat.person({ nickname });
    const device = await askForQrCode(world.url);
    await scanAndFollow(world, person, device.qr);
    return { person, device };
  }

  it('asks for it and does not show it', async () => {
    const { person, device } = await opened('小兰');

    const page = await person.openInWechat(confirmLink(world, person));

    expect(page.body).toContain('name="number"');
    expect(page.body).not.toContain(`>${device.userCode}<`);
    expect(page.body).not.toContain(`"${device.userCode}"`);
  });

  it('can be denied without a number', async () => {
    const { person, device } = await opened('小明');

    await decideOnPhone(world, person, 'deny');

    expect((await pollUntilSettled(world.url, device)).json()['error']).toBe('access_denied');
  });

  it('ends at the third wrong number, and the right one comes too late', async () => {
    const { person, device } = await opened('小华');
    const wrong = device.userCode === '0000' ? '0001' : '0000';

    for (let tries = 0; tries < 3; tries += 1)
      await decideOnPhone(world, person, 'confirm', { number: wrong }).catch(() => null);
    const page = await person.openInWechat(confirmLink(world, person));

    expect(page.body).toContain('已拒绝');
    expect((await pollUntilSettled(world.url, device)).json()['error']).toBe('access_denied');
  });

  it('gives no more tries to whoever sends all numbers at once', async () => {
    const { person, device } = await opened('小李');
    const link = confirmLink(world, person);
    const page = await person.openInWechat(link);
    const field = (name: string) => new RegExp(`name="${name}" value="([^"]+)"`).exec(page.body)?.[1] ?? '';
    const fields = { login: field('login'), csrf: field('csrf'), decision: 'confirm' };
    const send = (number: string) => person.post(link.replace(/\?.*$/, ''), { ...fields, number });
    const wrong = ['0000', '1111', '2222', '3333', '4444'].filter((number) => number !== device.userCode);
    const lock = world.dataSource.createQueryRunner();
    await lock.startTransaction();
    await lock.query(`SELECT 1 FROM iam.logins WHERE status = 'scanned' FOR UPDATE`);

    const sent = wrong.map(send);
    await delay(500);
    sent.push(send(device.userCode));
    await delay(500);
    await lock.rollbackTransaction();
    await lock.release();
    await Promise.all(sent);
    const [row] = await rowsOf(
      world.dataSource,
      `SELECT status, number_tries FROM iam.logins WHERE openid = $1`,
      [person.openid(world.oa)],
    );

    expect(row).toEqual({ status: 'scanned', number_tries: 1 });
  });
});
