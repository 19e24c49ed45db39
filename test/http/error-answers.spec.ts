import { connect } from 'node:net';
import type { NestApplicationOptions } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { redirectUri, startWorld, type World } from '../support/iam-app.js';
import { LogCapture } from '../support/log-capture.js';
import { PcBrowser, type Reply } from '../support/pc-browser.js';
import { approveOnPc, authorizeUrl, getWith, pkce, redeem, toTokens } from '../support/sign-in.js';

const scripted = { accept: 'application/json' };

describe('an answer', () => {
  let world: World;
  const logger = new LogCapture();
  const { challenge } = pkce();

  beforeAll(async () => {
    world = await startWorld({ logger });
  });
  afterAll(() => world.close());

  const get = (path: string, headers: Record<string, string> = {}) =>
    new PcBrowser().visit(`${world.url}${path}`, { headers });
  const forged = '/iam/callback/wechat?code=c&state=forged';

  /** One answer of every kind, by name. */
  const everyResponse = async (): Promise<[name: string, reply: Reply][]> => {
    const start = (changes: Record<string, string | undefined> = {}) =>
      new PcBrowser().visit(authorizeUrl(world.url, challenge, changes));
    const approved = await approveOnPc(world, world.wechat.person({ nickname: '小兰' }));
    const returned = await approved.browser.visit(approved.callback);
    const granted = await redeem(world.url, { ...approved, returned });
    const { accessToken, refreshToken } = toTokens(granted);
    return [
      ['the list of providers', await get('/iam/providers')],
      ['a start', await start()],
      ['a start for the widget', await start({ display: 'widget' })],
      ['a start that returns with an error', await start({ provider: 'nowhere' })],
      ['a start that cannot return', await start({ client_id: 'nobody' })],
      ['a start that cannot return, to a script', await get('/iam/authorize', scripted)],
      ['a callback', returned],
      ['a refused callback', await get(forged)],
      ['a refused callback, to a script', await get(forged, scripted)],
      ['tokens', granted],
      ['refused tokens', await redeem(world.url, { ...approved, returned })],
      ['a profile', await getWith(`${world.url}/iam/me`, accessToken)],
      ['a refused profile', await get('/iam/me', scripted)],
      [
        'a revocation',
        await new PcBrowser().visit(`${world.url}/iam/revoke`, {
          form: { client_id: 'web', token: refreshToken },
        }),
      ],
      ['the public keys', await get('/iam/jwks')],
      ['the metadata', await get('/iam/.well-known/oauth-authorization-server')],
      ['the metadata at the root', await get('/.well-known/oauth-authorization-server')],
    ];
  };

  it('of whatever kind is never stored, sniffed or told to the next site', async () => {
    for (const [name, { headers }] of await everyResponse()) {
      const seen = {
        name,
        stored: headers.get('cache-control'),
        sniffed: headers.get('x-content-type-options'),
        told: headers.get('referrer-policy'),
        cors: headers.get('access-control-allow-origin'),
      };
      expect(seen).toEqual({ name, stored: 'no-store', sniffed: 'nosniff', told: 'no-referrer', cors: null });
    }
  });

  it('that redirects does so with 302 or 303, and has no body', async () => {
    const redirects = (await everyResponse()).filter(([, { location }]) => location !== null);

    expect(redirects.map(([name, { status }]) => [name, status])).toEqual([
      ['a start', 302],
      ['a start that returns with an error', 303],
      ['a callback', 303],
    ]);
    for (const [, { text }] of redirects) expect(text).toBe('');
  });

  describe('to a navigation that has nowhere to return to', () => {
    it.each([
      ['zh-CN,zh;q=0.9,en;q=0.8', 'zh-CN', '无法登录', '此次登录并非由当前浏览器发起'],
      ['en-US,en;q=0.9', 'en', 'Sign-in did not work', 'was not started in this browser'],
      ['en;q=0.5, zh;q=0.9', 'zh-CN', '无法登录', '此次登录并非由当前浏览器发起'],
      ['fr, en;q=0.1', 'en', 'Sign-in did not work', 'was not started in this browser'],
      ['fr', 'zh-CN', '无法登录', '此次登录并非由当前浏览器发起'],
      ['', 'zh-CN', '无法登录', '此次登录并非由当前浏览器发起'],
      ['*;q=, ;;;,en;q=abc', 'en', 'Sign-in did not work', 'was not started in this browser'],
    ])('is a page in the language of "%s": %s', async (header, lang, heading, text) => {
      const reply = await get(`${forged}&again=1`, { accept: 'text/html', 'accept-language': header });

      expect(reply.status).toBe(400);
      expect(reply.headers.get('content-type')).toBe('text/html; charset=utf-8');
      expect(reply.text).toContain(`<html lang="${lang}">`);
      expect(reply.text).toContain(`<h1>${heading}</h1>`);
      expect(reply.text).toContain(text);
      expect(reply.text).toContain('state_mismatch');
    });

    it('is a page that only our clients can frame and that loads and runs nothing', async () => {
      const { headers, text } = await get(forged, { accept: 'text/html' });
      const policy = headers.get('content-security-policy') ?? '';

      expect(policy).toContain("default-src 'none'");
      expect(policy).toContain(`frame-ancestors 'self' ${new URL(redirectUri(world.url)).origin}`);
      expect(policy).toContain("base-uri 'none'");
      expect(policy).not.toContain('unsafe-inline');
      expect(headers.get('x-frame-options')).toBeNull();
      expect(text).not.toMatch(/<script|src=|<link|@import|url\(/);
    });

    it('repeats nothing of what the request brought', async () => {
      const hostile = '<script>alert(1)</script>';
      const paths = [
        `/iam/callback/${encodeURIComponent(hostile)}?code=${hostile}&state=${hostile}`,
        `/iam/authorize?client_id=${hostile}&redirect_uri=${hostile}`,
      ];

      for (const path of paths) {
        const { text, status } = await get(path, { accept: 'text/html', 'accept-language': hostile });
        expect(status).toBe(400);
        expect(text).not.toContain('alert');
      }
    });
  });

  describe('to a script', () => {
    it('is problem+json with a stable code, a text in its language and a correlation id', async () => {
      const reply = await get(forged, { ...scripted, 'accept-language': 'en' });
      const { correlation_id: id, ...problem } = reply.json();

      expect(reply.headers.get('content-type')).toBe('application/problem+json; charset=utf-8');
      expect(problem).toEqual({
        type: 'about:blank',
        title: 'This sign-in was not started in this browser. Start again.',
        status: 400,
        code: 'state_mismatch',
      });
      expect(id).toMatch(/^[0-9a-f-]{36}$/);
    });

    it.each([
      ['nothing', undefined],
      ['anything', '*/*'],
      ['JSON', 'application/json'],
      ['problem+json', 'application/problem+json'],
    ])('that accepts %s is not a page', async (_case, accept) => {
      const reply = await get(forged, accept === undefined ? { accept: '' } : { accept });

      expect(reply.json()['code']).toBe('state_mismatch');
    });
  });

  it.each([
    ['page', 'text/html'],
    ['problem', 'application/json'],
  ])('names a reference that leads to the reason in the log: %s', async (_kind, accept) => {
    logger.clear();

    const { text } = await get(forged, { accept });
    const [id = 'none'] = /[0-9a-f]{8}-[0-9a-f-]{27}/.exec(text) ?? [];

    const [line, ...others] = logger.with(id);
    expect(line?.text).toContain('state_mismatch: state is not of our form');
    expect(others).toEqual([]);
    expect(text).not.toContain('not of our form');
  });

  it.each([
    ['a port that does not exist', 'http://evil.example:99999/iam/authorize?client_id=web'],
    ['a host that is none', 'http://[/iam/authorize'],
    ['another host', 'http://evil.example/iam/callback/wechat?state=x'],
    ['two slashes', '//iam/callback/wechat?state=x'],
    ['a broken escape', '/iam/callback/%E0%A4%A?state=%E0'],
    ['a NUL', '/iam/callback/%00?state=%00'],
  ])('comes to a request target with %s, and the next request is answered too', async (_case, target) => {
    const status = await rawStatus(new URL(world.url), target);

    expect(status).toBeGreaterThanOrEqual(400);
    expect(status).toBeLessThan(500);
    expect((await get('/iam/providers')).status).toBe(200);
  });
});

describe('thousands of parameters', () => {
  it('are refused about as fast as they are read', async () => {
    const ourParserAlone: Pick<NestApplicationOptions, 'bodyParser' | 'logger'> = {
      bodyParser: false,
      logger: false,
    };
    const world = await startWorld({ create: (module) => NestFactory.create(module, ourParserAlone) });
    const names = Array.from({ length: 16_000 }, (_, index) => index.toString(36));

    const startedAt = performance.now();
    const start = await new PcBrowser().visit(
      `${world.url}/iam/authorize?${names.slice(0, 3_500).join('&')}`,
    );
    const token = await fetch(`${world.url}/iam/token`, {
      method: 'POST',
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      body: names.join('&'),
    });
    const tookMs = performance.now() - startedAt;
    await world.close();

    expect(start.status).toBe(400);
    expect(await token.json()).toMatchObject({ error: 'invalid_request' });
    expect(tookMs).toBeLessThan(1_000);
  });
});

/** Sends a request line as it is, which `fetch` would not. */
function rawStatus({ port, hostname }: URL, target: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const socket = connect(Number(port), hostname);
    let text = '';
    socket.on('data', (bytes) => (text += bytes.toString('latin1')));
    socket.on('error', reject);
    socket.on('close', () => resolve(Number(/^HTTP\/1\.1 (\d{3})/.exec(text)?.[1])));
    socket.write(`GET ${target} HTTP/1.1\r\nHost: ${hostname}:${port}\r\nConnection: close\r\n\r\n`);
  });
}
