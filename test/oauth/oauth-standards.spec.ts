import type { MiniProgram } from '../../emulator/index.js';
import { redirectUri, startWorld, type World } from '../support/iam-app.js';
import { PcBrowser, type Reply } from '../support/pc-browser.js';
import { authorizeUrl, getWith, pkce, redeem, returnFromPc, toTokens } from '../support/sign-in.js';

const loopback = 'http://127.0.0.1:8400/signed-in?app=desk';

describe('what the OAuth standards ask for', () => {
  let world: World;
  let mini: MiniProgram;
  const { challenge } = pkce();

  beforeAll(async () => {
    world = await startWorld({
      options: {
        clients: [
          { id: 'desktop', redirectUris: [loopback, 'http://[::1]/signed-in'] },
          { id: 'site', redirectUris: ['http://localhost:8400/signed-in', 'https://good.example/signed-in'] },
        ],
      },
    });
    mini = world.account.miniProgram();
  });
  afterAll(() => world.close());

  const post = (endpoint: string, fields: readonly (readonly [string, string])[]): Promise<Reply> =>
    new PcBrowser().visit(`${world.url}/iam/${endpoint}`, {
      form: new URLSearchParams(fields.map(([name, value]): [string, string] => [name, value])),
    });
  const errorOf = (reply: Reply) => [reply.status, reply.json()['error']];
  const authorizeError = (reply: Reply) => reply.location?.searchParams.get('error');

  describe('a parameter that is sent twice is refused (RFC 6749 §3.1, §3.2)', () => {
    it.each(['state', 'provider', 'response_type', 'code_challenge', 'method', 'unknown_to_us'])(
      'at authorize: %s',
      async (name) => {
        const url = new URL(authorizeUrl(world.url, challenge));
        url.searchParams.append(name, url.searchParams.get(name) ?? 'x');
        url.searchParams.append(name, 'x');

        const reply = await new PcBrowser().visit(url);

        expect(authorizeError(reply)).toBe('invalid_request');
        expect(reply.headers.getSetCookie()).toEqual([]);
      },
    );

    it.each([
      ['token', 'grant_type', 'refresh_token'],
      ['token', 'client_id', 'web'],
      ['token', 'unknown_to_us', 'x'],
      ['revoke', 'token', 'x'],
      ['device_authorization', 'provider', 'wechat'],
    ])('at %s: %s', async (endpoint, name, value) => {
      const fields = [
        ['client_id', 'web'],
        ['grant_type', 'refresh_token'],
        ['refresh_token', 'x'],
        ['token', 'x'],
        ['provider', 'wechat'],
        [name, value],
        [name, value],
      ] as const;

      expect(errorOf(await post(endpoint, fields))).toEqual([400, 'invalid_request']);
    });
  });

  it.each(['fragment', 'form_post', 'jwt'])('refuses response_mode=%s, and takes query', async (mode) => {
    const start = (response_mode: string) =>
      new PcBrowser().visit(authorizeUrl(world.url, challenge, { response_mode }));

    expect(authorizeError(await start(mode))).toBe('invalid_request');
    expect((await start('query')).status).toBe(302);
  });

  describe('scope (RFC 6749 §3.3)', () => {
    it('is named by the metadata, and may be asked for', async () => {
      const metadata = await getWith(`${world.url}/iam/.well-known/oauth-authorization-server`, '');
      const scopes = metadata.json()['scopes_supported'];

      const reply = await new PcBrowser().visit(
        authorizeUrl(world.url, challenge, { scope: (scopes as string[]).join(' ') }),
      );

      expect(scopes).toEqual(['profile', 'roles', 'offline_access']);
      expect(reply.status).toBe(302);
    });

    it.each(['openid', 'profile admin', 'roles"', 'ROLES'])(
      '%j is refused as invalid_scope',
      async (scope) => {
        const signIn = await returnFromPc(world, world.wechat.person({ nickname: '域' }));

        const start = await new PcBrowser().visit(authorizeUrl(world.url, challenge, { scope }));
        const token = await redeem(world.url, signIn, { scope });
        const device = await post('device_authorization', [
          ['client_id', 'web'],
          ['provider', 'wechat'],
          ['scope', scope],
        ]);

        expect(authorizeError(start)).toBe('invalid_scope');
        expect([errorOf(token), errorOf(device)]).toEqual([
          [400, 'invalid_scope'],
          [400, 'invalid_scope'],
        ]);
        expect((await redeem(world.url, signIn, { scope: 'profile' })).status).toBe(200);
      },
    );
  });

  describe('error values at the token endpoint are registered ones, our code is beside them (RFC 6749 §5.2)', () => {
    const handIn = (provider: string, code: string) =>
      post('token', [
        ['grant_type', 'urn:wechat:grant:mini_program'],
        ['client_id', 'web'],
        ['provider', provider],
        ['code', code],
      ]);

    it('for a provider that is not there, off, or without the app', async () => {
      await world.saveProvider({
        slug: 'off',
        enabled: false,
        mini_app_id: mini.appid,
        mini_app_secret: mini.secret,
      });

      const replies = [await handIn('nobody', 'c'), await handIn('off', 'c'), await handIn('wechat', 'c')];

      expect(replies.map((reply) => [...errorOf(reply), reply.json()['code']])).toEqual([
        [400, 'invalid_request', 'provider_not_found'],
        [400, 'access_denied', 'provider_disabled'],
        [400, 'invalid_request', 'wechat_mini_not_configured'],
      ]);
    });

    it('challenges a client by the scheme of clients, not by that of tokens', async () => {
      const reply = await post('token', [
        ['grant_type', 'refresh_token'],
        ['client_id', 'nobody'],
        ['refresh_token', 'x'],
      ]);

      expect(errorOf(reply)).toEqual([401, 'invalid_client']);
      expect(reply.headers.get('www-authenticate')).toBe('Basic realm="iam"');
    });
  });

  describe('redirect URIs on loopback (RFC 8252 §7.3)', () => {
    it.each([
      ['another port', 'http://127.0.0.1:51004/signed-in?app=desk'],
      ['no port', 'http://127.0.0.1/signed-in?app=desk'],
      ['a port where none was registered', 'http://[::1]:51004/signed-in'],
    ])('may have %s, and the code is redeemed with it', async (_case, uri) => {
      const changes = { client_id: 'desktop', redirect_uri: uri };
      const signIn = await returnFromPc(world, world.wechat.person({ nickname: '桌面' }), changes);

      const issued = toTokens(await redeem(world.url, signIn, changes));

      expect(signIn.returned.location?.href.startsWith(new URL(uri).href)).toBe(true);
      expect((await getWith(`${world.url}/iam/me`, issued.accessToken)).status).toBe(200);
    });

    it.each([
      ['desktop', 'another path', 'http://127.0.0.1:8400/elsewhere?app=desk'],
      ['desktop', 'another query', 'http://127.0.0.1:8400/signed-in'],
      ['desktop', 'another loopback address', 'http://127.0.0.2:8400/signed-in?app=desk'],
      ['desktop', 'a name', 'http://localhost:8400/signed-in?app=desk'],
      ['desktop', 'a host behind the address', 'http://127.0.0.1:8400@evil.example/signed-in?app=desk'],
      ['desktop', 'a longer host', 'http://127.0.0.1.evil.example/signed-in?app=desk'],
      ['desktop', 'a port that is none', 'http://127.0.0.1:99999/signed-in?app=desk'],
      ['site', 'another port of a name', 'http://localhost:51004/signed-in'],
      ['site', 'another port of a site', 'https://good.example:8443/signed-in'],
    ])('of %s may not have %s', async (client_id, _case, redirect_uri) => {
      const reply = await new PcBrowser().visit(
        authorizeUrl(world.url, challenge, { client_id, redirect_uri }),
      );

      expect([reply.status, reply.location]).toEqual([400, null]);
    });
  });

  it('tells the client of a refused start where it registered', async () => {
    const reply = await new PcBrowser().visit(authorizeUrl(world.url, challenge, { response_type: 'token' }));

    expect(reply.location?.href.startsWith(redirectUri(world.url))).toBe(true);
    expect(authorizeError(reply)).toBe('unsupported_response_type');
  });
});
