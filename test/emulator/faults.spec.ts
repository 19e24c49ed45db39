import { once } from 'node:events';
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { get } from 'node:https';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { type TlsOptions, WechatEmulator } from '../../emulator/index.js';
import { spawnCommand } from '../cli/support/run-command.js';
import { authorizeUrl, callApi, codeIn, exchange, type Stage, textLike, useStage } from './support/stage.js';

const path = '/sns/oauth2/access_token';

async function freshCode(stage: Stage): Promise<string> {
  return codeIn((await stage.lan.openInWechat(authorizeUrl(stage, { scope: 'snsapi_base' }))).url);
}

/** Asks over a bare socket, so that what is sent can be seen whatever the headers claim. */
async function rawGet(
  origin: string,
  target: string,
): Promise<{ readonly text: string; readonly reset: boolean }> {
  const { hostname, port } = new URL(origin);
  return new Promise((resolve) => {
    let text = '';
    let reset = false;
    const socket = connect(Number(port), hostname, () => {
      socket.write(`GET ${target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`);
    });
    socket.on('data', (chunk) => (text += chunk.toString('utf8')));
    socket.on('error', () => (reset = true));
    socket.on('close', () => resolve({ text, reset }));
  });
}

describe('faults', () => {
  const stage = useStage();

  it('answer one call with an errcode and leave the code usable', async () => {
    const { wechat, oa } = stage();
    const code = await freshCode(stage());
    wechat.once(path, { errcode: -1 });

    const first = await exchange(stage(), oa, code);
    const second = await exchange(stage(), oa, code);

    expect(first).toEqual({ errcode: -1, errmsg: textLike(/^system error, rid: /) });
    expect(second['errcode']).toBeUndefined();
  });

  it('can strike after the code was used up', async () => {
    const { wechat, oa } = stage();
    const code = await freshCode(stage());
    wechat.once(path, { errcode: -1, afterConsuming: true });

    const first = await exchange(stage(), oa, code);
    const second = await exchange(stage(), oa, code);

    expect(first['errcode']).toBe(-1);
    expect(second['errcode']).toBe(40163);
  });

  it('wait in line, before those that always strike, until cleared', async () => {
    const { wechat } = stage();
    wechat.always('/sns/*', { errcode: 45011 });
    wechat.once(path, { errcode: -1 });
    wechat.once(path, { errcode: 45009, errmsg: 'gone' });

    const answers = [];
    for (let i = 0; i < 3; i++) answers.push((await callApi(stage(), path, {})).body['errcode']);
    wechat.clearFaults();
    answers.push((await callApi(stage(), path, {})).body['errcode']);

    expect(answers).toEqual([-1, 45009, 45011, 41002]);
  });

  it('send a gateway page with its status', async () => {
    const { wechat } = stage();
    wechat.once(path, { status: 502 });

    const response = await fetch(`${wechat.endpoints.api}${path}`);

    expect(response.status).toBe(502);
    expect(response.headers.get('content-type')).toBe('text/html');
    expect(await response.text()).toContain('<html>');
  });

  it('send any bytes under any content type', async () => {
    const { wechat } = stage();
    wechat.once(path, { body: '{"openid":', contentType: 'application/json' });

    const response = await fetch(`${wechat.endpoints.api}${path}`);

    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toBe('application/json');
    expect(await response.text()).toBe('{"openid":');
  });

  it('reset the connection before a byte is sent', async () => {
    const { wechat, oa } = stage();
    const code = await freshCode(stage());
    wechat.once(path, { drop: true });
    wechat.once(path, { drop: true, afterConsuming: true });

    const before = await rawGet(wechat.endpoints.api, `${path}?appid=x`);
    await expect(exchange(stage(), oa, code)).rejects.toThrow();

    expect(before).toEqual({ text: '', reset: true });
    expect((await exchange(stage(), oa, code))['errcode']).toBe(40163);
  });

  it('reset it in the middle of the body', async () => {
    const { wechat } = stage();
    wechat.once(path, { truncate: 10 });

    const { text } = await rawGet(wechat.endpoints.api, path);

    expect(text).toMatch(/content-length: \d{2,}/i);
    expect(text.split('\r\n\r\n')[1]).toBe('{"errcode"');
  });

  it('drip the body byte by byte', async () => {
    const { wechat } = stage();
    wechat.once(path, { drip: 3 });

    const started = Date.now();
    const { body } = await callApi(stage(), path, {});

    expect(body['errcode']).toBe(41002);
    expect(Date.now() - started).toBeGreaterThan(100);
  });

  it('lie about Content-Length', async () => {
    const { wechat } = stage();
    wechat.once(path, { contentLength: 5000 });

    const { text } = await rawGet(wechat.endpoints.api, path);

    expect(text).toContain('content-length: 5000');
    expect(text.length).toBeLessThan(1000);
  });

  it('delay what happens, so that a caller who gave up has used nothing', async () => {
    const { wechat, oa } = stage();
    const code = await freshCode(stage());
    const query = { appid: oa.appid, secret: oa.secret, code, grant_type: 'authorization_code' };
    wechat.once(path, { delay: 200 });
    await expect(callApi(stage(), path, query, { signal: AbortSignal.timeout(50) })).rejects.toThrow();
    await new Promise((resolve) => setTimeout(resolve, 250));

    expect((await exchange(stage(), oa, code))['errcode']).toBeUndefined();
  });

  it('delay the answer alone, so that a caller who gave up has lost the code', async () => {
    const { wechat, oa } = stage();
    const code = await freshCode(stage());
    const query = { appid: oa.appid, secret: oa.secret, code, grant_type: 'authorization_code' };
    wechat.once(path, { delay: 200, afterConsuming: true });
    await expect(callApi(stage(), path, query, { signal: AbortSignal.timeout(50) })).rejects.toThrow();

    expect((await exchange(stage(), oa, code))['errcode']).toBe(40163);
  });

  it('change and remove fields of the successful answer', async () => {
    const { wechat, oa } = stage();
    wechat.once(path, { patch: { expires_in: '7200', is_snapshotuser: 1 }, remove: ['refresh_token'] });

    const answer = await exchange(stage(), oa, await freshCode(stage()));

    expect(answer).toMatchObject({ expires_in: '7200', is_snapshotuser: 1 });
    expect(answer).not.toHaveProperty('refresh_token');
  });

  it('send control characters as they are, as WeChat has done', async () => {
    const { wechat } = stage();
    wechat.once(path, { patch: { nickname: 'a\u0000\u001fb' }, rawControls: true });

    const response = await fetch(`${wechat.endpoints.api}${path}`);

    expect(await response.text()).toContain('"nickname":"a\u0000\u001fb"');
  });
});

describe('the same callback twice', () => {
  const stage = useStage();

  it('arrives from the same phone with its cookies', async () => {
    const { lan, app } = stage();
    app.respond = (response) => response.setHeader('set-cookie', 'seen=1').end('hello');
    await lan.openInWechat(`${app.origin}/start`);

    const end = await lan.openInWechat(authorizeUrl(stage(), { scope: 'snsapi_base' }), {
      duplicateCallback: 'same-phone',
    });
    const callbacks = app.heard.filter(({ url }) => url.pathname === '/callback');

    expect(callbacks).toHaveLength(2);
    expect(callbacks[0]?.url.href).toBe(callbacks[1]?.url.href);
    expect(callbacks.map(({ headers }) => headers.cookie)).toEqual(['seen=1', 'seen=1']);
    expect(end.duplicate?.body).toBe('hello');
  });

  it('arrives from a stranger without cookies', async () => {
    const { lan, app } = stage();
    app.respond = (response) => response.setHeader('set-cookie', 'seen=1').end('hello');
    await lan.openInWechat(`${app.origin}/start`);
    await lan.openInWechat(authorizeUrl(stage()));

    await lan.confirm({ duplicateCallback: 'stranger' });
    const callbacks = app.heard.filter(({ url }) => url.pathname === '/callback');

    expect(callbacks.map(({ headers }) => headers.cookie).sort()).toEqual(['seen=1', undefined]);
  });
});

describe('the call log', () => {
  const stage = useStage();

  it('shows what reached the platform and when by its clock', async () => {
    const { wechat } = stage();
    wechat.clock.set(Date.UTC(2030, 0, 1));
    await callApi(
      stage(),
      path,
      { appid: 'wx1' },
      { method: 'POST', body: 'hello', headers: { 'x-test': 'yes' } },
    );

    const [call] = wechat.calls(path);

    expect(call).toMatchObject({ method: 'POST', path, query: { appid: 'wx1' }, body: 'hello' });
    expect(call?.headers['x-test']).toBe('yes');
    expect(call?.at.getUTCFullYear()).toBe(2030);
    wechat.clearCalls();
    expect(wechat.calls()).toHaveLength(0);
  });
});

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
    const child = await spawnCommand([
      'emulator',
      '--port',
      '0',
      '--tls',
      '--tls-directory',
      directory,
      '--json',
    ]);
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
