import * as oauth from 'oauth4webapi';
import { redirectUri, startWorld, type World } from '../support/iam-app.js';
import { PcBrowser } from '../support/pc-browser.js';
import { callbackAfterScan } from '../support/sign-in.js';

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
