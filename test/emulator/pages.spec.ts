import type { Browser, Page } from 'playwright-core';
import type { Person, WechatEmulator } from '../../emulator/index.js';
import { launchBrowser } from '../support/browser.js';
import { axeFindings } from '../support/pages.js';
import { heardAt, signInApp } from './support/sign-in-app.js';
import { authorizeUrl, createQrCode, qrconnectUrl, useStage } from './support/stage.js';

const hostile = `<script>alert(1)</script>"'&`;

describe('the platform’s pages', () => {
  const stage = useStage();
  const read = async (url: string, headers: Record<string, string> = {}): Promise<string> =>
    (await fetch(url, { headers })).text();

  it('escape every name they show', async () => {
    const { site, oa, lan, wechat } = stage();
    lan.changeProfile({ nickname: hostile });
    site.settings.name = hostile;
    oa.settings.name = hostile;

    const pages = [
      (await lan.openInWechat(authorizeUrl(stage()))).body,
      await read(qrconnectUrl(stage())),
      await read(authorizeUrl(stage()), { 'user-agent': 'MicroMessenger' }),
      await read(`${wechat.endpoints.open}/phone`),
      await read(`${wechat.endpoints.open}/phone?person=${lan.id}`),
    ];

    for (const page of pages) expect(page).not.toContain('<script>alert(1)');
    expect(pages[0]).toContain('&#60;script&#62;alert(1)&#60;/script&#62;&#34;&#39;&#38;');
  });

  it('cannot be broken out of by a state or a redirect_uri', async () => {
    const { app } = stage();
    const page = await read(
      qrconnectUrl(stage(), { state: '</script><b>', redirect_uri: `${app.origin}/</script><b>` }),
    );

    expect(page).not.toContain('</script><b>');
  });

  it('speak Chinese unless the reader asks for English', async () => {
    const url = qrconnectUrl(stage());

    expect(await read(url)).toContain('使用微信扫一扫登录');
    expect(await read(url, { 'accept-language': 'en-GB,en;q=0.9' })).toContain(
      'Scan QR code with WeChat to log in',
    );
    expect(await read(qrconnectUrl(stage(), { lang: 'en' }))).toContain('lang="en"');
    expect(await read(qrconnectUrl(stage(), { lang: 'cn' }), { 'accept-language': 'en' })).toContain(
      'lang="zh-CN"',
    );
    expect(await read(qrconnectUrl(stage(), { scope: 'x', lang: 'en' }))).toContain('Wrong scope parameter');
  });

  it('survive headers and paths that are badly encoded', async () => {
    const { wechat } = stage();
    const headers = {
      'user-agent': 'MicroMessenger',
      'x-emulator-person': '%',
      cookie: 'wechat_emulator_person=%E0%',
    };

    expect(await read(authorizeUrl(stage()), headers)).toContain('这是谁的微信');
    expect((await fetch(`${wechat.endpoints.open}/connect/qrcode/%E0%A4%A`)).status).toBe(200);
  });

  it('remember whose browser it is and go back only to themselves', async () => {
    const { wechat, lan } = stage();
    const as = async (to: string): Promise<Response> =>
      fetch(`${wechat.endpoints.open}/connect/as?${new URLSearchParams({ person: lan.id, to }).toString()}`, {
        redirect: 'manual',
      });

    const known = await as('/connect/oauth2/authorize?x=1');
    const elsewhere = await as('//evil.example/');
    const cookie = known.headers.get('set-cookie')?.split(';')[0] ?? '';

    expect(known.headers.get('location')).toBe('/connect/oauth2/authorize?x=1');
    expect(elsewhere.headers.get('location')).toBe('/phone');
    expect(await read(authorizeUrl(stage()), { 'user-agent': 'MicroMessenger', cookie })).toContain('小兰');
  });
});

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

  it('can be read by everybody, as the page can that asks whose WeChat a browser is', async () => {
    await openPhone(stage());
    const phone = await axeFindings(page);
    const claiming = await browser.newPage({ locale: 'en-US', userAgent: 'MicroMessenger' });
    await claiming.goto(authorizeUrl(stage()));
    await claiming.getByText('Whose WeChat is this?').waitFor();
    const asked = await axeFindings(claiming);
    await claiming.close();

    expect({ phone, asked }).toEqual({ phone: [], asked: [] });
  }, 60_000);

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

describe('the web view', () => {
  const stage = useStage();

  it('speaks as WeChat on the phone or computer it is told to be', async () => {
    const { lan, app } = stage();
    await lan.openInWechat(app.origin);
    await lan.openInWechat(app.origin, { client: 'ios' });
    await lan.openInWechat(app.origin, { client: 'windows' });
    await lan.openInWechat(app.origin, { client: 'wecom' });
    const agents = app.heard.map(({ headers }) => headers['user-agent']);

    expect(agents[0]).toMatch(/Android.*MicroMessenger\//);
    expect(agents[1]).toMatch(/iPhone.*MicroMessenger\//);
    expect(agents[2]).toMatch(/MicroMessenger\/.*WindowsWechat/);
    expect(agents[3]).toMatch(/wxwork\/.*MicroMessenger\//);
  });

  it('keeps each person’s cookies apart', async () => {
    const { wechat, lan, app } = stage();
    const ming = wechat.person({ nickname: '小明' });
    app.respond = (response) => response.setHeader('set-cookie', 'a=1').end();
    await lan.openInWechat(app.origin);

    await lan.openInWechat(app.origin);
    await ming.openInWechat(app.origin);

    expect(app.heard.map(({ headers }) => headers.cookie)).toEqual([undefined, 'a=1', undefined]);
  });

  it('brings __Host- and Secure cookies back on this machine and refuses what browsers refuse', async () => {
    const { lan, app } = stage();
    const lines = [
      '__Host-good=1; Secure; Path=/; HttpOnly; SameSite=Lax',
      '__Host-path=1; Secure; Path=/deeper',
      '__Host-domain=1; Secure; Path=/; Domain=127.0.0.1',
      '__Secure-plain=1; Path=/',
      'foreign=1; Domain=example.com',
      'none=1; SameSite=None',
      'gone=1; Max-Age=0',
      'past=1; Expires=Thu, 01 Jan 1970 00:00:00 GMT',
    ];
    app.respond = (response) => response.setHeader('set-cookie', lines).end();
    await lan.openInWechat(app.origin);

    await lan.openInWechat(app.origin);

    expect(app.last?.headers.cookie).toBe('__Host-good=1');
  });

  it('forgets cookies when their time is over or they are cleared', async () => {
    const { wechat, lan, app } = stage();
    app.respond = (response) =>
      response.setHeader('set-cookie', ['short=1; Max-Age=60', 'long=1; Max-Age=600']).end();
    await lan.openInWechat(app.origin);
    app.respond = (response) => response.end();
    await lan.openInWechat(app.origin);
    wechat.clock.advance(61);
    await lan.openInWechat(app.origin);
    app.respond = (response) => response.setHeader('set-cookie', 'long=; Max-Age=0').end();
    await lan.openInWechat(app.origin);
    await lan.openInWechat(app.origin);

    expect(app.heard.slice(1).map(({ headers }) => headers.cookie)).toEqual([
      'short=1; long=1',
      'long=1',
      'long=1',
      undefined,
    ]);
  });

  it('respects paths, and SameSite when WeChat sends the browser back', async () => {
    const { lan, app, wechat, account } = stage();
    const oa = account.officialAccount({ oauthDomain: 'localhost' });
    const origin = app.origin.replace('127.0.0.1', 'localhost');
    app.respond = (response) =>
      response
        .setHeader('set-cookie', [
          'strict=1; SameSite=Strict; Path=/',
          'lax=1; Path=/',
          'other=1; Path=/other',
        ])
        .end();
    await lan.openInWechat(origin);
    const query = new URLSearchParams({
      appid: oa.appid,
      redirect_uri: `${origin}/callback`,
      response_type: 'code',
      scope: 'snsapi_base',
      state: 's',
    });

    await lan.openInWechat(`${wechat.endpoints.open}/connect/oauth2/authorize?${query.toString()}`);

    expect(app.last?.url.pathname).toBe('/callback');
    expect(app.last?.headers.cookie).toBe('lax=1');
  });

  it('follows redirects as a browser does and says where they led', async () => {
    const { lan, app } = stage();
    app.respond = (response, { url, method }) => {
      if (url.pathname === '/form') response.writeHead(303, { location: '/done' }).end();
      else if (url.pathname === '/keep') response.writeHead(307, { location: '/kept' }).end();
      else response.end(`${method} ${url.pathname}`);
    };

    const seen = await lan.post(`${app.origin}/form`, { a: '1' });
    const kept = await lan.post(`${app.origin}/keep`, { a: '1' });

    expect([seen.body, kept.body]).toEqual(['GET /done', 'POST /kept']);
    expect(seen.redirects).toEqual([`${app.origin}/done`]);
    expect(app.heard[0]).toMatchObject({ method: 'POST', body: 'a=1', headers: { origin: app.origin } });
  });

  it('gives up on endless redirects', async () => {
    const { lan, app } = stage();
    app.respond = (response) => response.writeHead(302, { location: '/again' }).end();

    await expect(lan.openInWechat(app.origin)).rejects.toThrow('too many redirects');
  });

  it('tells nobody but the emulator whose phone it is', async () => {
    const { lan, app } = stage();
    await lan.openInWechat(authorizeUrl(stage(), { scope: 'snsapi_base' }));

    expect(Object.keys(app.last?.headers ?? {}).filter((name) => name.startsWith('x-emulator'))).toEqual([]);
  });
});

describe('an emulator', () => {
  it('repeats its people and apps when started with the same seed', async () => {
    const { WechatEmulator } = await import('../../emulator/index.js');
    const ids = async (): Promise<unknown> => {
      const wechat = await WechatEmulator.start({ seed: 'demo' });
      const account = wechat.openPlatformAccount();
      const site = account.websiteApp({ callbackDomain: 'localhost' });
      const lan = wechat.person({ nickname: '小兰', id: 'lan' });
      await wechat.stop();
      return [site.appid, site.secret, lan.openid(site), lan.unionid(account)];
    };

    expect(await ids()).toEqual(await ids());
  });

  it('frees its port and cuts whoever hangs on it', async () => {
    const { WechatEmulator } = await import('../../emulator/index.js');
    const wechat = await WechatEmulator.start();
    wechat.once('/sns/auth', { delay: 60_000 });
    const hanging = expect(fetch(`${wechat.endpoints.api}/sns/auth`)).rejects.toThrow();
    await new Promise((resolve) => setTimeout(resolve, 30));

    await wechat.stop();

    await hanging;
    const port = Number(new URL(wechat.endpoints.api).port);
    const again = await WechatEmulator.start({ port });
    await again.stop();
  });
});
