import { confirmLink, scanAndFollow, startFollowWorld } from '../support/follow.js';
import { codesOf, finishOnPage, openFollowPage, startOnPage } from '../support/follow-page.js';
import { FakeClock } from '../support/fake-clock.js';
import type { World } from '../support/iam-app.js';
import { valueOf } from '../support/rows.js';

describe('a QR code near the end of the attempt whose page shows it', () => {
  let world: World;
  const clock = new FakeClock();

  beforeAll(async () => {
    world = await startFollowWorld({}, { clock, options: { rateLimits: 'off', loginLifetime: 400 } });
  });
  // WeChat's time is the real one, and a push from another time is refused.
  afterEach(() => {
    clock.advance((Date.now() - clock.now()) / 1000);
  });
  afterAll(() => world.close());

  const leftOf = (qrScanner: string) =>
    valueOf(
      world.dataSource,
      `SELECT round(extract(epoch FROM redeem_before - now()))::int FROM iam.logins WHERE openid = $1`,
      [qrScanner],
    );

  it('lives as long as the attempt, at WeChat and here, and the page is told', async () => {
    const page = await openFollowPage(world.url);
    const fresh = (await startOnPage(page)).json()['expires_in'];
    clock.advance(280);

    const late = (await startOnPage(page)).json()['expires_in'];
    const asked = world.wechat.calls('/cgi-bin/qrcode/create').at(-1)?.body ?? '';

    expect(fresh).toBe(300);
    expect(late).toBeGreaterThan(100);
    expect(late).toBeLessThanOrEqual(120);
    expect(asked).toContain(`"expire_seconds":${String(late)}`);
  });

  it('is not kept alive by a scan for longer than the attempt', async () => {
    const lan = world.wechat.person({ nickname: '小兰' });
    const page = await openFollowPage(world.url);
    clock.advance(280);
    const { qr } = codesOf(await startOnPage(page));

    await scanAndFollow(world, lan, qr);

    expect(Number(await leftOf(lan.openid(world.oa)))).toBeLessThanOrEqual(120);
  });

  it('says on the phone that it is over, to who scans or opens the link after the attempt', async () => {
    const [ming, hua] = [
      world.wechat.person({ nickname: '小明' }),
      world.wechat.person({ nickname: '小华' }),
    ];
    const page = await openFollowPage(world.url);
    const [first, second] = [codesOf(await startOnPage(page)), codesOf(await startOnPage(page))];
    await scanAndFollow(world, ming, first.qr);
    const link = confirmLink(world, ming);
    await world.dataSource.query(
      `UPDATE iam.logins SET redeem_before = LEAST(redeem_before, now()), attempt_ends_at = now()`,
    );

    await scanAndFollow(world, hua, second.qr);
    const opened = await ming.openInWechat(link);
    clock.advance(401);
    const pc = await finishOnPage(page, first.deviceCode);

    expect(hua.chat(world.oa).at(-1)?.text).toContain('no longer valid');
    expect(opened.body).toContain('失效');
    expect(pc.json()['code']).toBe('state_expired');
  });
});
