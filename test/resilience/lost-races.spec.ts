import { createServer, type Server } from 'node:http';
import { connect } from 'node:net';
import { decodeJwt } from 'jose';
import { IamModule } from '../../src/index.js';
import { addApps, type Apps, callMe, inApp } from '../support/account.js';
import { SkewedClock } from '../support/fake-clock.js';
import { askForQrCode, confirmLink, poll, scanAndFollow, startFollowWorld } from '../support/follow.js';
import {
  type IamApp,
  redirectUri,
  startReplica,
  startWorld,
  testKey,
  type World,
} from '../support/iam-app.js';
import { LogCapture } from '../support/log-capture.js';
import { PcBrowser } from '../support/pc-browser.js';
import { valueOf } from '../support/rows.js';
import { approveOnPc, getWith, redeem, returnFromPc, signInOnPc, toTokens } from '../support/sign-in.js';
import { onPc, refresh, revoke } from '../support/signed-in.js';

/** PostgreSQL's own words for "try again": F30. */
const states = ['40001', '40P01'] as const;

describe.each(states)('a statement that PostgreSQL gives up with %s', (state) => {
  let world: World;

  beforeAll(async () => {
    world = await startWorld();
    // A sequence keeps what it counted when the transaction is undone.
    await world.dataSource.query(`
      CREATE SEQUENCE public.fault_count_seq;
      CREATE FUNCTION public.give_up() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
          IF nextval('public.fault_count_seq') <= TG_ARGV[0]::int THEN
            RAISE EXCEPTION 'injected' USING ERRCODE = '${state}';
          END IF;
          RETURN NEW;
        END
      $$`);
  });
  afterAll(() => world.close());
  afterEach(() =>
    world.dataSource.query(
      'DROP TRIGGER IF EXISTS give_up ON iam.sessions; DROP TRIGGER IF EXISTS give_up ON iam.logins; DROP TRIGGER IF EXISTS give_up ON iam.identities',
    ),
  );

  /** The next `times` writes to a table fail. */
  async function failNext(table: string, event: 'INSERT' | 'UPDATE', times: number): Promise<void> {
    await world.dataSource.query(`SELECT setval('public.fault_count_seq', 1, false)`);
    await world.dataSource.query(
      `CREATE TRIGGER give_up BEFORE ${event} ON iam.${table} FOR EACH ROW EXECUTE FUNCTION public.give_up(${times})`,
    );
  }
  const person = () => world.wechat.person({ nickname: '再' });
  const faults = async () =>
    Number(await valueOf(world.dataSource, 'SELECT last_value FROM public.fault_count_seq')) - 1;

  it.each([
    ['logins', 'INSERT'],
    ['logins', 'UPDATE'],
    ['identities', 'INSERT'],
  ] as const)('is repeated in a first sign-in (%s, %s)', async (table, event) => {
    await failNext(table, event, 3);

    const { returned } = await returnFromPc(world, person());

    expect(returned.location?.searchParams.get('error')).toBeNull();
    expect(await faults()).toBe(3);
  });

  it('is repeated in a redemption', async () => {
    const signIn = await returnFromPc(world, person());
    await failNext('sessions', 'INSERT', 3);

    expect((await redeem(world.url, signIn)).status).toBe(200);
  });

  it('is repeated in a refresh and in a revocation', async () => {
    const { refreshToken } = await onPc(world, person());
    await failNext('sessions', 'UPDATE', 3);
    const refreshed = await refresh(world.url, refreshToken);
    await world.dataSource.query(`SELECT setval('public.fault_count_seq', 1, false)`);

    const revoked = await revoke(world.url, refreshToken);

    expect([refreshed.status, revoked.status]).toEqual([200, 200]);
    expect(await faults()).toBe(3);
  });

  it('is not repeated for ever', async () => {
    const { refreshToken } = await onPc(world, person());
    await failNext('sessions', 'UPDATE', 4);

    const gaveUp = await refresh(world.url, refreshToken);
    const afterwards = await refresh(world.url, refreshToken);

    expect([gaveUp.status, afterwards.status]).toEqual([503, 200]);
  });
});

it('a sign-in that never wins a race may be tried again', async () => {
  const world = await startWorld();
  const person = world.wechat.person({ nickname: '败' });
  const { id } = await onPc(world, person);
  await world.dataSource.query(`UPDATE iam.users SET status = 'merged', merged_into = id WHERE id = $1`, [
    id,
  ]);

  const { returned } = await returnFromPc(world, person);
  await world.close();

  expect(returned.location?.searchParams.get('error')).toBe('temporarily_unavailable');
});

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

const password = 'pa55-word-of-the-proxy';

const credentials = `Basic ${Buffer.from(`app:${password}`).toString('base64')}`;

/** A proxy that tunnels for who knows the password, and notes whereto. */
async function startProxy() {
  const tunnels: string[] = [];
  const refused: string[] = [];
  const server: Server = createServer();
  server.on('connect', (request, socket, head) => {
    const target = request.url ?? '';
    if (request.headers['proxy-authorization'] !== credentials) {
      refused.push(target);
      socket.end('HTTP/1.1 407 Proxy Authentication Required\r\n\r\n');
      return;
    }
    tunnels.push(target);
    const { hostname, port } = new URL(`http://${target}`);
    const upstream = connect(Number(port), hostname, () => {
      socket.write('HTTP/1.1 200 OK\r\n\r\n');
      upstream.write(head);
      upstream.pipe(socket).pipe(upstream);
    });
    for (const end of [socket, upstream])
      end.on('error', () => [socket, upstream].map((each) => each.destroy()));
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const address = server.address();
  const port = typeof address === 'object' ? (address?.port ?? 0) : 0;
  return {
    tunnels,
    refused,
    port,
    close: () => new Promise((done) => server.close(done).closeAllConnections()),
  };
}

describe('calls to WeChat by a proxy', () => {
  let proxy: Awaited<ReturnType<typeof startProxy>>;
  let world: World | undefined;
  const environment = { ...process.env };

  beforeEach(async () => {
    proxy = await startProxy();
  });
  afterEach(async () => {
    process.env = { ...environment };
    await world?.close();
    world = undefined;
    await proxy.close();
  });

  const start = async (secret: string, logger = new LogCapture()) => {
    const url = `http://app:${secret}@127.0.0.1:${proxy.port}`;
    world = await startWorld({ logger, options: { wechat: { proxy: url } } });
    return world;
  };
  const signIn = (started: World) => signInOnPc(started, started.wechat.person({ nickname: '小兰' }));

  it('go through it with its password', async () => {
    const started = await start(password);

    expect((await signIn(started)).accessToken).toMatch(/^ey/);

    expect(new Set(proxy.tunnels)).toEqual(new Set([new URL(started.wechat.endpoints.api).host]));
  });

  it('fail where it refuses them, and show its password nowhere', async () => {
    const logger = new LogCapture();
    const started = await start(`${password}-of-old`, logger);

    await expect(signIn(started)).rejects.toThrow();

    expect(proxy.refused.length).toBeGreaterThan(0);
    expect(proxy.tunnels).toEqual([]);
    expect(started.wechat.calls('/sns/oauth2/access_token')).toEqual([]);
    expect(JSON.stringify(logger)).not.toContain(password);
  });

  it.each<[what: string, noProxy: string, isProxied: boolean]>([
    ['go through the one that the environment names, when asked to', '', true],
    ['but not to hosts that NO_PROXY names', 'localhost,127.0.0.1', false],
  ])('%s', async (_what, noProxy, isProxied) => {
    process.env['HTTP_PROXY'] = `http://app:${password}@127.0.0.1:${proxy.port}`;
    process.env['NO_PROXY'] = noProxy;
    world = await startWorld({ options: { wechat: { proxy: 'environment' } } });

    await signIn(world);

    expect(proxy.tunnels.length > 0).toBe(isProxied);
  });

  it('fail the start when the environment names none', async () => {
    process.env['HTTP_PROXY'] = `http://app:${password}@:proxy`;

    const start = startWorld({ options: { wechat: { proxy: 'environment' } } });

    await expect(start).rejects.toThrow('wechat.proxy: expected HTTPS_PROXY and HTTP_PROXY to be URLs');
    await expect(start).rejects.not.toThrow(password);
  });

  it('leave the environment alone when not asked', async () => {
    process.env['HTTP_PROXY'] = `http://app:${password}@127.0.0.1:${proxy.port}`;
    world = await startWorld();

    await signIn(world);

    expect(proxy.tunnels).toEqual([]);
  });
});

describe('where WeChat may be', () => {
  const register = (wechat: object) => () =>
    Reflect.apply(IamModule.forRoot, IamModule, [
      {
        publicUrl: 'https://app.example.com',
        keys: [testKey()],
        clients: [{ id: 'web', redirectUris: ['https://app.example.com/signed-in'] }],
        wechat,
      },
    ]) as unknown;

  it.each(['http://emulator:3001', 'http://10.1.2.3:3001', 'https://192.168.1.2', 'http://[fd00::1]'])(
    'a private network only when it is allowed: %s',
    (api) => {
      expect(register({ endpoints: { api } })).toThrow('allowPrivateEndpoints');
      expect(register({ endpoints: { api }, allowPrivateEndpoints: true })).not.toThrow();
    },
  );

  it.each([
    'http://169.254.169.254',
    'http://100.100.100.200',
    'http://[fd00:ec2::254]',
    'http://203.119.1.1',
  ])('never a metadata service, nor a public address over http: %s', (api) => {
    expect(register({ endpoints: { api }, allowPrivateEndpoints: true })).toThrow('wechat.endpoints.api');
  });

  it.each(['proxy', 'socks5://proxy:1080', 'http://app:pa55-word@proxy/path'])(
    'a proxy that is one: %s',
    (proxy) => {
      expect(register({ proxy })).toThrow('`wechat.proxy`');
      expect(register({ proxy })).not.toThrow('pa55-word');
    },
  );

  it('is told at each start in which private networks are allowed', async () => {
    const logger = new LogCapture();
    const world = await startWorld({ logger, options: { wechat: { allowPrivateEndpoints: true } } });
    await world.close();

    expect(JSON.stringify(logger)).toContain('wechat.allowPrivateEndpoints is on');
  });
});
