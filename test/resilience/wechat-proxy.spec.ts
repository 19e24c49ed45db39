import { createServer, type Server } from 'node:http';
import { connect } from 'node:net';
import { IamModule } from '../../src/index.js';
import { startWorld, testKey, type World } from '../support/iam-app.js';
import { LogCapture } from '../support/log-capture.js';
import { signInOnPc } from '../support/sign-in.js';

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
