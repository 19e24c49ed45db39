import type { NestApplicationOptions } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { redirectUri, startWorld, type World } from '../support/iam-app.js';
import { PcBrowser, type Reply } from '../support/pc-browser.js';
import { authorizeUrl, callbackAfterScan, pkce } from '../support/sign-in.js';

const publicUrl = 'https://app.example.com';
const longRedirect = `${publicUrl}/${'path/'.repeat(40)}`;

interface SetCookie {
  readonly name: string;
  readonly value: string;
  readonly attributes: string[];
  readonly bytes: number;
}

const cookiesOf = (reply: Reply): SetCookie[] =>
  reply.headers.getSetCookie().map((header) => {
    const [pair = '', ...attributes] = header.split('; ');
    const [name = '', value = ''] = pair.split('=');
    return { name, value, attributes: attributes.sort(), bytes: Buffer.byteLength(header) };
  });

describe('the cookie of a sign-in attempt', () => {
  const { challenge } = pkce();

  describe('on an https public URL', () => {
    let world: World;

    beforeAll(async () => {
      world = await startWorld({
        options: {
          publicUrl,
          wechat: { allowLoopback: true },
          clients: [{ id: 'long'.repeat(32), redirectUris: [longRedirect] }],
        },
      });
      const site = world.account.websiteApp({ callbackDomain: 'app.example.com' });
      await world.saveProvider({ open_app_id: site.appid, open_app_secret: site.secret });
    });
    afterAll(() => world.close());

    const start = (browser: PcBrowser, changes: Record<string, string> = {}) =>
      browser.visit(authorizeUrl(world.url, challenge, { redirect_uri: redirectUri(publicUrl), ...changes }));

    it('is __Host-, Secure, HttpOnly, SameSite=Lax, for the whole host and no domain', async () => {
      const [cookie, ...others] = cookiesOf(await start(new PcBrowser()));

      expect(others).toEqual([]);
      expect(cookie?.name).toMatch(/^__Host-iam-login-[\w-]{16}$/);
      expect(cookie?.attributes).toEqual(['HttpOnly', 'Max-Age=4200', 'Path=/', 'SameSite=Lax', 'Secure']);
    });

    it('tells nothing of what it carries', async () => {
      const reply = await start(new PcBrowser(), { state: 'client-state-in-clear' });
      const [cookie] = cookiesOf(reply);
      const sealed = decodeURIComponent(cookie?.value ?? '');
      const decoded = sealed.split(/[.:]/).map((part) => Buffer.from(part, 'base64url').toString('latin1'));

      for (const known of [
        'client-state-in-clear',
        reply.location?.searchParams.get('state') ?? '',
        'wechat',
      ]) {
        expect(sealed).not.toContain(known);
        expect(decoded.join()).not.toContain(known);
      }
    });

    it('fits a browser with the longest provider, client, redirect URI and state', async () => {
      const slug = 'p'.repeat(63);
      await world.saveProvider({ slug, open_app_id: 'w'.repeat(64), open_app_secret: 'secret' });

      const reply = await start(new PcBrowser(), {
        provider: slug,
        client_id: 'long'.repeat(32),
        redirect_uri: longRedirect,
        state: 's'.repeat(1024),
      });
      const [cookie] = cookiesOf(reply);

      expect(reply.status).toBe(302);
      expect(cookie?.bytes).toBeGreaterThan(1500);
      expect(cookie?.bytes).toBeLessThan(4096);
    });

    it('brings the person through a whole sign-in', async () => {
      const browser = new PcBrowser();
      const reply = await start(browser);
      const person = world.wechat.person({ nickname: '小兰' });
      const callback = new URL(await callbackAfterScan(world.wechat, reply.location ?? '', person));

      const returned = await browser.visit(`${world.url}${callback.pathname}${callback.search}`);

      expect(callback.origin).toBe(publicUrl);
      expect(returned.location?.href).toMatch(/^https:\/\/app\.example\.com\/signed-in\?code=/);
      expect(returned.location?.searchParams.get('iss')).toBe(publicUrl);
    });

    it('is not replaced by one of the same name without the prefix, as a sibling domain could set', async () => {
      const browser = new PcBrowser();
      const reply = await start(browser);
      const [own] = cookiesOf(reply);
      const planted = await start(new PcBrowser());
      const [foreign] = cookiesOf(planted);
      const state = planted.location?.searchParams.get('state') ?? '';
      const name = foreign?.name.replace('__Host-', '') ?? '';

      const answer = await new PcBrowser().visit(`${world.url}/iam/callback/wechat?code=c&state=${state}`, {
        headers: { cookie: `${own?.name ?? ''}=${own?.value ?? ''}; ${name}=${foreign?.value ?? ''}` },
      });

      expect(answer.status).toBe(400);
      expect(answer.text).toContain('state_mismatch');
    });
  });

  describe('on an http public URL, as on a laptop', () => {
    let world: World;

    beforeAll(async () => {
      world = await startWorld({ options: { loginLifetime: 120 } });
    });
    afterAll(() => world.close());

    const start = (browser: PcBrowser, changes: Record<string, string> = {}) =>
      browser.visit(authorizeUrl(world.url, challenge, changes));
    const attempts = async (browser: PcBrowser) =>
      (await browser.jar.getCookies(world.url)).filter(({ key }) => key.startsWith('iam-login-'));

    it('is HttpOnly and SameSite=Lax, and lives as long as the attempt', async () => {
      const [cookie] = cookiesOf(await start(new PcBrowser()));

      expect(cookie?.name).toMatch(/^iam-login-[\w-]{16}$/);
      expect(cookie?.attributes).toEqual(['HttpOnly', 'Max-Age=3720', 'Path=/', 'SameSite=Lax']);
    });

    it('stands beside those of other tabs, five at most: the oldest goes', async () => {
      const browser = new PcBrowser();
      const started: Reply[] = [];
      for (let tab = 0; tab < 7; tab += 1) started.push(await start(browser, { state: `tab ${tab}` }));
      const lan = world.wechat.person({ nickname: '小兰' });

      const kept = await attempts(browser);
      const finish = async (reply: Reply | undefined) =>
        browser.visit(await callbackAfterScan(world.wechat, reply?.location ?? '', lan));
      const [dropped, third, last] = [
        await finish(started[1]),
        await finish(started[2]),
        await finish(started[6]),
      ];

      expect(kept).toHaveLength(5);
      expect(dropped.text).toContain('state_mismatch');
      expect(third.location?.searchParams.get('state')).toBe('tab 2');
      expect(last.location?.searchParams.get('state')).toBe('tab 6');
      expect(third.location?.searchParams.get('code')).not.toBe(last.location?.searchParams.get('code'));
    });

    it('leaves room in the header however long the states are', async () => {
      const browser = new PcBrowser();
      for (let tab = 0; tab < 6; tab += 1) await start(browser, { state: `${tab}`.repeat(1024) });

      const header = await browser.jar.getCookieString(world.url);
      const [newest] = (await attempts(browser)).slice(-1);

      expect(Buffer.byteLength(header)).toBeLessThan(7 * 1024);
      expect(newest).toBeDefined();
      expect((await browser.visit(`${world.url}/iam/providers`)).status).toBe(200);
    });

    it('outlives the callback by a minute, for a reload', async () => {
      const browser = new PcBrowser();
      const reply = await start(browser);
      const person = world.wechat.person({ nickname: '小兰' });

      const returned = await browser.visit(
        await callbackAfterScan(world.wechat, reply.location ?? '', person),
      );
      const [cookie] = cookiesOf(returned);

      expect(cookie?.name).toBe(cookiesOf(reply)[0]?.name);
      expect(cookie?.attributes).toEqual(['HttpOnly', 'Max-Age=60', 'Path=/', 'SameSite=Lax']);
    });
  });

  it('is set and dropped on Fastify just so', async () => {
    const quiet: Pick<NestApplicationOptions, 'logger'> = { logger: false };
    const world = await startWorld({
      create: (module) => NestFactory.create<NestFastifyApplication>(module, new FastifyAdapter(), quiet),
    });
    const browser = new PcBrowser();

    const starts: Reply[] = [];
    for (let tab = 0; tab < 6; tab += 1)
      starts.push(await browser.visit(authorizeUrl(world.url, challenge, { state: `tab ${tab}` })));
    const [last] = starts.slice(-1);
    const person = world.wechat.person({ nickname: '小兰' });
    const returned = await browser.visit(await callbackAfterScan(world.wechat, last?.location ?? '', person));
    const refused = await browser.visit(`${world.url}/iam/callback/wechat?code=c&state=forged`);
    await world.close();

    expect(starts.map(({ headers }) => headers.getSetCookie().length)).toEqual([1, 1, 1, 1, 1, 2]);
    expect(returned.status).toBe(303);
    expect(returned.location?.searchParams.get('state')).toBe('tab 5');
    expect(returned.headers.getSetCookie()).toHaveLength(1);
    expect(refused.status).toBe(400);
    expect(refused.headers.get('content-type')).toBe('text/html; charset=utf-8');
  });
});
