import {
  cookieClient,
  cookiesOf,
  refreshByCookie,
  signInWithCookies,
  signOut,
} from '../support/cookie-client.js';
import { FakeClock } from '../support/fake-clock.js';
import { startWorld, type World } from '../support/iam-app.js';
import { PcBrowser } from '../support/pc-browser.js';

const publicUrl = 'https://app.example.com';
const scripted = { headers: { origin: publicUrl, accept: 'application/json' } };

describe('the cookies of a session on https', () => {
  const clock = new FakeClock();
  let world: World;

  beforeAll(async () => {
    world = await startWorld({
      clock,
      options: {
        publicUrl,
        wechat: { allowLoopback: true },
        clients: [cookieClient()],
        tokens: { idle: 1_000, absolute: 1_500 },
      },
      prepare: (app) => app.setGlobalPrefix('api', { exclude: ['iam/{*all}'] }),
    });
    const site = world.account.websiteApp({ callbackDomain: 'app.example.com' });
    await world.saveProvider({ open_app_id: site.appid, open_app_secret: site.secret });
  });
  afterAll(() => world.close());

  const signIn = async () => {
    const browser = new PcBrowser();
    const person = world.wechat.person({ nickname: '锁' });
    const reply = await signInWithCookies(world, person, browser, { visit: scripted });
    return { browser, reply };
  };

  it('are for scripts of nobody, for https alone and for no other domain', async () => {
    const { browser, reply } = await signIn();

    const [access, refresh, ...others] = cookiesOf(reply);

    expect(others).toEqual([]);
    expect(access?.name).toBe('__Host-iam-access');
    expect(access?.attributes).toEqual(['HttpOnly', 'Max-Age=1000', 'Path=/', 'SameSite=Lax', 'Secure']);
    expect(refresh?.name).toBe('__Secure-iam-refresh');
    expect(refresh?.attributes).toEqual([
      'HttpOnly',
      'Max-Age=1000',
      'Path=/iam',
      'SameSite=Strict',
      'Secure',
    ]);
    expect([access, refresh].every((each) => each !== undefined && each.bytes < 4_096)).toBe(true);
    expect((await browser.jar.getCookies(`${world.url}/orders`)).map(({ key }) => key)).toEqual([
      '__Host-iam-access',
    ]);
  });

  it('are taken away by the same names, paths and attributes', async () => {
    const { browser } = await signIn();

    const reply = await signOut(world.url, browser, { visit: scripted });

    expect(cookiesOf(reply)).toMatchObject([
      {
        name: '__Host-iam-access',
        value: '',
        attributes: ['HttpOnly', 'Max-Age=0', 'Path=/', 'SameSite=Lax', 'Secure'],
      },
      {
        name: '__Secure-iam-refresh',
        value: '',
        attributes: ['HttpOnly', 'Max-Age=0', 'Path=/iam', 'SameSite=Strict', 'Secure'],
      },
    ]);
    expect(await browser.jar.getCookies(`${world.url}/iam/token`)).toEqual([]);
  });

  it('live as long as the session does if it is not refreshed, and not beyond its end', async () => {
    const { browser } = await signIn();
    clock.advance(600);

    const [access, refresh] = cookiesOf(await refreshByCookie(world.url, browser, { visit: scripted }));
    clock.advance(-600);

    const maxAge = /^Max-Age=(89\d|9[01]\d)$/;
    expect(access?.attributes).toContainEqual(expect.stringMatching(maxAge));
    expect(refresh?.attributes).toContainEqual(expect.stringMatching(maxAge));
  });

  it('cannot be planted by a sibling domain', async () => {
    const [mine, planted] = [(await signIn()).browser, (await signIn()).browser];
    const valueOf = async (browser: PcBrowser, name: string) =>
      (await browser.jar.getCookies(`${world.url}/iam/token`)).find(({ key }) => key === name)?.value ?? '';
    const foreignAccess = await valueOf(planted, '__Host-iam-access');
    const foreignRefresh = await valueOf(planted, '__Secure-iam-refresh');
    const ownAccess = await valueOf(mine, '__Host-iam-access');
    const send = (path: string, cookie: string, form?: Record<string, string>) =>
      new PcBrowser().visit(`${world.url}${path}`, {
        headers: { ...scripted.headers, cookie },
        ...(form !== undefined && { form }),
      });

    const withoutPrefix = await send('/iam/me', `iam-access=${foreignAccess}`);
    const refreshAlone = await send(
      '/iam/token',
      `__Secure-iam-refresh=${foreignRefresh}; iam-access=${foreignAccess}`,
      {
        grant_type: 'refresh_token',
        client_id: 'shop',
      },
    );
    const beside = await send(
      '/iam/token',
      `__Secure-iam-refresh=${foreignRefresh}; __Secure-iam-refresh=${await valueOf(mine, '__Secure-iam-refresh')}; __Host-iam-access=${ownAccess}`,
      { grant_type: 'refresh_token', client_id: 'shop' },
    );

    expect(withoutPrefix.status).toBe(401);
    expect(refreshAlone.json()['error']).toBe('invalid_grant');
    expect(beside.status).toBe(200);
    expect(cookiesOf(beside)[1]?.value.split('.')[1]).toBe(
      (await valueOf(mine, '__Secure-iam-refresh')).split('.')[1],
    );
  });
});

describe('the cookies of a host with a global prefix', () => {
  it('go to the endpoints where they are', async () => {
    const world = await startWorld({
      options: { clients: [cookieClient()] },
      prepare: (app) => app.setGlobalPrefix('api'),
    });
    const browser = new PcBrowser();

    const reply = await browser.visit(`${world.url}/api/iam/revoke`, {
      form: { client_id: 'shop' },
      from: world.url,
    });
    await world.close();

    expect(cookiesOf(reply).map(({ name, attributes }) => [name, attributes[2]])).toEqual([
      ['iam-access', 'Path=/'],
      ['iam-refresh', 'Path=/api/iam'],
    ]);
  });
});
