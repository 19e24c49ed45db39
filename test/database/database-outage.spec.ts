import { Controller, Get, Module, UseGuards } from '@nestjs/common';
import { type AuthenticatedUser, CurrentUser, IamGuard } from '../../src/index.js';
import { FakeClock } from '../support/fake-clock.js';
import { type IamApp, startReplica, startWorld, type World } from '../support/iam-app.js';
import { LogCapture } from '../support/log-capture.js';
import { PcBrowser, type Reply } from '../support/pc-browser.js';
import { valueOf } from '../support/rows.js';
import { approveOnPc, authorizeUrl, getWith, pkce, redeem, toTokens } from '../support/sign-in.js';
import { TcpProxy } from '../support/tcp-proxy.js';

const scripted = { headers: { accept: 'application/json' } };

@Controller('own')
class OwnController {
  @Get()
  @UseGuards(IamGuard)
  show(@CurrentUser() user: AuthenticatedUser): AuthenticatedUser {
    return user;
  }
}

@Module({ controllers: [OwnController] })
class OwnModule {}

describe('while PostgreSQL is away', () => {
  let world: World;
  let proxy: TcpProxy;
  /** Reaches the database by way of the proxy. */
  let iam: IamApp;
  const clock = new FakeClock();
  const logger = new LogCapture();

  beforeAll(async () => {
    world = await startWorld({ clock, logger });
    proxy = await TcpProxy.start(world.database.url);
    iam = await startReplica(world, { databaseUrl: proxy.url, clock, logger, imports: [OwnModule] });
    await iam.dataSource.query('SELECT 1');
  });
  afterAll(async () => {
    await iam.close();
    await proxy.cut();
    await world.close();
  });
  beforeEach(async () => {
    logger.clear();
    world.wechat.clearCalls();
    await providersOf(iam);
  });
  afterEach(() => proxy.restore());

  const providersOf = ({ url }: IamApp) => new PcBrowser().visit(`${url}/iam/providers`, scripted);
  const approve = () => approveOnPc(world, world.wechat.person({ nickname: '小兰' }));
  const start = () => {
    const url = authorizeUrl(world.url, pkce().challenge).replace(`${world.url}/iam`, `${iam.url}/iam`);
    return new PcBrowser().visit(url);
  };
  const callBack = ({ browser, callback }: Awaited<ReturnType<typeof approve>>) =>
    browser.visit(`${iam.url}${callback.pathname}${callback.search}`);
  const errorOf = ({ location }: Reply) => location?.searchParams.get('error');

  it('sign-ins still start for as long as the rows in memory are fresh', async () => {
    await proxy.cut();

    const reply = await start();

    expect(reply.status).toBe(302);
    expect(reply.location?.pathname).toBe('/connect/qrconnect');
  });

  it('a start that needs the rows goes back to the client as temporarily_unavailable', async () => {
    clock.advance(60);
    await proxy.cut();

    const reply = await start();

    expect(reply.status).toBe(303);
    expect(errorOf(reply)).toBe('temporarily_unavailable');
    expect(logger.with('database_unavailable')).toHaveLength(1);
  });

  it('scripts get problem+json and people a page, both with 503 and when to try again', async () => {
    clock.advance(60);
    await proxy.cut();

    const script = await providersOf(iam);
    const page = await new PcBrowser().visit(`${iam.url}/iam/providers`);

    expect(script.status).toBe(503);
    expect(script.json()['code']).toBe('database_unavailable');
    expect(page.status).toBe(503);
    expect(page.headers.get('content-type')).toBe('text/html; charset=utf-8');
    for (const reply of [script, page]) expect(reply.headers.get('retry-after')).toBe('1');
  });

  it('a callback asks WeChat nothing, and the same callback succeeds afterwards', async () => {
    const approved = await approve();
    await proxy.cut();

    const reply = await callBack(approved);
    const asked = world.wechat.calls('/sns/oauth2/access_token').length;
    await proxy.restore();
    const again = await callBack(approved);

    expect(errorOf(reply)).toBe('temporarily_unavailable');
    expect(asked).toBe(0);
    expect(logger.with('database_unavailable')).toHaveLength(1);
    expect(again.location?.searchParams.get('code')).toEqual(expect.any(String));
  });

  it('a code is not redeemed, and is redeemed afterwards', async () => {
    const approved = await approve();
    const returned = await callBack(approved);
    await proxy.cut();

    const refused = await redeem(
      iam.url,
      { ...approved, returned },
      { redirect_uri: `${world.url}/signed-in` },
    );
    await proxy.restore();
    const granted = await redeem(
      iam.url,
      { ...approved, returned },
      { redirect_uri: `${world.url}/signed-in` },
    );

    expect(refused.status).toBe(503);
    expect(refused.json()['error']).toBe('temporarily_unavailable');
    expect(refused.headers.get('retry-after')).toBe('1');
    expect(granted.status).toBe(200);
  });

  it('a sign-in cut off between the exchange and the database ends as temporarily_unavailable, and leaves no half user', async () => {
    const approved = await approve();
    const before = await valueOf(world.dataSource, 'SELECT count(*)::int FROM iam.users');
    world.wechat.once('/sns/userinfo', { delay: 300 });

    const answering = callBack(approved);
    while (world.wechat.calls('/sns/userinfo').length === 0)
      await new Promise((resolve) => setTimeout(resolve, 10));
    await proxy.cut();
    const reply = await answering;
    await proxy.restore();

    expect(errorOf(reply)).toBe('temporarily_unavailable');
    expect(await valueOf(world.dataSource, 'SELECT count(*)::int FROM iam.users')).toBe(before);
    expect(world.wechat.calls('/sns/oauth2/access_token')).toHaveLength(1);
  });

  it('signed-in people stay signed in: a guarded request needs no database', async () => {
    const approved = await approve();
    const tokens = toTokens(await redeem(world.url, { ...approved, returned: await callBack(approved) }));
    await getWith(`${iam.url}/own`, tokens.accessToken);
    await proxy.cut();

    const own = await getWith(`${iam.url}/own`, tokens.accessToken);
    const me = await getWith(`${iam.url}/iam/me`, tokens.accessToken);

    expect(own.status).toBe(200);
    expect(own.json()['id']).toEqual(expect.any(String));
    expect(me.status).toBe(503);
    expect(me.json()['code']).toBe('database_unavailable');
  });

  it('connections ended by an administrator are replaced without a restart', async () => {
    const approved = await Promise.all([approve(), approve(), approve(), approve()]);

    const replies = [];
    for (const each of approved) {
      await world.dataSource.query(
        `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
         WHERE datname = current_database() AND pid <> pg_backend_pid()`,
      );
      let reply = await callBack(each);
      while (errorOf(reply) === 'temporarily_unavailable') reply = await callBack(each);
      replies.push(reply);
    }

    for (const reply of replies) expect(reply.location?.searchParams.get('code')).toEqual(expect.any(String));
  });

  it('nothing is said of hosts, ports or statements', async () => {
    clock.advance(60);
    const approved = await approve();
    await proxy.cut();

    const replies = [await providersOf(iam), await callBack(approved), await start()];

    for (const { text, location } of replies)
      expect(text + (location?.href ?? '')).not.toMatch(
        /ECONN|postgres|SELECT|iam\.|127\.0\.0\.1:\d+\/iam_/i,
      );
  });
});
