import { QueryFailedError } from 'typeorm';
import type { ResolvedIamClient } from '../../src/config/iam.resolved-options.js';
import { homeOf } from '../../src/http/error-page.js';
import { toIamError } from '../../src/http/to-iam-error.js';
import { AdminClient, adminOptions } from '../support/admin.js';
import { FakeClock } from '../support/fake-clock.js';
import { redirectUri, startWorld, type World } from '../support/iam-app.js';
import { PcBrowser, type Reply } from '../support/pc-browser.js';
import { platforms } from '../support/platforms.js';
import { type ApprovedOnPc, approveOnPc, authorizeUrl, pkce } from '../support/sign-in.js';

describe.each(platforms)('a person whom a page stops, on %s', (_platform, create) => {
  let world: World;
  const page = { headers: { accept: 'text/html', 'accept-language': 'en' } };

  beforeAll(async () => {
    world = await startWorld({
      create,
      options: {
        ...adminOptions,
        siteName: '小店 & Co',
        clients: [
          { id: 'shop', redirectUris: ['https://shop.example/signed-in', 'https://m.shop.example/back'] },
        ],
      },
    });
    const partner = { id: 'partner', first_party: false, redirect_uris: ['https://partner.example/back'] };
    await new AdminClient(world.url).post('clients', partner);
  });
  afterAll(() => world.close());

  const approve = () => approveOnPc(world, world.wechat.person({ nickname: '小兰' }));
  const linkIn = ({ text }: Reply) => /<a href="([^"]+)" target="_top">([^<]+)<\/a>/.exec(text)?.slice(1);
  const framedBy = ({ headers }: Reply) =>
    /frame-ancestors ([^;]+)/.exec(headers.get('content-security-policy') ?? '')?.[1];

  it.each([
    ['zh-CN,zh;q=0.9', '返回 小店 &#38; Co 重新登录'],
    ['en', 'Back to 小店 &#38; Co to sign in again'],
  ])('finds a way back, in the language %s', async (language, text) => {
    const headers = { accept: 'text/html', 'accept-language': language };

    const reply = await new PcBrowser().visit(`${world.url}/iam/callback/wechat?again=1&code=c&state=s`, {
      headers,
    });

    expect(reply.status).toBe(400);
    expect(linkIn(reply)).toEqual([world.url, text]);
  });

  it('is led to the client that the address names', async () => {
    const address = authorizeUrl(world.url, pkce().challenge, {
      client_id: 'shop',
      redirect_uri: 'https://x.example/',
    });

    expect(linkIn(await new PcBrowser().visit(address, page))?.[0]).toBe('https://shop.example');
  });

  it('is led to no third party, which our name would vouch for', async () => {
    const address = authorizeUrl(world.url, pkce().challenge, {
      client_id: 'partner',
      redirect_uri: 'https://x.example/',
    });

    expect(linkIn(await new PcBrowser().visit(address, page))?.[0]).toBe(world.url);
  });

  it('sees the page in a frame of our own or of a client, and of nobody else', async () => {
    const reply = await new PcBrowser().visit(`${world.url}/iam/callback/wechat?state=x`, page);

    expect(framedBy(reply)).toBe(
      `'self' ${new URL(redirectUri(world.url)).origin} https://shop.example https://m.shop.example`,
    );
    expect(reply.headers.get('x-frame-options')).toBeNull();
  });

  describe('because the cookie of the attempt is late', () => {
    const visit = (browser: PcBrowser, { callback }: ApprovedOnPc, again = false) => {
      const url = new URL(callback);
      if (again) url.searchParams.set('again', '1');
      return browser.visit(url, page);
    };

    it('comes once more to the same address by itself, and is signed in when the cookie is there then', async () => {
      const approved = await approve();

      const late = await visit(new PcBrowser(), approved);
      const [seconds, address = ''] = (late.headers.get('refresh') ?? '').split(';url=');
      const next = await approved.browser.visit(new URL(address, world.url), page);

      expect([late.status, seconds]).toEqual([400, '1']);
      expect(late.text).toContain('One moment…');
      expect(next.location?.searchParams.get('code')).toEqual(expect.any(String));
    });

    it('is told what happened the second time, without a third', async () => {
      const reply = await visit(new PcBrowser(), await approve(), true);

      expect(reply.headers.get('refresh')).toBeNull();
      expect(reply.text).toContain('Sign-in did not work');
    });

    it('comes back by an address of this server only', async () => {
      const url = `${world.url}//evil.example/iam/callback/wechat?code=c&state=s`;
      const hostile = `${world.url}/iam/callback/wechat?code=c&state=${encodeURIComponent('s\r\nX: 1;url=//evil.example')}`;

      const replies = [await new PcBrowser().visit(url, page), await new PcBrowser().visit(hostile, page)];

      expect(replies[1]?.headers.get('refresh')).toMatch(/^1;url=\/iam\/callback\/wechat\?[\w=&%+.-]+$/);
      expect(replies[0]?.headers.get('refresh') ?? '1;url=/iam/').toMatch(/^1;url=\/iam\//);
    });

    it('is not sent again as a script, by POST or without a state', async () => {
      const approved = await approve();

      const script = await new PcBrowser().visit(approved.callback, {
        headers: { accept: 'application/json' },
      });
      const stateless = await new PcBrowser().visit(`${world.url}/iam/callback/wechat?code=c`, page);

      expect([script.headers.get('refresh'), stateless.headers.get('refresh')]).toEqual([null, null]);
    });
  });
});

describe('an attempt that is too old', () => {
  const clock = new FakeClock();

  it('keeps its cookie, so that the person returns to the client with the reason', async () => {
    const world = await startWorld({ clock });
    const { browser, callback } = await approveOnPc(world, world.wechat.person({ nickname: '慢' }));
    const [cookie] = await browser.jar.getCookies(world.url);
    clock.advance(601);

    const reply = await browser.visit(callback);
    await world.close();

    expect(cookie?.maxAge).toBe(4200);
    expect(reply.location?.href.startsWith(redirectUri(world.url))).toBe(true);
    expect(reply.location?.searchParams.get('state')).toBe('client-state');
    expect(reply.location?.searchParams.get('error_description')).toMatch(/too long|expired/i);
  });
});

describe('the embedded QR code', () => {
  it('says for how long it is good', async () => {
    const world = await startWorld({ options: { loginLifetime: 300 } });

    const reply = await new PcBrowser().visit(
      authorizeUrl(world.url, pkce().challenge, { display: 'widget' }),
      {
        headers: { accept: 'application/json' },
      },
    );
    await world.close();

    expect(reply.json()).toMatchObject({ appid: world.site.appid, expires_in: 300 });
  });
});

const client = (id: string, ...redirectUris: string[]): [string, ResolvedIamClient] => [
  id,
  { id, redirectUris, tokens: 'bearer', origins: [] },
];

const home = (publicUrl: string, clients: [string, ResolvedIamClient][], clientId?: string) =>
  homeOf({ publicUrl, siteName: 'shop', clients: new Map(clients) }, clientId);

const api = 'https://api.shop.example';

const web = client('web', 'https://www.shop.example/back');

const app = client('app', 'http://127.0.0.1/back', 'http://[::1]/back', 'http://localhost:9000/back');

describe('the site that an error page leads to', () => {
  it('is the client’s that the address names', () => {
    expect(home(api, [web, client('other', 'https://other.example/back')], 'other')).toBe(
      'https://other.example',
    );
  });

  it('is ours where a client lives there, in whatever order they are named', () => {
    expect(home(api, [web, client('own', `${api}/back`)])).toBe(api);
  });

  it('is the first client’s where ours has no pages', () => {
    expect(home(api, [web, client('other', 'https://other.example/back')])).toBe('https://www.shop.example');
  });

  it('is never the machine of the person, which an app returns to', () => {
    expect([home(api, [app]), home(api, [app], 'app'), home(api, [app, web])]).toEqual([
      api,
      api,
      'https://www.shop.example',
    ]);
  });

  it('is on this machine while all of it is', () => {
    expect(home('http://localhost:3000', [client('web', 'http://localhost:5173/back')])).toBe(
      'http://localhost:5173',
    );
  });
});

/** What TypeORM throws for an error of `pg`. */
const failed = (fields: object) =>
  new QueryFailedError('SELECT', [], Object.assign(new Error('refused'), fields));

describe('a reference between rows that is violated', () => {
  it.each([
    ['what a row of ours refers to has gone', { code: '23503', schema: 'iam' }, 'not_found'],
    ['a row of the host still refers to it', { code: '23503', schema: 'public' }, 'in_use'],
    ['a row of the host restricts it', { code: '23001', schema: 'public' }, 'in_use'],
  ])('says by its code that %s', (_what, fields, code) => {
    expect(toIamError(failed(fields)).code).toBe(code);
  });
});
