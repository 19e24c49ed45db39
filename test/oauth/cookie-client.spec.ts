import { randomUUID } from 'node:crypto';
import { Controller, Get, Module, Post, Req, UseGuards } from '@nestjs/common';
import { AccessTokens, type AuthenticatedUser, CurrentUser, IamGuard } from '../../src/index.js';
import {
  cookieClient,
  cookiesOf,
  refreshByCookie,
  signInWithCookies,
  signOut,
} from '../support/cookie-client.js';
import { FakeClock } from '../support/fake-clock.js';
import { startReplica, startWorld, type IamApp, type World } from '../support/iam-app.js';
import { PcBrowser, type Reply } from '../support/pc-browser.js';
import { onFastify } from '../support/platforms.js';
import { countQueries } from '../support/query-counter.js';
import { rowsOf, valueOf } from '../support/rows.js';
import { getWith, signInOnPc } from '../support/sign-in.js';
import { refresh, revoke } from '../support/signed-in.js';

@Controller('orders')
@UseGuards(IamGuard)
class OrdersController {
  @Get()
  list(@CurrentUser() user: AuthenticatedUser) {
    return user;
  }

  @Post()
  create(@CurrentUser() user: AuthenticatedUser, @Req() request: { readonly body: unknown }) {
    return { id: user.id, body: request.body };
  }
}

@Module({ controllers: [OrdersController] })
class OrdersModule {}

const AN_HOUR = 3_600;
const clients = [
  cookieClient(),
  cookieClient('admin'),
  { id: 'app', redirectUris: ['https://app.example/back'] },
];

describe('a client with tokens in cookies', () => {
  const clock = new FakeClock();
  let world: World;
  let fastify: IamApp;

  beforeAll(async () => {
    world = await startWorld({ options: { clients }, imports: [OrdersModule], clock });
    fastify = await startReplica(world, { options: { clients }, imports: [OrdersModule], create: onFastify });
  });
  afterAll(async () => {
    await fastify.close();
    await world.close();
  });

  const newPerson = () => world.wechat.person({ nickname: '饼' });
  const signedIn = async (person = newPerson(), browser = new PcBrowser()) => {
    const reply = await signInWithCookies(world, person, browser);
    return { reply, browser };
  };
  const me = (browser: PcBrowser) => browser.visit(`${world.url}/iam/me`, { from: world.url });
  const idOf = async (browser: PcBrowser) => (await me(browser)).json()['id'];
  const cookie = async (browser: PcBrowser, name: string) =>
    (await browser.jar.getCookies(`${world.url}/iam/token`)).find(({ key }) => key === name)?.value ?? '';
  const accessToken = (browser: PcBrowser) => cookie(browser, 'iam-access');
  const refreshToken = (browser: PcBrowser) => cookie(browser, 'iam-refresh');
  const sessionOf = async (browser: PcBrowser) =>
    String((await browser.visit(`${world.url}/orders`, { from: world.url })).json()['sessionId']);
  const endReason = (session: string) =>
    valueOf(world.dataSource, 'SELECT end_reason FROM iam.sessions WHERE id = $1', [session]);
  const isCleared = (reply: Reply) =>
    cookiesOf(reply).map(({ name, value, attributes }) => [name, value, attributes.includes('Max-Age=0')]);
  const cleared = [
    ['iam-access', '', true],
    ['iam-refresh', '', true],
  ];

  describe('signs in', () => {
    it('with an answer that holds no token', async () => {
      const { reply } = await signedIn();

      expect(reply.status).toBe(200);
      expect(reply.json()).toEqual({ token_type: 'N_A', expires_in: 900 });
      expect(reply.headers.get('cache-control')).toBe('no-store');
    });

    it('and is known by its cookie on our routes and the host’s, without a query', async () => {
      const { browser } = await signedIn();
      const id = await idOf(browser);
      const queries = countQueries(world.database.url);

      const reply = await browser.visit(`${world.url}/orders`, { from: world.url });
      queries.stop();

      expect(reply.json()).toMatchObject({ id, clientId: 'shop', method: 'open' });
      expect(queries.since(0)).toEqual([]);
      expect(reply.headers.get('vary')).toMatch(/authorization, cookie/i);
    });

    it('on Fastify too', async () => {
      const site = { url: fastify.url, wechat: world.wechat };
      const browser = new PcBrowser();

      const token = await signInWithCookies(site, newPerson(), browser, { visit: { from: world.url } });
      const reply = await browser.visit(`${fastify.url}/orders`);
      const anonymous = await new PcBrowser().visit(`${fastify.url}/orders`);

      expect(token.json()).toEqual({ token_type: 'N_A', expires_in: 900 });
      expect([reply.status, anonymous.status]).toEqual([200, 401]);
      expect(reply.headers.get('vary')).toMatch(/authorization, cookie/i);
    });

    it('anew with another session, and ends the one that the browser had', async () => {
      const { browser } = await signedIn();
      const before = { session: await sessionOf(browser), refresh: await refreshToken(browser) };

      await signInWithCookies(world, newPerson(), browser);

      expect(await sessionOf(browser)).not.toBe(before.session);
      expect(await endReason(before.session)).toBe('replaced');
      expect(
        await valueOf(
          world.dataSource,
          `SELECT count(*)::int FROM iam.audit_log WHERE action = 'session.replaced' AND session_id = $1`,
          [before.session],
        ),
      ).toBe(1);
      const reused = await refresh(world.url, before.refresh, { client_id: 'app' });
      expect(reused.json()['error']).toBe('invalid_grant');
    });

    it('anew, also when the access token of the old session has expired', async () => {
      const { browser } = await signedIn();
      const session = await sessionOf(browser);
      clock.advance(AN_HOUR);

      await signInWithCookies(world, newPerson(), browser);

      expect(await endReason(session)).toBe('replaced');
    });

    it('and leaves the cookies when the code was none', async () => {
      const { browser } = await signedIn();
      const id = await idOf(browser);
      const form = {
        grant_type: 'authorization_code',
        client_id: 'shop',
        code: 'x',
        code_verifier: 'v'.repeat(43),
      };

      const reply = await browser.visit(`${world.url}/iam/token`, { form, from: world.url });

      expect([reply.json()['error'], cookiesOf(reply)]).toEqual(['invalid_grant', []]);
      expect(await idOf(browser)).toBe(id);
    });
  });

  describe('refreshes', () => {
    it('by its cookie alone, and goes on with the same session', async () => {
      const { browser } = await signedIn();
      const before = { session: await sessionOf(browser), refresh: await refreshToken(browser) };
      clock.advance(AN_HOUR);
      const expired = await me(browser);

      const reply = await refreshByCookie(world.url, browser);

      expect([expired.status, expired.json()['code']]).toEqual([401, 'invalid_token']);
      expect(reply.json()).toEqual({ token_type: 'N_A', expires_in: 900 });
      expect(await refreshToken(browser)).not.toBe(before.refresh);
      expect(await sessionOf(browser)).toBe(before.session);
    });

    it('with as many round trips as a bearer client', async () => {
      const { browser } = await signedIn();
      const queries = countQueries(world.database.url);

      await refreshByCookie(world.url, browser);
      queries.stop();

      expect(queries.since(0)).toHaveLength(1);
    });

    it('a session that another cookie client of the site began: the browser has one', async () => {
      const { browser } = await signedIn();

      const reply = await refreshByCookie(world.url, browser, { clientId: 'admin' });

      expect(reply.status).toBe(200);
      expect((await browser.visit(`${world.url}/orders`)).json()['clientId']).toBe('shop');
    });

    it('a session that is over by losing its cookies', async () => {
      const { browser } = await signedIn();
      await world.dataSource.query('UPDATE iam.sessions SET ended_at = now() WHERE id = $1', [
        await sessionOf(browser),
      ]);

      const reply = await refreshByCookie(world.url, browser);

      expect([reply.status, reply.json()['error']]).toEqual([400, 'invalid_grant']);
      expect(isCleared(reply)).toEqual(cleared);
      expect((await me(browser)).json()['code']).toBe('authentication_required');
    });

    it('nothing in a browser that has no session', async () => {
      const reply = await refreshByCookie(world.url, new PcBrowser());

      expect([reply.status, reply.json()['error']]).toEqual([400, 'invalid_grant']);
    });

    it('nothing with the refresh token of another session than the access cookie’s', async () => {
      const [mine, planted] = [(await signedIn()).browser, (await signedIn()).browser];
      const session = await sessionOf(mine);
      const foreign = await refreshToken(planted);
      const own = await refreshToken(mine);
      const send = (cookies: string) =>
        new PcBrowser().visit(`${world.url}/iam/token`, {
          form: { grant_type: 'refresh_token', client_id: 'shop' },
          headers: { origin: world.url, cookie: cookies },
        });

      const alone = await send(`iam-refresh=${foreign}`);
      const mismatched = await send(`iam-refresh=${foreign}; iam-access=${await accessToken(mine)}`);
      const tossed = await send(
        `iam-refresh=${foreign}; iam-access=${await accessToken(mine)}; iam-refresh=${own}`,
      );

      expect([alone.json()['error'], mismatched.json()['error']]).toEqual(['invalid_grant', 'invalid_grant']);
      expect(tossed.status).toBe(200);
      expect(cookiesOf(tossed)[1]?.value).toContain(session);
      expect(await endReason(await sessionOf(planted))).toBeNull();
    });

    it('nothing for a bearer client, which has no cookie', async () => {
      const { browser } = await signedIn();

      const reply = await refreshByCookie(world.url, browser, { clientId: 'web' });

      expect([reply.status, reply.json()['error'], cookiesOf(reply)]).toEqual([400, 'invalid_request', []]);
    });

    it('by the tokens that it had before it was a cookie client, which go into cookies then', async () => {
      const { browser } = await signedIn();
      const form = {
        grant_type: 'refresh_token',
        client_id: 'shop',
        refresh_token: await refreshToken(browser),
      };
      const fresh = new PcBrowser();

      const reply = await fresh.visit(`${world.url}/iam/token`, { form, from: world.url });

      expect(reply.json()).toEqual({ token_type: 'N_A', expires_in: 900 });
      expect(await idOf(fresh)).toBe(await idOf(browser));
    });
  });

  describe('signs out', () => {
    it('by its cookies, as often as it likes', async () => {
      const { browser } = await signedIn();
      const [session, token] = [await sessionOf(browser), await refreshToken(browser)];

      const replies = [await signOut(world.url, browser), await signOut(world.url, browser)];

      expect(replies.map(({ status, text }) => [status, text])).toEqual([
        [200, ''],
        [200, ''],
      ]);
      expect(replies.map(isCleared)).toEqual([cleared, cleared]);
      expect(await endReason(session)).toBe('revoked');
      expect(await browser.jar.getCookies(world.url)).toEqual([]);
      expect((await refresh(world.url, token, { client_id: 'app' })).json()['error']).toBe('invalid_grant');
    });

    it.each([
      ['when the access token has expired', AN_HOUR, 'shop'],
      ['as another client of the same browser', 0, 'admin'],
    ])('%s', async (_case, seconds, clientId) => {
      const { browser } = await signedIn();
      const session = await sessionOf(browser);
      clock.advance(seconds);

      const reply = await signOut(world.url, browser, { clientId });

      expect([reply.status, isCleared(reply)]).toEqual([200, cleared]);
      expect(await endReason(session)).toBe('revoked');
    });

    it('with the access cookie alone while its token lives', async () => {
      const { browser } = await signedIn();
      const session = await sessionOf(browser);
      const cookies = `iam-access=${await accessToken(browser)}`;

      await new PcBrowser().visit(`${world.url}/iam/revoke`, {
        form: { client_id: 'shop' },
        headers: { cookie: cookies, origin: world.url },
      });

      expect(await endReason(session)).toBe('revoked');
    });

    it('only with a token when it is a bearer client', async () => {
      const { browser } = await signedIn();

      const reply = await signOut(world.url, browser, { clientId: 'web' });

      expect([reply.status, reply.json()['error'], cookiesOf(reply)]).toEqual([400, 'invalid_request', []]);
      expect(await endReason(await sessionOf(browser))).toBeNull();
    });

    it('from its own sessions under /iam/me, and from the browser with it', async () => {
      const { browser } = await signedIn();
      const session = await sessionOf(browser);

      const reply = await browser.visit(`${world.url}/iam/me/sessions/${session}`, {
        method: 'DELETE',
        from: world.url,
      });

      expect([reply.status, isCleared(reply)]).toEqual([204, cleared]);
      expect(await browser.jar.getCookies(world.url)).toEqual([]);
    });
  });

  describe('and a bearer token', () => {
    it('wins over the cookie, whatever it is worth', async () => {
      const { browser } = await signedIn();
      const other = await signInOnPc(world, newPerson());
      const otherId = (await getWith(`${world.url}/iam/me`, other.accessToken)).json()['id'];
      const ask = (authorization: string) =>
        browser.visit(`${world.url}/iam/me`, { from: world.url, headers: { authorization } });

      const replies = [await ask('Bearer not.a.token'), await ask('Bearer'), await ask('Bearer <>')];

      expect((await ask(`Bearer ${other.accessToken}`)).json()['id']).toBe(otherId);
      expect(replies.map((reply) => reply.json()['code'])).toEqual([
        'invalid_token',
        'authentication_required',
        'authentication_required',
      ]);
    });

    it('of another scheme, which a proxy asks for, does not shut the cookie out', async () => {
      const { browser } = await signedIn();

      const reply = await browser.visit(`${world.url}/iam/me`, { headers: { authorization: 'Basic eDp5' } });

      expect(reply.status).toBe(200);
    });

    it('of a bearer client is no cookie', async () => {
      const { accessToken: token } = await signInOnPc(world, newPerson());

      const reply = await new PcBrowser().visit(`${world.url}/iam/me`, {
        from: world.url,
        headers: { cookie: `iam-access=${token}` },
      });

      expect([reply.status, reply.json()['code']]).toEqual([401, 'invalid_token']);
    });

    it('may be the one of the cookie, for the host’s own server-side calls, which nobody can forge from elsewhere', async () => {
      const { browser } = await signedIn();

      const reply = await getWith(`${world.url}/iam/me`, await accessToken(browser));

      expect(reply.status).toBe(200);
    });
  });

  it('has every grant end in cookies', async () => {
    const mini = world.account.miniProgram();
    await world.saveProvider({ mini_app_id: mini.appid, mini_app_secret: mini.secret });
    const browser = new PcBrowser();
    const form = {
      grant_type: 'urn:wechat:grant:mini_program',
      client_id: 'shop',
      provider: 'wechat',
      code: newPerson().wxLogin(mini),
    };

    const reply = await browser.visit(`${world.url}/iam/token`, { form, from: world.url });

    expect(reply.json()).toEqual({ token_type: 'N_A', expires_in: 900 });
    expect((await browser.visit(`${world.url}/orders`)).json()['method']).toBe('mini');
  });

  it('is told on the server’s side when a user has more roles than a cookie can hold, and has no more sessions', async () => {
    const who = newPerson();
    const { browser } = await signedIn(who);
    const userId = await idOf(browser);
    await world.dataSource.query(
      `INSERT INTO iam.roles (name) SELECT 'a-rather-long-name-of-a-role-' || n FROM generate_series(1, 150) n`,
    );
    await world.dataSource.query(
      `INSERT INTO iam.user_roles (user_id, role) SELECT $1, name FROM iam.roles WHERE name LIKE 'a-rather%'`,
      [userId],
    );

    const replies = [await refreshByCookie(world.url, browser), (await signedIn(who, browser)).reply];

    expect(replies.map((reply) => [reply.status, cookiesOf(reply)])).toEqual([
      [500, []],
      [500, []],
    ]);
    expect(
      await rowsOf(
        world.dataSource,
        'SELECT end_reason FROM iam.sessions WHERE user_id = $1 ORDER BY created_at',
        [userId],
      ),
    ).toEqual([{ end_reason: null }, { end_reason: 'revoked' }]);
  });

  it('has sessions like everybody: bearer clients can neither go on with nor end them', async () => {
    const { browser } = await signedIn();
    const [session, token] = [await sessionOf(browser), await refreshToken(browser)];

    const refreshed = await refresh(world.url, token, { client_id: 'web' });
    await revoke(world.url, token, { client_id: 'web' });

    expect(refreshed.json()['error']).toBe('invalid_grant');
    expect(
      await rowsOf(world.dataSource, 'SELECT generation, end_reason FROM iam.sessions WHERE id = $1', [
        session,
      ]),
    ).toEqual([{ generation: 0, end_reason: null }]);
  });

  it('is refused with a cookie of nobody', async () => {
    const token = await world.app.get(AccessTokens).issue({
      userId: randomUUID(),
      sessionId: randomUUID(),
      clientId: 'web',
      roles: [],
      method: 'open',
      signedInAt: new Date(),
    });
    const cookies = ['iam-access=', 'iam-access=x', `iam-access=${token}`, `__Host-iam-access=${token}`];

    const replies = await Promise.all(
      cookies.map((each) =>
        new PcBrowser().visit(`${world.url}/iam/me`, { from: world.url, headers: { cookie: each } }),
      ),
    );

    expect(replies.map(({ status }) => status)).toEqual([401, 401, 401, 401]);
  });
});
