import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { text } from 'node:stream/consumers';
import { createRemoteJWKSet, exportJWK, generateKeyPair, jwtVerify } from 'jose';
import * as oidc from 'openid-client';
import {
  check,
  countWechatCalls,
  listen,
  listenForBrowser,
  register,
  report,
  scan,
  signIn,
  world,
} from './check.mjs';

const { issuer, person } = world;
const origin = await listenForBrowser();
const redirect_uri = `${origin}/callback`;
const post_logout_redirect_uri = `${origin}/left`;
const scope = 'openid profile offline_access';
// The issuer of this run is http on loopback.
const execute = [oidc.allowInsecureRequests];

const server = { type: 'confidential', redirect_uris: [redirect_uri], sso: true };

/** Registers an application and makes the client of it, as its documentation says. */
async function clientOf(members, authentication) {
  const { client_id, client_secret } = await register(members);
  return oidc.discovery(new URL(issuer), client_id, undefined, authentication(client_secret), { execute });
}

/** From the client's button to its callback; tokens, and how often the person had to scan and to agree. */
async function signInTo(config, { build = oidc.buildAuthorizationUrl, ...more } = {}) {
  const pkceCodeVerifier = oidc.randomPKCECodeVerifier();
  const checks = { pkceCodeVerifier, expectedState: oidc.randomState(), expectedNonce: oidc.randomNonce() };
  const start = await build(config, {
    redirect_uri,
    scope,
    state: checks.expectedState,
    nonce: checks.expectedNonce,
    code_challenge: await oidc.calculatePKCECodeChallenge(pkceCodeVerifier),
    code_challenge_method: 'S256',
    ...more,
  });
  const { url, scans, consents } = await signIn('pc', start.href);
  return { tokens: await oidc.authorizationCodeGrant(config, new URL(url), checks), scans, consents };
}

/** From the client's sign-out to its page after it, without a question. */
async function signOutOf(config, { id_token: id_token_hint }) {
  const end = oidc.buildEndSessionUrl(config, { id_token_hint, post_logout_redirect_uri, state: 'left' });
  const { url } = await signIn('pc', end.href);
  assert.equal(url, `${post_logout_redirect_uri}?state=left`);
}

/** Neither the refresh token nor the browser lets the person in any more. */
async function expectSignedOut(config, { refresh_token }) {
  await assert.rejects(oidc.refreshTokenGrant(config, refresh_token), { error: 'invalid_grant' });
  await assert.rejects(signInTo(config, { prompt: 'none' }), { error: 'login_required' });
}

/** What every sign-in must end in. */
async function expectPerson(config, tokens) {
  const { sub } = tokens.claims();
  const user = await oidc.fetchUserInfo(config, tokens.access_token, sub);
  assert.deepEqual([user.nickname, user.picture], [person.nickname, person.avatar]);
}

for (const [name, authentication] of [
  ['client_secret_basic', oidc.ClientSecretBasic],
  ['client_secret_post', oidc.ClientSecretPost],
])
  await check(`code flow, PKCE, nonce, userinfo with ${name}`, async () => {
    const config = await clientOf(server, authentication);
    const { tokens } = await signInTo(config);
    await expectPerson(config, tokens);
  });

await check('a public client with PKCE alone', async () => {
  const config = await clientOf({ redirect_uris: [redirect_uri] }, () => oidc.None());
  const { tokens } = await signInTo(config);
  await expectPerson(config, tokens);
});

await check('private_key_jwt', async () => {
  const { privateKey, publicKey } = await generateKeyPair('ES256', { extractable: true });
  const jwks = { keys: [{ ...(await exportJWK(publicKey)), kid: '1', alg: 'ES256', use: 'sig' }] };
  const config = await clientOf({ ...server, jwks }, () => oidc.PrivateKeyJwt({ key: privateKey, kid: '1' }));
  const { tokens } = await signInTo(config);
  await expectPerson(config, tokens);
});

await check('a pushed authorization request', async () => {
  const config = await clientOf(server, oidc.ClientSecretBasic);
  const { tokens } = await signInTo(config, { build: oidc.buildAuthorizationUrlWithPAR });
  await expectPerson(config, tokens);
});

await check('refresh and revocation', async () => {
  const config = await clientOf(server, oidc.ClientSecretBasic);
  const { tokens } = await signInTo(config);
  const renewed = await oidc.refreshTokenGrant(config, tokens.refresh_token);
  assert.equal(renewed.claims().sub, tokens.claims().sub);
  await expectPerson(config, renewed);
  await oidc.tokenRevocation(config, renewed.refresh_token);
  await assert.rejects(oidc.refreshTokenGrant(config, renewed.refresh_token), { error: 'invalid_grant' });
});

await check('introspection', async () => {
  const config = await clientOf(server, oidc.ClientSecretBasic);
  const { tokens } = await signInTo(config);
  const before = await oidc.tokenIntrospection(config, tokens.access_token);
  await oidc.tokenRevocation(config, tokens.refresh_token);
  const after = await oidc.tokenIntrospection(config, tokens.access_token);
  assert.deepEqual([before.active, before.sub, after.active], [true, tokens.claims().sub, false]);
});

await check('client_credentials', async () => {
  const service = { type: 'service', grants: ['client_credentials'], redirect_uris: [] };
  const config = await clientOf(service, oidc.ClientSecretBasic);
  const { access_token } = await oidc.clientCredentialsGrant(config);
  assert.equal((await oidc.tokenIntrospection(config, access_token)).active, true);
});

await check('device flow, by a scan', async () => {
  const grants = ['urn:ietf:params:oauth:grant-type:device_code', 'refresh_token'];
  const config = await clientOf({ grants, providers: ['scans'] }, () => oidc.None());
  const started = await oidc.initiateDeviceAuthorization(config, { scope, provider: 'scans' });
  await scan(started.verification_uri_complete);
  const tokens = await oidc.pollDeviceAuthorizationGrant(config, started);
  // A scan tells no nickname.
  const { sub } = tokens.claims();
  assert.equal((await oidc.fetchUserInfo(config, tokens.access_token, sub)).sub, sub);
});

await check('single sign-on, prompt and max_age', async () => {
  const [one, other] = [
    await clientOf(server, oidc.ClientSecretBasic),
    await clientOf(server, oidc.ClientSecretBasic),
  ];
  const first = await signInTo(one);
  const second = await signInTo(other);
  const silent = await signInTo(other, { prompt: 'none' });
  const anew = await signInTo(other, { prompt: 'login' });
  assert.deepEqual([second.scans, silent.scans, anew.scans], [0, 0, 1]);
  assert.equal(second.tokens.claims().auth_time, first.tokens.claims().auth_time);
  assert.equal((await signInTo(other, { max_age: '10000' })).scans, 0);
});

await check('a third party, which the person agrees to once', async () => {
  const members = { ...server, sso: false, first_party: false, subject_type: 'pairwise' };
  const config = await clientOf({ ...members, name: 'Partner' }, oidc.ClientSecretBasic);
  const first = await signInTo(config);
  const second = await signInTo(config);
  assert.deepEqual([first.consents, second.consents], [1, 0]);
  assert.equal(second.tokens.claims().sub, first.tokens.claims().sub);
  await expectPerson(config, first.tokens);
  const own = await signInTo(await clientOf(server, oidc.ClientSecretBasic));
  assert.notEqual(own.tokens.claims().sub, first.tokens.claims().sub);
});

await check('end_session and a back-channel logout token', async () => {
  const received = createServer(async (request, response) => {
    const body = new URLSearchParams(await text(request));
    response.end();
    received.emit('token', body.get('logout_token'));
  });
  const backchannel_logout_uri = `${await listen(received)}/backchannel`;
  const members = { ...server, post_logout_redirect_uris: [post_logout_redirect_uri] };
  const config = await clientOf({ ...members, backchannel_logout_uri }, oidc.ClientSecretBasic);
  const { tokens } = await signInTo(config);
  const told = once(received, 'token', { signal: AbortSignal.timeout(20_000) });
  await signOutOf(config, tokens);
  const [token] = await told;
  const { jwks_uri, issuer: iss } = config.serverMetadata();
  const { payload } = await jwtVerify(token, createRemoteJWKSet(new URL(jwks_uri)), {
    issuer: iss,
    audience: config.clientMetadata().client_id,
    typ: 'logout+jwt',
    requiredClaims: ['iat', 'jti', 'events', 'exp'],
  });
  assert.deepEqual(payload.events, { 'http://schemas.openid.net/event/backchannel-logout': {} });
  assert.deepEqual(
    [payload.sub, payload.sid, payload.nonce],
    [tokens.claims().sub, tokens.claims().sid, undefined],
  );
  await expectSignedOut(config, tokens);
});

await check('single sign-on and sign-out between a third party and an own application', async () => {
  const members = { ...server, first_party: false, name: 'Partner' };
  const partner = await clientOf(
    { ...members, post_logout_redirect_uris: [post_logout_redirect_uri] },
    oidc.ClientSecretBasic,
  );
  const own = await clientOf(server, oidc.ClientSecretBasic);
  const before = await countWechatCalls();
  // Another check may have left the person signed in.
  const first = await signInTo(partner, { prompt: 'login' });
  const between = await countWechatCalls();
  const second = await signInTo(own);
  assert.deepEqual([first.scans, first.consents, second.scans, second.consents], [1, 1, 0, 0]);
  assert.ok(between > before);
  assert.equal(await countWechatCalls(), between);
  assert.equal(second.tokens.claims().auth_time, first.tokens.claims().auth_time);
  await expectPerson(partner, first.tokens);
  await expectPerson(own, second.tokens);
  const kept = [
    await oidc.refreshTokenGrant(partner, first.tokens.refresh_token),
    await oidc.refreshTokenGrant(own, second.tokens.refresh_token),
  ];
  await signOutOf(partner, first.tokens);
  await expectSignedOut(partner, kept[0]);
  await expectSignedOut(own, kept[1]);
});

await report('openid-client');
