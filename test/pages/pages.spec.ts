import { brotliDecompressSync, gunzipSync } from 'node:zlib';
import { request } from 'node:http';
import { IamPagesModule } from '../../pages/server/index.js';
import { startWorld, type World } from '../support/iam-app.js';
import { platforms } from '../support/platforms.js';
import { authorizeUrl, callbackAfterScan, pkce } from '../support/sign-in.js';
import { PcBrowser } from '../support/pc-browser.js';

const policy = [
  "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data: https:; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types vue",
  'script-src *:*/api/auth/iam/ui/assets/; style-src *:*/api/auth/iam/ui/assets/',
].join(', ');

/** The bytes as they came: fetch would decompress them. */
function rawBody(url: string, headers: Record<string, string>): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    request(url, { headers }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('end', () => resolve(Buffer.concat(chunks)));
    })
      .on('error', reject)
      .end();
  });
}

const settingsIn = (html: string): Record<string, unknown> => {
  const [, content = ''] = /<meta name="iam-settings" content="([^"]*)">/.exec(html) ?? [];
  const text = content.replace(/&#(\d+);/g, (_, code: string) => String.fromCharCode(Number(code)));
  return JSON.parse(text) as Record<string, unknown>;
};
const filesIn = (html: string): string[] =>
  [...html.matchAll(/(?:href|src)="([^"]*\/ui\/assets\/[^"]+)"/g)].map(([, path = '']) => path);

describe.each(platforms)('pages on %s, with a path and a global prefix', (_name, create) => {
  let world: World;
  let page: string;

  beforeAll(async () => {
    world = await startWorld({
      create,
      path: 'auth/iam',
      prepare: (app) => app.setGlobalPrefix('api'),
      imports: [
        IamPagesModule.forRoot({
          admin: true,
          siteName: { 'zh-CN': '茶"铺<', en: 'Tea & more' },
          logo: '/logo.svg',
          accent: '#a02040',
        }),
      ],
    });
    page = `${world.url}/api/auth/iam/ui/admin`;
  });
  afterAll(() => world.close());

  it('serves the page at its path and below, with a policy that admits no inline code', async () => {
    for (const path of ['', '/', '/users', '/users/42', '/users/%F0%9F%98%80/sessions', '?code=a&state=b']) {
      const response = await fetch(`${page}${path}`);

      expect(response.status).toBe(200);
      expect(response.headers.get('content-type')).toBe('text/html; charset=utf-8');
      expect(response.headers.get('content-security-policy')).toBe(policy);
      expect(response.headers.get('cross-origin-opener-policy')).toBe('same-origin');
      expect(response.headers.get('cache-control')).toBe('no-cache');
      expect(response.headers.get('x-content-type-options')).toBe('nosniff');
      expect(response.headers.get('referrer-policy')).toBe('no-referrer');
      const html = await response.text();
      expect(html).not.toMatch(/<style|style=|<script(?![^>]*src=)[^>]*>|onload=/);
    }
  });

  it('tells the script its settings in an attribute, and the language of the browser', async () => {
    const response = await fetch(page, { headers: { 'accept-language': 'en-GB,zh;q=0.5' } });
    const html = await response.text();

    expect(html).toContain('<html lang="en">');
    expect(html).toContain('<title>Tea &#38; more</title>');
    expect(settingsIn(html)).toEqual({
      clientId: 'iam-pages',
      origin: world.url,
      base: '/api/auth/iam',
      pages: { admin: true, account: false },
      siteName: { 'zh-CN': '茶"铺<', en: 'Tea & more' },
      logo: '/logo.svg',
      accent: '#a02040',
    });
  });

  it('has every file that the page loads, for ever, in the encoding that the browser takes', async () => {
    const paths = filesIn(await (await fetch(page)).text());
    expect(paths.length).toBeGreaterThan(2);

    for (const path of paths) {
      const url = `${world.url}${path}`;
      const response = await fetch(url, { headers: { 'accept-encoding': 'gzip, br;q=0' } });
      expect(response.status).toBe(200);
      expect(response.headers.get('cache-control')).toBe('public, max-age=31536000, immutable');
      expect(response.headers.get('content-encoding')).toBe('gzip');
      expect(response.headers.get('vary')).toContain('Accept-Encoding');
      expect(response.headers.get('content-type')).toBe(
        path.endsWith('.css') ? 'text/css; charset=utf-8' : 'text/javascript; charset=utf-8',
      );
      const plain = await rawBody(url, {});
      expect(brotliDecompressSync(await rawBody(url, { 'accept-encoding': 'br' })).equals(plain)).toBe(true);
      expect(gunzipSync(await rawBody(url, { 'accept-encoding': 'gzip' })).equals(plain)).toBe(true);
    }
  });

  it('answers HEAD without a body, and 304 to a browser that has the page or the file', async () => {
    const [file = ''] = filesIn(await (await fetch(page)).text());

    for (const url of [page, `${world.url}${file}`]) {
      const head = await fetch(url, { method: 'HEAD' });
      expect([head.status, await head.text()]).toEqual([200, '']);
      const etag = head.headers.get('etag') ?? '';
      const known = await fetch(url, { headers: { 'if-none-match': `"other", ${etag}` } });
      expect(known.status).toBe(304);
      expect(known.headers.get('etag')).toBe(etag);
      expect((await fetch(url, { headers: { 'if-none-match': '"other"' } })).status).toBe(200);
    }
  });

  it('has no page that the host did not ask for, and no file that was not built', async () => {
    const missing = [
      'ui/account',
      'ui',
      'ui/assets/..%2f..%2fpackage.json',
      'ui/assets/constructor',
      'ui/admin/a/b/c/d',
    ];

    for (const path of missing)
      expect([path, (await fetch(`${world.url}/api/auth/iam/${path}`)).status]).toEqual([path, 404]);
  });

  it('signs a person in to the page by a client that the host has not written', async () => {
    const browser = new PcBrowser();
    const { verifier, challenge } = pkce();
    const start = authorizeUrl(`${world.url}/api/auth`, challenge, {
      client_id: 'iam-pages',
      redirect_uri: page,
    });
    const { location } = await browser.visit(start);
    const back = await callbackAfterScan(
      world.wechat,
      location ?? new URL(page),
      world.wechat.person({ nickname: '小兰' }),
    );
    const returned = await browser.visit(back);
    expect(returned.location?.href.startsWith(`${page}?code=`)).toBe(true);

    const token = await browser.visit(`${world.url}/api/auth/iam/token`, {
      from: world.url,
      form: {
        grant_type: 'authorization_code',
        client_id: 'iam-pages',
        code: returned.location?.searchParams.get('code') ?? '',
        code_verifier: verifier,
        redirect_uri: page,
      },
    });

    expect(token.json()).toMatchObject({ token_type: 'N_A' });
    const access = await browser.visit(`${world.url}/api/auth/iam/admin/access`);
    expect(access.json()).toEqual({ actor: 'user', permissions: [] });
  });
});

describe('options of the pages', () => {
  const wrong: [string, object][] = [
    ['accent', { accent: 'red' }],
    ['accent', { accent: '#ffee00' }],
    ['logo', { logo: 'javascript:alert(1)' }],
    ['logo', { logo: '//elsewhere.example/logo.svg' }],
    ['siteName', { siteName: '   ' }],
    ['siteName', { siteName: { 'zh-CN': '茶' } }],
    ['terms', { terms: 'http://example.com/terms' }],
    ['privacy', { privacy: { 'zh-CN': '/privacy', en: 'ftp://x' } }],
    ['admin', { admin: 'yes' }],
    ['(root)', { colour: '#000000' }],
  ];

  it.each(wrong)('stops at a wrong option and names it: %s %j', (name, options) => {
    const start = () => IamPagesModule.forRoot(options);

    expect(start).toThrow(TypeError);
    expect(start).toThrow(new RegExp(`^IamPagesModule option \`?${name.replace(/[()]/g, '\\$&')}`));
  });

  it('stops where a client of the host has the id of the pages', async () => {
    const start = startWorld({
      options: { clients: [{ id: 'iam-pages', redirectUris: ['https://shop.example/'] }] },
      imports: [IamPagesModule.forRoot({ admin: true })],
    });

    await expect(start).rejects.toThrow('IamModule option `clients`: expected no client "iam-pages"');
  });
});
