import { WechatEmulator } from '../../emulator/index.js';
import { redirectUri, startWorld, type World } from '../support/iam-app.js';
import { PcBrowser, type Reply } from '../support/pc-browser.js';
import { countQueries } from '../support/query-counter.js';
import { authorizeUrl, pkce, returnFromPc } from '../support/sign-in.js';

const registered = 'https://good.example/signed-in';
const scripted = { headers: { accept: 'application/json' } };

describe('the start of a sign-in', () => {
  let world: World;
  const { challenge } = pkce();

  beforeAll(async () => {
    world = await startWorld({ options: { clients: [{ id: 'good', redirectUris: [registered] }] } });
  });
  afterAll(() => world.close());

  const start = (changes: Record<string, string | undefined> = {}, browser = new PcBrowser()) =>
    browser.visit(authorizeUrl(world.url, challenge, changes));

  const codeOf = (reply: Reply) => reply.json()['code'];

  describe('refuses without redirecting, and without a cookie', () => {
    const refused = async (changes: Record<string, string | undefined>) => {
      const reply = await new PcBrowser().visit(authorizeUrl(world.url, challenge, changes), scripted);
      return {
        status: reply.status,
        location: reply.location,
        cookies: reply.headers.getSetCookie(),
        code: codeOf(reply),
      };
    };
    const refusal = (code: string) => ({ status: 400, location: null, cookies: [], code });

    it.each([
      ['an unknown client', { client_id: 'nobody' }],
      ['no client', { client_id: undefined }],
      ['the name of a property of every object as client', { client_id: '__proto__' }],
    ])('%s', async (_case, changes) => {
      expect(await refused(changes)).toEqual(refusal('client_unknown'));
    });

    it.each([
      ['none at all', undefined],
      ['an empty one', ''],
      ['a scheme-relative one', '//evil.example'],
      ['a backslash after the slash', '/\\evil.example'],
      ['a scheme without slashes', 'https:evil.example'],
      ['encoded slashes', '/%2f%2fevil.example'],
      ['a script', 'javascript:alert(1)'],
      ['a data URL', 'data:text/html,<script>alert(1)</script>'],
      ['the registered host as user name', 'https://good.example@evil.example/signed-in'],
      ['the registered host as a subdomain', 'https://good.example.evil.example/signed-in'],
      ['another scheme', 'http://good.example/signed-in'],
      ['another port', 'https://good.example:8443/signed-in'],
      ['a parent path', `${registered}/../elsewhere`],
      ['a longer path', `${registered}/more`],
      ['a trailing slash', `${registered}/`],
      ['a query', `${registered}?next=//evil.example`],
      ['a fragment', `${registered}#evil`],
      ['upper case in the host', 'https://GOOD.example/signed-in'],
      ['a tab inside', 'https://good.\texample/signed-in'],
      ['a newline inside', 'https://good.example/\nsigned-in'],
      ['a leading space', ` ${registered}`],
      ['a NUL behind it', `${registered}\u0000`],
      ['a look-alike letter in the host', 'https://gооd.example/signed-in'],
      ['a percent-encoded letter', 'https://good.example/%73igned-in'],
    ])('a redirect_uri that is not exactly a registered one: %s', async (_case, uri) => {
      const changes = { client_id: 'good', redirect_uri: uri };

      expect(await refused(changes)).toEqual(refusal('redirect_uri_mismatch'));
    });

    it.each([
      ['client_id', 'client_unknown'],
      ['redirect_uri', 'redirect_uri_mismatch'],
    ])('%s given twice', async (name, code) => {
      const url = new URL(authorizeUrl(world.url, challenge));
      url.searchParams.append(name, url.searchParams.get(name) ?? '');

      const reply = await new PcBrowser().visit(url, scripted);

      expect(reply.location).toBeNull();
      expect(codeOf(reply)).toBe(code);
    });
  });

  it('goes on when the redirect_uri is the registered one, character by character', async () => {
    const reply = await start({ client_id: 'good', redirect_uri: registered });

    expect(reply.status).toBe(302);
  });

  it('takes no redirect_uri of another client', async () => {
    const reply = await start({ client_id: 'web', redirect_uri: registered });

    expect(reply.location).toBeNull();
  });

  describe('returns to the client with an error', () => {
    const returned = (reply: Reply) => ({
      status: reply.status,
      address: `${reply.location?.origin ?? ''}${reply.location?.pathname ?? ''}`,
      error: reply.location?.searchParams.get('error'),
      state: reply.location?.searchParams.get('state'),
      iss: reply.location?.searchParams.get('iss'),
      cookies: reply.headers.getSetCookie(),
    });
    const sentBack = (error: string) => ({
      status: 303,
      address: redirectUri(world.url),
      error,
      state: 'client-state',
      iss: world.url,
      cookies: [],
    });

    it.each<[string, string, Record<string, string | undefined>]>([
      ['PKCE is missing', 'invalid_request', { code_challenge: undefined, code_challenge_method: undefined }],
      ['the challenge method is missing', 'invalid_request', { code_challenge_method: undefined }],
      ['the challenge method is plain', 'invalid_request', { code_challenge_method: 'plain' }],
      ['the challenge is too short for S256', 'invalid_request', { code_challenge: 'abc' }],
      ['the challenge is not base64url', 'invalid_request', { code_challenge: `${'a'.repeat(42)}+` }],
      ['the response type is missing', 'invalid_request', { response_type: undefined }],
      ['the response type is token', 'unsupported_response_type', { response_type: 'token' }],
      ['the response type is code and more', 'unsupported_response_type', { response_type: 'code id_token' }],
      ['the provider is unknown', 'provider_not_found', { provider: 'nowhere' }],
      ['the provider is no possible slug', 'provider_not_found', { provider: "x' OR 1=1 --\n" }],
      ['the method is unknown', 'invalid_request', { method: 'telepathy' }],
      ['the display is unknown', 'invalid_request', { display: 'hologram' }],
    ])('when %s', async (_case, error, changes) => {
      expect(returned(await start(changes))).toEqual(sentBack(error));
    });

    it.each([
      'response_type',
      'provider',
      'method',
      'display',
      'code_challenge',
      'code_challenge_method',
      'state',
    ])('when %s is given twice', async (name) => {
      const url = new URL(authorizeUrl(world.url, challenge, { method: 'auto', display: 'page' }));
      url.searchParams.append(name, url.searchParams.get(name) ?? '');

      const reply = await new PcBrowser().visit(url);

      expect(returned(reply)).toEqual({
        ...sentBack('invalid_request'),
        state: name === 'state' ? null : 'client-state',
      });
    });
  });

  describe('the state of the client', () => {
    it.each([
      ['markup and separators', '<script>"\'&=?#+%00%2B;,</script>'],
      ['line breaks', 'a\r\nSet-Cookie: b=c'],
      ['spaces and pluses', ' a + b '],
      ['NUL', 'a\u0000b'],
      ['Chinese and emoji', '返回首页 🌸'],
      ['JSON', '{"next":"/orders?id=1","x":[1]}'],
      ['1024 characters', 'x'.repeat(1024)],
    ])('comes back unchanged with the code: %s', async (_case, state) => {
      const { returned } = await returnFromPc(world, world.wechat.person({ nickname: '小兰' }), { state });

      expect(returned.status).toBe(303);
      expect(returned.location?.searchParams.get('state')).toBe(state);
      expect(returned.location?.searchParams.get('code')).toEqual(expect.any(String));
    });

    it.each([
      ['none', undefined],
      ['an empty one', ''],
    ])('is left out when the client sent %s', async (_case, state) => {
      const signIn = await returnFromPc(world, world.wechat.person({ nickname: '小兰' }), { state });

      expect(signIn.returned.location?.searchParams.has('state')).toBe(false);
      expect(signIn.returned.location?.searchParams.get('code')).toEqual(expect.any(String));
    });

    it.each([
      ['1025 characters', 'x'.repeat(1025)],
      ['more bytes than a cookie holds', '微'.repeat(1024)],
      ['more escapes than a cookie holds', '\u0001'.repeat(1024)],
    ])('is refused at the start rather than lost on the way: %s', async (_case, state) => {
      const reply = await start({ state });

      expect(reply.location?.searchParams.get('error')).toBe('invalid_request');
      expect(reply.headers.getSetCookie()).toEqual([]);
    });
  });

  it('goes to the one provider that works where none is named, and chooses among no two', async () => {
    const start = () => new PcBrowser().visit(authorizeUrl(world.url, challenge, { provider: undefined }));
    const alone = await start();
    const { appid: open_app_id, secret: open_app_secret } = world.site;
    await world.saveProvider({ slug: 'second', open_app_id, open_app_secret });

    const between = await start();
    await world.saveProvider({ slug: 'second', enabled: false });

    expect(alone.location?.pathname).toBe('/connect/qrconnect');
    expect(between.location?.searchParams.get('error')).toBe('invalid_request');
    expect((await start()).location?.pathname).toBe('/connect/qrconnect');
  });

  it('builds every address from publicUrl, whatever Host and forwarding headers say', async () => {
    const other = new URL(authorizeUrl(world.url, challenge));
    other.hostname = '127.0.0.1';

    const reply = await new PcBrowser().visit(other, {
      headers: {
        'x-forwarded-host': 'evil.example',
        'x-forwarded-proto': 'https',
        forwarded: 'host=evil.example;proto=https',
        'x-original-url': '/elsewhere',
      },
    });

    expect(reply.location?.searchParams.get('redirect_uri')).toBe(`${world.url}/iam/callback/wechat`);
  });

  it('gives every sign-in another state of 43 letters and digits', async () => {
    const replies = await Promise.all(Array.from({ length: 20 }, () => start()));

    const states = replies.map((reply) => reply.location?.searchParams.get('state') ?? '');

    expect(new Set(states).size).toBe(20);
    for (const state of states) expect(state).toMatch(/^[A-Za-z0-9]{43}$/);
  });

  it('writes nothing, asks nothing and calls nobody', async () => {
    await start();
    const queries = countQueries(world.database.url);
    world.wechat.clearCalls();

    const replies = await Promise.all([start(), start({ method: 'mp' }), start({ display: 'widget' })]);
    const sent = queries.since(0);
    queries.stop();

    expect(replies.map(({ status }) => status)).toEqual([302, 302, 200]);
    expect(sent).toEqual([]);
    expect(world.wechat.calls()).toEqual([]);
  });

  describe('display=widget', () => {
    it('answers the options of WxLogin, which the emulated widget accepts, with the cookie of the attempt', async () => {
      const browser = new PcBrowser();
      const reply = await browser.visit(
        authorizeUrl(world.url, challenge, { display: 'widget', state: 'from widget' }),
        scripted,
      );
      const { state, ...rest } = reply.json();

      expect(reply.status).toBe(200);
      expect(reply.headers.get('content-type')).toMatch(/^application\/json/);
      expect(state).toMatch(/^[A-Za-z0-9]{43}$/);
      expect(rest).toEqual({
        appid: world.site.appid,
        scope: 'snsapi_login',
        expires_in: 600,
        redirect_uri: encodeURIComponent(`${world.url}/iam/callback/wechat`),
      });
      expect(reply.headers.getSetCookie()).toHaveLength(1);

      // What WeChat's wxLogin.js does: it concatenates.
      const { appid, scope, redirect_uri } = rest;
      const embedded = `${world.wechat.endpoints.open}/connect/qrconnect?appid=${String(appid)}&scope=${String(scope)}&redirect_uri=${String(redirect_uri)}&state=${String(state)}&login_type=jssdk&self_redirect=false`;
      const returned = await browser.visit(await scanned(world.wechat, embedded));

      expect(returned.location?.searchParams.get('state')).toBe('from widget');
      expect(returned.location?.searchParams.get('code')).toEqual(expect.any(String));
    });

    it.each<[string, number, Record<string, string>]>([
      ['method_unavailable', 400, { method: 'mp' }],
      ['invalid_request', 400, { code_challenge_method: 'plain' }],
      ['provider_not_found', 404, { provider: 'nowhere' }],
      ['unsupported_response_type', 400, { response_type: 'token' }],
    ])('answers %s to the script itself, without a redirect or a cookie', async (code, status, changes) => {
      const url = authorizeUrl(world.url, challenge, { display: 'widget', ...changes });

      const reply = await new PcBrowser().visit(url, scripted);

      expect(reply.status).toBe(status);
      expect(reply.headers.get('content-type')).toMatch(/^application\/problem\+json/);
      expect(codeOf(reply)).toBe(code);
      expect(reply.headers.getSetCookie()).toEqual([]);
    });
  });
});

async function scanned(wechat: WechatEmulator, url: string): Promise<string> {
  const person = wechat.person({ nickname: '小明' });
  const screen = await wechat.showQrCode(url);
  await person.scan(screen.content);
  await person.confirm();
  return (await screen.finish()).redirectTo ?? '';
}
