import { once } from 'node:events';
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { get } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { WechatEmulator, type TlsOptions } from '../../emulator/index.js';
import { spawnCommand } from '../cli/support/run-command.js';
import { authorizeUrl, useStage } from './support/stage.js';

/** Asks this machine by https under a host's name, trusting one authority. */
async function ask(host: string, path: string, { port, ca }: { port: string; ca: string }): Promise<string> {
  const request = get({
    host: '127.0.0.1',
    servername: host,
    headers: { host: `${host}:${port}` },
    port,
    path,
    ca,
    agent: false,
  });
  const [response] = (await once(request, 'response')) as [NodeJS.ReadableStream];
  return text(response);
}

describe('an emulator with TLS', () => {
  let directory = '';
  let wechat: WechatEmulator | undefined;

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'emulator-tls-'));
  });
  afterEach(async () => {
    await wechat?.stop();
    await rm(directory, { recursive: true });
  });

  async function start(tls: TlsOptions): Promise<{ port: string; ca: string }> {
    wechat = await WechatEmulator.start({ tls });
    return { port: new URL(wechat.endpoints.api).port, ca: wechat.certificateAuthority ?? '' };
  }

  it.each(['api.weixin.qq.com', 'open.weixin.qq.com', 'mp.weixin.qq.com', 'localhost'])(
    'answers %s to a client that trusts its authority and resolves the name here',
    async (host) => {
      const server = await start({});

      expect(await ask(host, '/cgi-bin/token', server)).toMatch(/"errcode":41002/);
    },
  );

  it('is refused by a client that does not trust its authority, or asks for another name', async () => {
    const server = await start({});
    const stranger = await WechatEmulator.start({ tls: {} });
    const otherAuthority = stranger.certificateAuthority ?? '';
    await stranger.stop();

    await expect(ask('api.weixin.qq.com', '/', { ...server, ca: otherAuthority })).rejects.toThrow();
    await expect(ask('www.example.com', '/', server)).rejects.toThrow(/altnames/);
  });

  it('speaks plain HTTP on the same port', async () => {
    const { port } = await start({});

    const response = await fetch(`http://127.0.0.1:${port}/cgi-bin/token`);

    expect(await response.json()).toMatchObject({ errcode: 41002 });
  });

  it('keeps its authority over restarts, the key for its owner only', async () => {
    const { ca } = await start({ directory });
    await wechat?.stop();

    const server = await start({ directory });

    expect(server.ca).toBe(ca);
    expect(await readFile(join(directory, 'ca.pem'), 'utf8')).toBe(ca);
    expect((await stat(join(directory, 'ca-key.pem'))).mode & 0o777).toBe(0o600);
    expect(await ask('api.weixin.qq.com', '/cgi-bin/token', { ...server, ca })).toMatch(/41002/);
  });

  it('starts from the command line and says what to trust', async () => {
    const child = spawnCommand(['emulator', '--port', '0', '--tls', '--tls-directory', directory, '--json']);
    const [line] = (await once(child.stdout, 'data')) as [Buffer];
    const printed: unknown = JSON.parse(line.toString());
    const exit = once(child, 'exit');
    child.kill('SIGTERM');
    await exit;

    expect(printed).toMatchObject({ certificateAuthority: join(directory, 'ca.pem') });
  });
});

describe("a person's phone", () => {
  const stage = useStage();

  it("takes WeChat's own hosts for the emulator", async () => {
    const { lan, wechat } = stage();
    const { origin } = new URL(wechat.endpoints.open);
    const url = authorizeUrl(stage(), { scope: 'snsapi_base' }).replace(origin, 'https://open.weixin.qq.com');

    const page = await lan.openInWechat(url);

    expect(page.url).toMatch(/\/callback\?code=\w{32}&state=abc123$/);
    expect(wechat.calls('/connect/oauth2/authorize')).toHaveLength(1);
  });
});
