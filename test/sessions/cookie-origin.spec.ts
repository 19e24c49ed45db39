import { Body, Controller, Delete, Get, Module, Post, Put, UseGuards } from '@nestjs/common';
import { type AuthenticatedUser, CurrentUser, IamGuard, OptionalAuth } from '../../src/index.js';
import {
  codeForm,
  cookieClient,
  cookiesOf,
  refreshByCookie,
  signInWithCookies,
  signOut,
} from '../support/cookie-client.js';
import { FakeClock } from '../support/fake-clock.js';
import { startWorld, type World } from '../support/iam-app.js';
import { PcBrowser, type Reply } from '../support/pc-browser.js';
import { platforms } from '../support/platforms.js';
import { valueOf } from '../support/rows.js';
import { signInOnPc } from '../support/sign-in.js';

const orders: unknown[] = [];

@Controller('orders')
@UseGuards(IamGuard)
class OrdersController {
  @Get()
  list() {
    return orders;
  }

  @Post()
  create(@Body() body: unknown) {
    orders.push(body ?? null);
    return {};
  }

  @Put()
  change() {
    orders.push('changed');
    return {};
  }

  @Delete()
  remove() {
    orders.push('removed');
    return {};
  }
}

@Module({ controllers: [OrdersController] })
class OrdersModule {}

@Controller('shop-window')
class ShopWindowController {
  @Get()
  @UseGuards(IamGuard)
  @OptionalAuth()
  look(@CurrentUser() user: AuthenticatedUser | undefined) {
    return { signedIn: user !== undefined };
  }
}

@Module({ controllers: [ShopWindowController] })
class ShopWindowModule {}

const spa = 'https://spa.example.com';

const bearerOrigin = 'https://bearer.example.com';

const clients = [
  cookieClient('shop', [spa]),
  { id: 'bearer', redirectUris: [`${bearerOrigin}/back`], origins: [bearerOrigin] },
];

type Headers = Record<string, string>;

type FromBase = (base: string) => Headers;

const trusted: [string, FromBase][] = [
  ['a page of the same origin', () => ({ 'sec-fetch-site': 'same-origin' })],
  [
    'a page of the same origin, which says so twice',
    (base) => ({ 'sec-fetch-site': 'same-origin', origin: base }),
  ],
  ['a page of the same origin in a browser without Fetch Metadata', (base) => ({ origin: base })],
  ['a page of the client on a sibling domain', () => ({ 'sec-fetch-site': 'same-site', origin: spa })],
  ['a page of the client elsewhere', () => ({ 'sec-fetch-site': 'cross-site', origin: spa })],
];

const foreign: [string, FromBase][] = [
  ['nowhere', () => ({})],
  ['a page that only a Referer names', (base) => ({ referer: `${base}/` })],
  ['a sibling domain', () => ({ 'sec-fetch-site': 'same-site' })],
  ['another site', () => ({ 'sec-fetch-site': 'cross-site' })],
  ['another site by name', () => ({ 'sec-fetch-site': 'cross-site', origin: 'https://evil.example' })],
  ['another site in a browser without Fetch Metadata', () => ({ origin: 'https://evil.example' })],
  ['the address bar', () => ({ 'sec-fetch-site': 'none' })],
  ['a sandboxed frame', () => ({ 'sec-fetch-site': 'cross-site', origin: 'null' })],
  ['an origin that begins like ours', (base) => ({ origin: `${base}.evil.example` })],
  ['our host on another port', () => ({ 'sec-fetch-site': 'same-site', origin: 'http://localhost:1' })],
  ['our host by another scheme', (base) => ({ origin: base.replace('http:', 'https:') })],
  ['our origin in capitals', (base) => ({ origin: base.toUpperCase() })],
  ['our origin with a slash', (base) => ({ origin: `${base}/` })],
  ['two origins', (base) => ({ origin: `${base}, https://evil.example` })],
  ['two kinds of site', () => ({ 'sec-fetch-site': 'same-origin, cross-site' })],
  ['the origin of a bearer client', () => ({ 'sec-fetch-site': 'cross-site', origin: bearerOrigin })],
];

describe.each(platforms)('what a browser’s cookies may do on %s', (_name, create) => {
  let world: World;

  beforeAll(async () => {
    world = await startWorld({ options: { clients }, imports: [OrdersModule], create });
  });
  afterAll(() => world.close());
  beforeEach(() => {
    orders.length = 0;
  });

  const newPerson = () => world.wechat.person({ nickname: '源' });
  const signedIn = async () => {
    const browser = new PcBrowser();
    await signInWithCookies(world, newPerson(), browser);
    return browser;
  };
  const cookiesIn = (browser: PcBrowser) => browser.jar.getCookieString(`${world.url}/iam/token`);
  /** With the cookies whatever SameSite says, as a browser without SameSite would. */
  const send = async (
    browser: PcBrowser,
    method: string,
    path: string,
    headers: Headers,
    body?: string,
  ): Promise<Reply> => {
    const cookie = await cookiesIn(browser);
    const type: Headers = body === undefined ? {} : { 'content-type': 'application/json' };
    const response = await fetch(`${world.url}${path}`, {
      method,
      headers: { cookie, accept: 'application/json', ...type, ...headers },
      body: body ?? null,
    });
    const text = await response.text();
    return {
      status: response.status,
      headers: response.headers,
      location: null,
      text,
      json: () => JSON.parse(text) as Record<string, unknown>,
    };
  };
  const liveSessions = () =>
    valueOf(world.dataSource, 'SELECT count(*)::int FROM iam.sessions WHERE ended_at IS NULL');

  describe.each(trusted)('sent by %s', (_case, headersOf) => {
    it('write on the host’s routes, refresh and sign out', async () => {
      const browser = await signedIn();
      const headers = headersOf(world.url);

      const writes = [
        await send(browser, 'POST', '/orders', headers, '{"a":1}'),
        await send(browser, 'PUT', '/orders', headers),
        await send(browser, 'DELETE', '/orders', headers),
      ];
      const refreshed = await refreshByCookie(world.url, browser, { visit: { headers } });
      const out = await signOut(world.url, browser, { visit: { headers } });

      expect(writes.map(({ status }) => status)).toEqual([201, 200, 200]);
      expect(orders).toEqual([{ a: 1 }, 'changed', 'removed']);
      expect([refreshed.status, out.status]).toEqual([200, 200]);
    });
  });

  describe.each(foreign)('sent by %s', (_case, headersOf) => {
    it('change nothing on the host’s routes', async () => {
      const browser = await signedIn();
      const headers = headersOf(world.url);

      const replies = [
        await send(browser, 'POST', '/orders', headers, '{}'),
        await send(browser, 'PUT', '/orders', headers),
        await send(browser, 'DELETE', '/orders', headers),
      ];

      expect(replies.map((reply) => [reply.status, reply.json()['code']])).toEqual(
        Array(3).fill([403, 'origin_forbidden']),
      );
      expect(orders).toEqual([]);
    });

    it('change nothing of ours: not a session, not a cookie', async () => {
      const browser = await signedIn();
      const headers = headersOf(world.url);
      const [before, sessions] = [await cookiesIn(browser), await liveSessions()];

      const replies = [
        await send(browser, 'DELETE', '/iam/me/sessions', headers),
        await refreshByCookie(world.url, browser, { visit: { headers } }),
        await signOut(world.url, browser, { visit: { headers } }),
      ];

      expect(replies.map(({ status }) => status)).toEqual([403, 403, 403]);
      expect(replies[0]?.json()['code']).toBe('origin_forbidden');
      expect(replies[1]?.json()['error']).toBe('access_denied');
      expect(replies.flatMap(cookiesOf)).toEqual([]);
      expect([await cookiesIn(browser), await liveSessions()]).toEqual([before, sessions]);
      expect((await refreshByCookie(world.url, browser)).status).toBe(200);
    });

    it('sign nobody in as somebody else, and spend no code', async () => {
      const browser = await signedIn();
      const form = await codeForm(world, newPerson());
      const before = await cookiesIn(browser);

      const forced = await browser.visit(`${world.url}/iam/token`, { form, headers: headersOf(world.url) });
      const after = await cookiesIn(browser);
      const own = await new PcBrowser().visit(`${world.url}/iam/token`, { form, from: world.url });

      expect([forced.status, cookiesOf(forced)]).toEqual([403, []]);
      expect(after).toBe(before);
      expect(own.status).toBe(200);
    });

    it('read, for reading changes nothing', async () => {
      const browser = await signedIn();
      const sessions = await liveSessions();

      const replies = [
        await send(browser, 'GET', '/orders', headersOf(world.url)),
        await send(browser, 'GET', '/iam/me', headersOf(world.url)),
        await send(browser, 'GET', '/iam/token', headersOf(world.url)),
        await send(browser, 'GET', '/iam/revoke?client_id=shop', headersOf(world.url)),
      ];

      expect(replies.map(({ status }) => status)).toEqual([200, 200, 404, 404]);
      expect(replies.flatMap(cookiesOf)).toEqual([]);
      expect(await liveSessions()).toBe(sessions);
    });
  });

  it.each(['text/plain', 'TEXT/Plain; charset=utf-8', ' text/plain'])(
    'refuses a body of %s, also from our own pages',
    async (type) => {
      const browser = await signedIn();
      const headers = { 'sec-fetch-site': 'same-origin', 'content-type': type };

      const replies = [
        await send(browser, 'POST', '/orders', headers, '{"client_id":"shop"}'),
        await send(browser, 'DELETE', '/iam/me/sessions', headers, '{}'),
      ];
      const token = await send(browser, 'POST', '/iam/revoke', headers, '{"client_id":"shop"}');

      expect(replies.map((reply) => [reply.status, reply.json()['code']])).toEqual(
        Array(2).fill([403, 'origin_forbidden']),
      );
      expect([token.status, token.json()['error']]).toEqual([400, 'invalid_request']);
      expect(orders).toEqual([]);
      expect((await refreshByCookie(world.url, browser)).status).toBe(200);
    },
  );

  it('takes forms and JSON from our own pages', async () => {
    const browser = await signedIn();

    const json = await browser.visit(`${world.url}/iam/token`, {
      body: { grant_type: 'refresh_token', client_id: 'shop' },
      from: world.url,
    });
    const form = await refreshByCookie(world.url, browser);

    expect([json.status, form.status]).toEqual([200, 200]);
  });

  it('asks a bearer for nothing of the kind: no browser sends a token by itself', async () => {
    const { accessToken } = await signInOnPc(world, newPerson());
    const authorization = `Bearer ${accessToken}`;
    const headers = { authorization, origin: 'https://evil.example', 'sec-fetch-site': 'cross-site' };

    const reply = await send(new PcBrowser(), 'POST', '/orders', headers, '{}');

    expect(reply.status).toBe(201);
  });

  it('never arrives from another site at all in a browser that knows SameSite', async () => {
    const browser = await signedIn();

    const reply = await browser.visit(`${world.url}/orders`, {
      method: 'POST',
      from: 'https://evil.example',
    });

    expect([reply.status, reply.json()['code']]).toEqual([401, 'authentication_required']);
  });
});

const publicUrl = 'https://app.example.com';

const scripted = { headers: { origin: publicUrl, accept: 'application/json' } };

describe('the cookies of a session on https', () => {
  const clock = new FakeClock();
  let world: World;

  beforeAll(async () => {
    world = await startWorld({
      clock,
      imports: [ShopWindowModule],
      options: {
        publicUrl,
        wechat: { allowLoopback: true },
        clients: [cookieClient()],
        tokens: { idle: 1_000, absolute: 1_500 },
      },
      prepare: (app) => app.setGlobalPrefix('api', { exclude: ['iam/{*all}', 'shop-window'] }),
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
    // The session begins at the time of PostgreSQL, which has gone on since the clock was stopped.
    clock.advance((Date.now() - clock.now()) / 1000);
    const { browser } = await signIn();
    const startedAt = await valueOf(world.dataSource, 'SELECT max(created_at) FROM iam.sessions');
    const ahead = (Number(startedAt) - clock.now()) / 1_000 + 600.5;
    clock.advance(ahead);

    const [access, refresh] = cookiesOf(await refreshByCookie(world.url, browser, { visit: scripted }));
    clock.advance(-ahead);

    expect(access?.attributes).toContain('Max-Age=900');
    expect(refresh?.attributes).toContain('Max-Age=900');
  });

  it('are refused once they have expired, also where strangers are admitted, until a refresh renews or removes them', async () => {
    const { browser } = await signIn();
    const look = async () => {
      const reply = await browser.visit(`${world.url}/shop-window`, scripted);
      return reply.status === 200 ? reply.json() : reply.status;
    };
    const before = await look();

    clock.advance(961);
    const expired = await look();
    await refreshByCookie(world.url, browser, { visit: scripted });
    const renewed = await look();
    await world.dataSource.query('UPDATE iam.sessions SET ended_at = now()');
    clock.advance(961);
    const over = await look();
    await refreshByCookie(world.url, browser, { visit: scripted });
    const removed = await look();
    clock.advance(-1922);

    expect([before, expired, renewed]).toEqual([{ signedIn: true }, 401, { signedIn: true }]);
    expect([over, removed]).toEqual([401, { signedIn: false }]);
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
