import { decodeJwt } from 'jose';
import * as oauth from 'oauth4webapi';
import type { MiniProgram } from '../../emulator/index.js';
import { type IamApp, redirectUri, startReplica, startWorld, type World } from '../support/iam-app.js';
import { PcBrowser, type Reply } from '../support/pc-browser.js';
import { rowsOf, valueOf } from '../support/rows.js';
import {
  authorizeUrl,
  callbackAfterScan,
  getWith,
  pkce,
  redeem,
  returnFromPc,
  signInOnPc,
  type Tokens,
  toTokens,
} from '../support/sign-in.js';
import { refresh, revoke } from '../support/signed-in.js';

// eslint-disable-next-line @typescript-eslint/no-deprecated -- deprecated only to stand out; the test's host is http on loopback
const insecure = { [oauth.allowInsecureRequests]: true };

describe('a standard OAuth client (oauth4webapi)', () => {
  let world: World;

  beforeAll(async () => {
    world = await startWorld();
  });
  afterAll(() => world.close());

  const client: oauth.Client = { client_id: 'web' };
  const none = oauth.None();

  it('discovers, signs in, calls a guarded route, refreshes and revokes', async () => {
    const issuer = new URL(world.url);
    const server = await oauth.processDiscoveryResponse(
      issuer,
      await oauth.discoveryRequest(issuer, { ...insecure, algorithm: 'oauth2' }),
    );

    const verifier = oauth.generateRandomCodeVerifier();
    const state = oauth.generateRandomState();
    const start = new URL(server.authorization_endpoint ?? '');
    start.search = new URLSearchParams({
      response_type: 'code',
      client_id: client.client_id,
      redirect_uri: redirectUri(world.url),
      state,
      code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
      code_challenge_method: 'S256',
      provider: 'wechat',
    }).toString();
    const browser = new PcBrowser();
    const { location: qrPage } = await browser.visit(start);
    const callback = await callbackAfterScan(
      world.wechat,
      String(qrPage),
      world.wechat.person({ nickname: '标准' }),
    );
    const { location: back } = await browser.visit(callback);
    const parameters = oauth.validateAuthResponse(server, client, back ?? new URL('about:blank'), state);

    const granted = await oauth.processAuthorizationCodeResponse(
      server,
      client,
      await oauth.authorizationCodeGrantRequest(
        server,
        client,
        none,
        parameters,
        redirectUri(world.url),
        verifier,
        insecure,
      ),
    );
    const me = await oauth.protectedResourceRequest(
      granted.access_token,
      'GET',
      new URL('/iam/me', world.url),
      undefined,
      undefined,
      insecure,
    );
    const claims = await oauth.validateJwtAccessToken(
      server,
      new Request(`${world.url}/iam/me`, { headers: { authorization: `Bearer ${granted.access_token}` } }),
      world.url,
      insecure,
    );

    const refreshed = await oauth.processRefreshTokenResponse(
      server,
      client,
      await oauth.refreshTokenGrantRequest(server, client, none, granted.refresh_token ?? '', insecure),
    );
    await oauth.processRevocationResponse(
      await oauth.revocationRequest(server, client, none, refreshed.refresh_token ?? '', insecure),
    );
    const afterwards = oauth.processRefreshTokenResponse(
      server,
      client,
      await oauth.refreshTokenGrantRequest(server, client, none, refreshed.refresh_token ?? '', insecure),
    );

    expect(server).toMatchObject({ issuer: world.url, authorization_response_iss_parameter_supported: true });
    expect(granted.expires_in).toBe(900);
    expect(await me.json()).toMatchObject({ id: claims.sub, nickname: '标准' });
    expect(claims).toMatchObject({ iss: world.url, client_id: 'web' });
    await expect(afterwards).rejects.toMatchObject({ error: 'invalid_grant', status: 400 });
  });

  it('sees who refused when a person is sent back with an error', async () => {
    const browser = new PcBrowser();
    const start = new URL(`${world.url}/iam/authorize`);
    start.search = new URLSearchParams({
      response_type: 'token',
      client_id: 'web',
      redirect_uri: redirectUri(world.url),
      state: 'of-the-client',
    }).toString();
    const { location } = await browser.visit(start);

    const refusal = () =>
      oauth.validateAuthResponse(
        { issuer: world.url, authorization_response_iss_parameter_supported: true },
        client,
        location ?? new URL('about:blank'),
        'of-the-client',
      );

    expect(refusal).toThrow(expect.objectContaining({ error: 'unsupported_response_type' }) as Error);
  });
});

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
          { id: 'page', redirectUris: [loopback], tokens: 'cookie' },
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

      expect(scopes).toEqual(['openid', 'profile', 'phone', 'roles', 'offline_access']);
      expect(reply.status).toBe(302);
    });

    it.each(['email', 'profile admin', 'roles"', 'ROLES'])(
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
      ['page', 'another port where its tokens are in cookies', 'http://127.0.0.1:51004/signed-in?app=desk'],
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

describe('revoking a token (RFC 7009)', () => {
  let world: World;
  let replica: IamApp;

  beforeAll(async () => {
    world = await startWorld({
      options: { clients: [{ id: 'other', redirectUris: ['https://other.example/back'] }] },
    });
    replica = await startReplica(world);
  });
  afterAll(async () => {
    await replica.close();
    await world.close();
  });

  const signIn = () => signInOnPc(world, world.wechat.person({ nickname: '退' }));
  const rowOf = async ({ accessToken }: Tokens) =>
    (
      await rowsOf(world.dataSource, 'SELECT end_reason FROM iam.sessions WHERE id = $1', [
        decodeJwt(accessToken)['sid'],
      ])
    )[0];

  it.each(['refreshToken', 'accessToken'] as const)('ends the session of a %s', async (kind) => {
    const tokens = await signIn();

    const reply = await revoke(world.url, tokens[kind]);

    expect(reply.status).toBe(200);
    expect(reply.text).toBe('');
    expect(reply.headers.get('cache-control')).toBe('no-store');
    expect(await rowOf(tokens)).toEqual({ end_reason: 'revoked' });
    expect((await refresh(replica.url, tokens.refreshToken)).json()['error']).toBe('invalid_grant');
  });

  it('ends it by a refresh token that was spent long ago', async () => {
    const tokens = await signIn();
    await refresh(world.url, tokens.refreshToken);

    await revoke(world.url, tokens.refreshToken);

    expect(await rowOf(tokens)).toEqual({ end_reason: 'revoked' });
  });

  it('is answered alike the second time and is one entry in the audit log', async () => {
    const tokens = await signIn();

    const replies = [
      await revoke(world.url, tokens.refreshToken),
      await revoke(replica.url, tokens.refreshToken),
      await revoke(world.url, tokens.accessToken),
    ];

    expect(replies.map(({ status }) => status)).toEqual([200, 200, 200]);
    expect(
      await valueOf(
        world.dataSource,
        `SELECT count(*)::int FROM iam.audit_log WHERE action = 'session.revoked' AND session_id = $1 AND user_id = $2`,
        [decodeJwt(tokens.accessToken)['sid'], decodeJwt(tokens.accessToken).sub],
      ),
    ).toBe(1);
  });

  it.each(['unknown', 'eyJhbGciOiJub25lIn0.e30.', 'x'.repeat(4096)])(
    'is answered alike for a token of nobody: %.20s',
    async (token) => {
      const reply = await revoke(world.url, token);

      expect([reply.status, reply.text]).toEqual([200, '']);
    },
  );

  it('is refused to a client that it was not issued to, and ends nothing (RFC 7009 §2.1)', async () => {
    const tokens = await signIn();

    const replies = [
      await revoke(world.url, tokens.refreshToken, { client_id: 'other' }),
      await revoke(world.url, tokens.accessToken, { client_id: 'other' }),
    ];

    expect(replies.map((reply) => [reply.status, reply.json()['error']])).toEqual([
      [400, 'invalid_grant'],
      [400, 'invalid_grant'],
    ]);
    expect(await rowOf(tokens)).toEqual({ end_reason: null });
    expect((await refresh(world.url, tokens.refreshToken)).status).toBe(200);
  });

  it('takes a hint and JSON', async () => {
    const tokens = await signIn();

    const reply = await new PcBrowser().visit(`${world.url}/iam/revoke`, {
      body: { client_id: 'web', token: tokens.refreshToken, token_type_hint: 'refresh_token' },
    });

    expect(reply.status).toBe(200);
    expect(await rowOf(tokens)).toEqual({ end_reason: 'revoked' });
  });

  it('takes a token that many roles have made long', async () => {
    const first = await signIn();
    await world.dataSource.query(
      `INSERT INTO iam.roles (name) SELECT 'a-rather-long-name-of-a-role-' || n FROM generate_series(1, 130) n`,
    );
    await world.dataSource.query(
      `INSERT INTO iam.user_roles (user_id, role) SELECT $1, name FROM iam.roles WHERE name LIKE 'a-rather%'`,
      [decodeJwt(first.accessToken).sub],
    );
    const tokens = toTokens(await refresh(world.url, first.refreshToken));

    const reply = await revoke(world.url, tokens.accessToken);

    expect(tokens.accessToken.length).toBeGreaterThan(4096);
    expect(reply.status).toBe(200);
    expect(await rowOf(tokens)).toEqual({ end_reason: 'revoked' });
  });

  it.each([
    ['an unknown client', { client_id: 'nobody' }, 401, 'invalid_client'],
    ['no client', { client_id: '' }, 400, 'invalid_request'],
    ['no token', { token: '' }, 400, 'invalid_request'],
  ])('refuses %s', async (_case, changes, status, error) => {
    const reply = await revoke(world.url, 'token', changes);

    expect([reply.status, reply.json()['error']]).toEqual([status, error]);
  });

  it('changes nothing when it is only navigated to', async () => {
    const tokens = await signIn();

    const reply = await new PcBrowser().visit(
      `${world.url}/iam/revoke?client_id=web&token=${encodeURIComponent(tokens.refreshToken)}`,
    );

    expect(reply.status).toBe(404);
    expect(await rowOf(tokens)).toEqual({ end_reason: null });
  });
});
