import { decodeJwt } from 'jose';
import { addApps, callMe, inApp, type Apps } from '../support/account.js';
import { SkewedClock } from '../support/fake-clock.js';
import { askForQrCode, confirmLink, poll, scanAndFollow, startFollowWorld } from '../support/follow.js';
import { redirectUri, startReplica, type IamApp, type World } from '../support/iam-app.js';
import { LogCapture } from '../support/log-capture.js';
import { PcBrowser } from '../support/pc-browser.js';
import { valueOf } from '../support/rows.js';
import { approveOnPc, getWith, redeem, returnFromPc, toTokens } from '../support/sign-in.js';

const LIMIT = 3;
const settings = {
  options: { background: false, rateLimits: { failuresPerAddressAndMinute: LIMIT } },
} as const;

describe.each([600, -600])('a replica whose system clock is %i seconds ahead', (seconds) => {
  let world: World;
  let replica: IamApp;
  let apps: Apps;
  const clock = new SkewedClock(seconds);
  const logger = new LogCapture();

  beforeAll(async () => {
    world = await startFollowWorld({ qr_confirmation: 'tap' }, settings);
    await world.saveProvider({
      slug: 'site',
      name: '微信',
      open_app_id: world.site.appid,
      open_app_secret: world.site.secret,
    });
    replica = await startReplica(world, { ...settings, clock, logger });
    apps = await addApps(world);
  });
  afterAll(async () => {
    await replica.close();
    await world.close();
  });

  const person = (nickname: string) => world.wechat.person({ nickname });
  const onPc = () => ({ redirect_uri: redirectUri(world.url), provider: 'site' });
  const atToken = () => ({ redirect_uri: redirectUri(world.url) });
  const databaseTime = async () =>
    Number(await valueOf(world.dataSource, 'SELECT extract(epoch FROM now())::float8'));
  const signIn = async (site: { readonly url: string }, nickname: string) => {
    const returned = await returnFromPc({ url: site.url, wechat: world.wechat }, person(nickname), onPc());
    return toTokens(await redeem(site.url, returned, atToken()));
  };

  it('sounds the alarm once, and goes by the clock of PostgreSQL', async () => {
    expect(logger.with(`the clock of this replica is ${seconds} s ahead of PostgreSQL's`)).toHaveLength(1);
    expect(Math.abs(clock.now() / 1000 - (await databaseTime()))).toBeLessThan(2);
  });

  it('issues tokens that the others take, and takes theirs, by PostgreSQL’s time', async () => {
    const sites = [world, replica];
    for (const [index, site] of sites.entries()) {
      const { accessToken } = await signIn(site, `表${index}`);
      const now = await databaseTime();
      const { iat = 0, exp = 0 } = decodeJwt(accessToken);

      const answers = await Promise.all(sites.map(({ url }) => getWith(`${url}/iam/me`, accessToken)));

      expect(Math.abs(iat - now)).toBeLessThan(2);
      expect(exp - iat).toBe(900);
      expect(answers.map(({ status }) => status)).toEqual([200, 200]);
    }
  });

  it('refuses a token whose time is over for the others', async () => {
    const { accessToken } = await signIn(world, '过时');
    const later = new SkewedClock(seconds);
    const late = await startReplica(world, { ...settings, clock: later, logger: new LogCapture() });
    const future = (await databaseTime()) * 1000 + (900 + 61) * 1000;
    later.correct(future, future);

    const answer = await getWith(`${late.url}/iam/me`, accessToken);
    await late.close();

    expect(answer.status).toBe(401);
  });

  it.each([
    ['begins', 'other'],
    ['ends', 'replica'],
  ])('%s a redirect sign-in of the others’', async (_verb, ending) => {
    const [first, second] = ending === 'other' ? [replica, world] : [world, replica];
    const approved = await approveOnPc({ url: first.url, wechat: world.wechat }, person('跨'), onPc());
    const { pathname, search } = approved.callback;

    const returned = await approved.browser.visit(`${second.url}${pathname}${search}`);
    const token = await redeem(first.url, { ...approved, returned }, atToken());

    expect(returned.location?.searchParams.get('error')).toBeNull();
    expect(token.status).toBe(200);
  });

  it('shares the confirm page’s way and proof with the others', async () => {
    const phone = person('手机');
    const device = await askForQrCode(replica.url);
    await scanAndFollow(world, phone, device.qr);

    const page = await phone.openInWechat(confirmLink(world, phone).replace(world.url, replica.url));
    const callback = page.redirects.find((url) => url.includes('code=')) ?? '';
    const elsewhere = await phone.openInWechat(callback.replace(world.url, replica.url));
    const field = (name: string) => new RegExp(`name="${name}" value="([^"]+)"`).exec(page.body)?.[1] ?? '';
    const fields = { login: field('login'), csrf: field('csrf'), decision: 'confirm' };
    const action = new URL(/<form method="post" action="([^"]+)"/.exec(page.body)?.[1] ?? '', page.url).href;
    const confirmed = await phone.post(action.replace(world.url, replica.url), fields, {
      headers: { origin: world.url },
    });

    expect([page.status, elsewhere.status, confirmed.status]).toEqual([200, 200, 200]);
    expect((await poll(world.url, device)).status).toBe(200);
  });

  it('knows by PostgreSQL’s time how recent a sign-in is', async () => {
    const tokens = await inApp(world, person('新近'), apps, 'mini');

    const answer = await callMe(replica, tokens, '/deletion', { method: 'POST' });

    expect(answer.status).toBe(200);
  });

  it('does not open a limit that the others have used up', async () => {
    const handIn = (url: string) =>
      new PcBrowser().visit(`${url}/iam/token`, {
        form: {
          grant_type: 'urn:wechat:grant:mini_program',
          client_id: 'web',
          provider: 'wechat',
          code: 'made-up',
        },
        headers: { accept: 'application/json' },
      });
    for (let tries = 0; tries < LIMIT; tries += 1) await handIn(world.url);

    const answers = [await handIn(replica.url), await handIn(world.url)];

    expect(answers.map(({ status }) => status)).toEqual([429, 429]);
  });
});
