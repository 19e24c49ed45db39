import { createServer, type Server } from 'node:http';
import { Body, Controller, Get, Header, Module, Post, UseGuards } from '@nestjs/common';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { IamGuard } from '../../src/index.js';
import { adminOptions } from '../support/admin.js';
import { launchBrowser } from '../support/browser.js';
import { codeForm, cookieClient } from '../support/cookie-client.js';
import { freePort } from '../../example/postgres/free-port.js';
import { startWorld, type World } from '../support/iam-app.js';
import { PcBrowser } from '../support/pc-browser.js';
import { authorizeUrl, callbackAfterScan, pkce } from '../support/sign-in.js';
import { registerSso } from '../support/single-sign-on.js';

const orders: unknown[] = [];

@Controller()
class ShopController {
  @Get('shop')
  @Header('Content-Type', 'text/html')
  page() {
    return '<!doctype html><title>shop</title>';
  }

  @Post('orders')
  @UseGuards(IamGuard)
  create(@Body() body: unknown) {
    orders.push(body);
    return {};
  }
}

@Module({ controllers: [ShopController] })
class ShopModule {}

/** Another port of localhost is another origin of the same site: SameSite keeps no cookie from it. */
function servePage(port: number, html: string): Promise<Server> {
  return new Promise((resolve) => {
    const server = createServer((_request, response) => {
      response.setHeader('Content-Type', 'text/html').end(`<!doctype html><title>page</title>${html}`);
    });
    server.listen(port, () => resolve(server));
  });
}

interface Init {
  readonly method: string;
  readonly body: string;
  readonly headers: Record<string, string>;
  readonly mode: 'cors' | 'no-cors';
  readonly credentials: 'same-origin' | 'include';
}

/** What a script of the page gets: the status and the text, or that the browser did not let it have them. */
const ask = (page: Page, url: string, init: Partial<Init> = {}) =>
  page.evaluate(
    async ([address, options]) => {
      try {
        const answer = await fetch(address, options);
        return { status: answer.status, text: await answer.text() };
      } catch (error) {
        return { status: 0, text: String(error) };
      }
    },
    [url, init] as const,
  );

describe('a cookie client in a browser', () => {
  let browser: Browser;
  let context: BrowserContext;
  let world: World;
  let foreign: Server;
  let friend: Server;
  let urls: { foreign: string; friend: string };

  beforeAll(async () => {
    const ports = { foreign: await freePort(), friend: await freePort() };
    urls = { foreign: `http://localhost:${ports.foreign}`, friend: `http://localhost:${ports.friend}` };
    const options = { ...adminOptions, clients: [cookieClient('shop', [urls.friend])] };
    world = await startWorld({ imports: [ShopModule], options });
    const form = (type: string) =>
      `<form method="post" action="${world.url}/orders" enctype="${type}"><input name='{"a":"' value='"}'><button></button></form>`;
    foreign = await servePage(ports.foreign, form('text/plain') + form('application/x-www-form-urlencoded'));
    friend = await servePage(ports.friend, '');
    browser = await launchBrowser();
  }, 60_000);
  afterAll(async () => {
    await browser.close();
    foreign.close();
    friend.close();
    await world.close();
  });
  beforeEach(async () => {
    orders.length = 0;
    context = await browser.newContext();
  });
  afterEach(() => context.close());

  const signIn = async () => {
    const page = await context.newPage();
    await page.goto(`${world.url}/shop`);
    const form = await codeForm(world, world.wechat.person({ nickname: '真' }));
    const body = new URLSearchParams(form).toString();
    const headers = { 'content-type': 'application/x-www-form-urlencoded' };
    const token = await ask(page, '/iam/token', { method: 'POST', body, headers });
    return { page, token };
  };
  const json = (body: unknown): Partial<Init> => ({
    method: 'POST',
    body: JSON.stringify(body),
    headers: { 'content-type': 'application/json' },
  });

  it('keeps a person signed in for applications of other sites, by navigations and not in their frames', async () => {
    const site = urls.foreign.replace('localhost', '127.0.0.1');
    const back = { redirect_uri: `${site}/back`, provider: 'wechat' };
    const redirect_uris = [back.redirect_uri];
    const client_id = await registerSso(world, { redirect_uris, post_logout_redirect_uris: [`${site}/bye`] });
    const { verifier, challenge } = pkce();
    const silent = authorizeUrl(world.url, challenge, { ...back, client_id, prompt: 'none' });
    const page = await context.newPage();
    await page.goto(authorizeUrl(world.url, challenge, { ...back, client_id, scope: 'openid' }));
    const person = world.wechat.person({ nickname: '远' });
    await page.goto(await callbackAfterScan(world.wechat, page.url(), person));
    const { searchParams } = new URL(page.url());
    const form = {
      grant_type: 'authorization_code',
      client_id,
      code_verifier: verifier,
      redirect_uri: `${site}/back`,
    };
    const tokens = await new PcBrowser().visit(`${world.url}/iam/token`, {
      form: { ...form, code: searchParams.get('code') ?? '' },
    });
    const goTo = async (url: string) => {
      const arrived = page.waitForEvent('framenavigated', (frame) => frame === page.mainFrame());
      await page.evaluate(`location.href = ${JSON.stringify(url)}`);
      await arrived;
      await page.waitForLoadState();
      return new URL(page.url());
    };

    const framed = page.waitForEvent('framenavigated', (frame) => frame !== page.mainFrame());
    await page.evaluate(
      `document.body.append(Object.assign(document.createElement('iframe'), { src: ${JSON.stringify(silent)} }))`,
    );
    const inFrame = new URL((await framed).url());
    const navigated = await goTo(silent);
    await page.evaluate(`{
      const form = document.createElement('form');
      Object.assign(form, { method: 'post', action: ${JSON.stringify(`${world.url}/iam/end_session`)} });
      form.innerHTML = '<input name="id_token_hint"><input name="post_logout_redirect_uri">';
      form.elements[0].value = ${JSON.stringify(String(tokens.json()['id_token']))};
      form.elements[1].value = ${JSON.stringify(`${site}/bye`)};
      document.body.append(form);
      form.submit();
    }`);
    await page.waitForURL(`${site}/bye`);
    await page.waitForLoadState();
    const after = await goTo(silent);

    expect(inFrame.searchParams.get('error')).toBe('login_required');
    expect(navigated.searchParams.get('code')).toEqual(expect.any(String));
    expect(after.searchParams.get('error')).toBe('login_required');
  }, 60_000);

  it('is signed in, and its scripts never see a token', async () => {
    const { page, token } = await signIn();

    const me = await ask(page, '/iam/me');
    const order = await ask(page, '/orders', json({ tea: 1 }));

    expect(JSON.parse(token.text)).toEqual({ token_type: 'N_A', expires_in: 900 });
    expect([me.status, order.status]).toEqual([200, 201]);
    expect(orders).toEqual([{ tea: 1 }]);
    expect(await page.evaluate('document.cookie')).toBe('');
    const cookies = await context.cookies(`${world.url}/iam/token`);
    const seen = cookies.map(({ name, httpOnly, sameSite, path }) => ({ name, httpOnly, sameSite, path }));
    expect(seen.sort((a, b) => a.name.localeCompare(b.name))).toEqual([
      { name: 'iam-access', httpOnly: true, sameSite: 'Lax', path: '/' },
      { name: 'iam-refresh', httpOnly: true, sameSite: 'Strict', path: '/iam' },
    ]);
  }, 60_000);

  it('refreshes and signs out by its cookies', async () => {
    const { page } = await signIn();

    const refreshed = await ask(page, '/iam/token', json({ grant_type: 'refresh_token', client_id: 'shop' }));
    const out = await ask(page, '/iam/revoke', json({ client_id: 'shop' }));

    expect([refreshed.status, out.status]).toEqual([200, 200]);
    expect(await context.cookies()).toEqual([]);
    expect((await ask(page, '/iam/me')).status).toBe(401);
  }, 60_000);

  it.each([0, 1])(
    'cannot be used by a form of another origin of the same site (%i)',
    async (form) => {
      const { page } = await signIn();
      await page.goto(urls.foreign);

      const [answer] = await Promise.all([
        page.waitForResponse(`${world.url}/orders`),
        page.locator('button').nth(form).click({ noWaitAfter: true }),
      ]);

      expect((await answer.request().allHeaders())['cookie']).toContain('iam-access=');
      expect(answer.status()).toBe(403);
      expect(orders).toEqual([]);
    },
    60_000,
  );

  it('cannot be read or signed out by scripts of another origin', async () => {
    const { page } = await signIn();
    await page.goto(urls.foreign);

    const credentials = 'include';
    const me = await ask(page, `${world.url}/iam/me`, { credentials });
    const order = await ask(page, `${world.url}/orders`, { ...json({}), credentials });
    await ask(page, `${world.url}/iam/revoke`, {
      method: 'POST',
      mode: 'no-cors',
      credentials,
      body: 'client_id=shop',
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
    });
    await page.goto(`${world.url}/shop`);

    expect([me.status, order.status]).toEqual([0, 0]);
    expect(orders).toEqual([]);
    expect((await ask(page, '/iam/me')).status).toBe(200);
  }, 60_000);

  it('is used by the scripts of an origin that the client names', async () => {
    const { page } = await signIn();
    await page.goto(urls.friend);

    const credentials = 'include';
    const me = await ask(page, `${world.url}/iam/me`, { credentials });
    const refresh = json({ grant_type: 'refresh_token', client_id: 'shop' });
    const refreshed = await ask(page, `${world.url}/iam/token`, { ...refresh, credentials });

    expect([me.status, refreshed.status]).toEqual([200, 200]);
  }, 60_000);
});
