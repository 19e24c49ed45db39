import {
  askForQrCode,
  decideOnPhone,
  pollUntilSettled,
  scanAndFollow,
  startFollowWorld,
} from '../support/follow.js';
import type { World } from '../support/iam-app.js';
import { rowsOf, valueOf } from '../support/rows.js';

describe('a number as people type it', () => {
  let world: World;

  beforeAll(async () => {
    world = await startFollowWorld({ qr_confirmation: 'number' }, { options: { rateLimits: 'off' } });
  });
  afterAll(() => world.close());

  async function scanned(nickname: string) {
    const person = world.wechat.person({ nickname });
    const device = await askForQrCode(world.url);
    await scanAndFollow(world, person, device.qr);
    const said = () => person.chat(world.oa).at(-1)?.text ?? '';
    const row = async () =>
      (
        await rowsOf(world.dataSource, 'SELECT status, number_tries FROM iam.logins WHERE openid = $1', [
          person.openid(world.oa),
        ])
      )[0];
    return { person, device, said, row };
  }
  const fullWidth = (digits: string) =>
    digits.replaceAll(/\d/g, (digit) => String.fromCodePoint((digit.codePointAt(0) ?? 0) + 0xfee0));

  it.each<[string, (digits: string) => string]>([
    ['in full width', fullWidth],
    ['with spaces between', (digits) => Array.from(digits).join(' ')],
    ['with wide spaces and a line break', (digits) => `\u3000${digits}\n`],
    ['with a full stop behind', (digits) => `${digits}。`],
    ['in brackets', (digits) => `【${digits}】`],
    ['with hyphens', (digits) => Array.from(digits).join('-')],
    [
      'as keycaps',
      (digits) =>
        Array.from(digits)
          .map((digit) => `${digit}\ufe0f\u20e3`)
          .join(''),
    ],
  ])('confirms in the chat %s', async (_how, write) => {
    const { person, device, said } = await scanned('小兰');

    await person.say(world.oa, write(device.userCode));

    expect(said()).toContain('Confirmed');
    expect((await pollUntilSettled(world.url, device)).status).toBe(200);
  });

  it('confirms on the page in full width with spaces', async () => {
    const { person, device } = await scanned('小明');

    await decideOnPhone(world, person, 'confirm', {
      number: Array.from(fullWidth(device.userCode)).join('　'),
    });

    expect((await pollUntilSettled(world.url, device)).status).toBe(200);
  });

  it('gets an answer with a digit too few or too many, and costs no try', async () => {
    const { person, device, said, row } = await scanned('小华');

    const answers = [];
    for (const text of [device.userCode.slice(1), `${device.userCode}1`]) {
      await person.say(world.oa, text);
      answers.push(said());
    }

    expect(answers).toEqual(Array(2).fill(expect.stringContaining('Try again')));
    expect(await row()).toEqual({ status: 'scanned', number_tries: 0 });
  });

  it('is for the host with other words around it, or as long as a telephone number', async () => {
    const { person, device, row } = await scanned('小李');
    const before = person.chat(world.oa).length;

    await person.say(world.oa, `订单 ${device.userCode}`);
    await person.say(world.oa, '13800138000');

    expect(
      person
        .chat(world.oa)
        .slice(before)
        .some(({ text }) => text.includes('Try again')),
    ).toBe(false);
    expect(await row()).toEqual({ status: 'scanned', number_tries: 0 });
  });

  it('is told that the login has ended when it comes too late', async () => {
    const { person, device, said, row } = await scanned('小赵');
    await world.dataSource.query(
      `UPDATE iam.logins SET redeem_before = now() - interval '1 second' WHERE openid = $1`,
      [person.openid(world.oa)],
    );

    await person.say(world.oa, device.userCode);

    expect(said()).toContain('no longer valid');
    expect(await row()).toEqual({ status: 'scanned', number_tries: 0 });
    expect(await valueOf(world.dataSource, `SELECT count(*)::int FROM iam.users`)).toBeGreaterThan(0);
  });
});
