import type { Browser, Page } from 'playwright-core';
import type { Person, WechatEmulator } from '../../emulator/index.js';
import { launchBrowser } from './support/browser.js';
import { heardAt, signInApp } from './support/sign-in-app.js';
import { createQrCode, qrconnectUrl, useStage } from './support/stage.js';

describe('the phone page in a real browser', () => {
  const stage = useStage();
  let browser: Browser;
  let page: Page;

  beforeAll(async () => {
    browser = await launchBrowser();
  }, 60_000);
  afterAll(async () => browser.close());
  beforeEach(async () => {
    page = await browser.newPage({ locale: 'en-US' });
  });
  afterEach(async () => page.close());

  async function openPhone(
    { wechat, lan }: { readonly wechat: WechatEmulator; readonly lan: Person },
    more = '',
  ): Promise<void> {
    await page.goto(`${wechat.endpoints.open}/phone?person=${lan.id}${more}`);
  }

  it('signs in on an app inside WeChat: scripts, storage, fetch, events, forms and cookies work', async () => {
    const { lan, app, oa } = stage();
    app.respond = signInApp(stage());
    await openPhone(stage());
    const frame = page.frameLocator('#frame');

    await page.getByTestId('tab-link').click();
    await page.getByTestId('address').fill(app.origin);
    await page.getByTestId('address').press('Enter');
    await frame.locator('#go').click();
    await frame.getByTestId('allow').click();
    await frame.locator('#who', { hasText: 'lan' }).waitFor();
    const who = await frame.locator('#who').textContent();
    await frame.locator('#event', { hasText: 'live' }).waitFor();
    const words = await frame.locator('p').first().textContent();
    await frame.locator('#send').click();
    const done = await frame.locator('#done').textContent();

    expect(who).toBe('lan true /signed-in');
    expect(words).toBe(`at ${app.origin}`);
    expect(done).toBe('answer=42');
    const [authorize] = heardAt(app, '/authorize');
    const [token] = heardAt(app, '/token');
    expect(authorize?.headers['user-agent']).toContain('MicroMessenger');
    expect(authorize?.url.searchParams.get('redirect_uri')).toBe(`${app.origin}/signed-in`);
    expect(token?.body).toContain(`"redirect_uri":"${app.origin}/signed-in"`);
    expect(token?.headers.origin).toBe(app.origin);
    expect(token?.headers['sec-fetch-site']).toBe('same-origin');
    expect(lan.phone.webView.cookies.all().map(({ name }) => name)).toEqual(['back']);
    expect(oa.deliveries).toEqual([]);
  }, 60_000);

  it('scans and confirms a QR code on a PC with two taps, and the PC page follows by itself', async () => {
    const { app } = stage();
    const pc = await browser.newPage({ locale: 'en-US' });
    await pc.goto(qrconnectUrl(stage()));
    await openPhone(stage());

    await page.getByTestId('tab-scan').click();
    await page.getByTestId('code').click();
    await page.frameLocator('#frame').getByTestId('allow').waitFor();
    await pc.locator('[data-status=scanned]').waitFor();
    await page.frameLocator('#frame').getByTestId('allow').click();
    await pc.waitForURL(/\/callback\?code=\w+&state=xyz$/);

    expect(new URL(pc.url()).origin).toBe(app.origin);
    await pc.close();
  }, 60_000);

  it('shows an expired code and a fresh one after Refresh', async () => {
    const { wechat } = stage();
    await page.goto(qrconnectUrl(stage()));
    const before = await page.locator('#box').getAttribute('data-uuid');

    wechat.clock.advance(301);
    await page.locator('#refresh').click();
    await page.locator('[data-status=waiting]').waitFor();

    expect(await page.locator('#box').getAttribute('data-uuid')).not.toBe(before);
  }, 60_000);

  it('embeds the QR page by wxLogin.js and lets the top window or the frame return', async () => {
    const { wechat, site, app, lan } = stage();
    const origin = wechat.endpoints.open;
    app.respond = (response, { url }) => {
      response.setHeader('content-type', 'text/html');
      const options = `{ id: 'box', appid: '${site.appid}', scope: 'snsapi_login', redirect_uri: encodeURIComponent('${app.origin}/callback'), state: 'w', self_redirect: ${url.searchParams.get('self') ?? 'false'}, stylelite: 1 }`;
      response.end(
        url.pathname === '/callback'
          ? '<title>back</title>'
          : `<div id="box"></div><script src="${origin}/connect/zh_CN/htmledition/js/wxLogin.js"></script><script>new WxLogin(${options})</script>`,
      );
    };
    const confirmIn = async (): Promise<void> => {
      const box = page.frameLocator('#box iframe').locator('#box');
      await lan.scan((await box.getAttribute('data-content')) ?? '');
      await lan.confirm();
    };

    await page.goto(`${app.origin}/?self=true`);
    const frame = await page.locator('#box iframe').getAttribute('src');
    await confirmIn();
    const inside = await waitForFrame(page, `${app.origin}/callback`);
    await page.goto(`${app.origin}/?self=false`);
    await confirmIn();
    await page.waitForURL(/\/callback\?code=\w+&state=w$/);

    expect(frame).toMatch(
      /^http:\/\/127\.0\.0\.1:\d+\/connect\/qrconnect\?appid=wx[0-9a-f]{16}&scope=snsapi_login&redirect_uri=[^&]+&state=w&login_type=jssdk&self_redirect=true&styletype=&sizetype=&bgcolor=&rst=&stylelite=1$/,
    );
    expect(inside).toContain('state=w');
  }, 60_000);

  it('follows an account by its code, chats, and opens the link of a reply in the web view', async () => {
    const { lan, oa, app } = stage();
    oa.configureServer({ mode: 'plain' });
    lan.changeProfile({ nickname: '<img src=x onerror=alert(1)>' });
    app.respond = (response, { method }) => {
      const text = `Hi <a href="${app.origin}/confirm">open &lt;b&gt;</a> <script>alert(1)</script>`;
      response.end(
        method === 'GET'
          ? 'the page'
          : `<xml><ToUserName>${lan.openid(oa)}</ToUserName><FromUserName>${oa.originalId}</FromUserName><CreateTime>1</CreateTime><MsgType>text</MsgType><Content><![CDATA[${text}]]></Content></xml>`,
      );
    };
    const { url = '' } = await createQrCode(stage(), 'login:1');
    const dialogs: string[] = [];
    page.on('dialog', (dialog) => {
      dialogs.push(dialog.message());
      void dialog.dismiss();
    });
    await openPhone(stage(), `&scan=${encodeURIComponent(url)}`);

    await page.getByTestId('follow').click();
    await page.getByTestId('message').waitFor();
    await page.getByTestId('chat-input').fill('42');
    await page.getByTestId('chat-input').press('Enter');
    await page.locator('[data-from=person]').waitFor();
    await page.getByTestId('link').first().click();
    await page.frameLocator('#frame').getByText('the page').waitFor();

    expect(lan.chat(oa).map(({ from }) => from)).toEqual(['account', 'person', 'account']);
    expect(oa.deliveries[0]?.fields['EventKey']).toBe('qrscene_login:1');
    expect(app.last?.url.pathname).toBe('/confirm');
    expect(dialogs).toEqual([]);
  }, 60_000);

  it('shows the fault of an account’s server in the chat', async () => {
    const { lan, oa, app } = stage();
    await lan.follow(oa);
    app.respond = (response) => response.writeHead(500).end();
    await openPhone(stage());

    await page.getByTestId('account').click();
    await page.getByTestId('chat-input').fill('hello');
    await page.getByTestId('chat-input').press('Enter');

    await page.getByTestId('notice').waitFor();
    expect(await page.getByTestId('notice').textContent()).toBe('该公众号提供的服务出现故障，请稍后再试');
  }, 60_000);

  it('adds somebody new', async () => {
    const { wechat } = stage();
    await page.goto(`${wechat.endpoints.open}/phone`);

    await page.getByTestId('nickname').fill('新人');
    await page.getByTestId('nickname').press('Enter');
    await page.getByTestId('tab-me').click();
    await page.getByText('person-2').waitFor();

    expect(wechat.people().map(({ nickname }) => nickname)).toEqual(['小兰', '新人']);
  }, 60_000);
});

async function waitForFrame(page: Page, start: string): Promise<string> {
  for (;;) {
    const found = page.frames().find((frame) => frame.url().startsWith(start));
    if (found) return found.url();
    await page.waitForTimeout(50);
  }
}
