import assert from 'node:assert/strict';
import * as oauth from 'oauth4webapi';
import { check, listenForBrowser, register, report, signIn, world } from './check.mjs';

const { person } = world;
const issuer = new URL(world.issuer);
const redirect_uri = `${await listenForBrowser()}/callback`;
// The issuer of this run is http on loopback.
const insecure = { [oauth.allowInsecureRequests]: true };

const as = await oauth.processDiscoveryResponse(issuer, await oauth.discoveryRequest(issuer, insecure));

/** The whole code flow with every check that the library has; the tokens. */
async function signInTo(client, authentication) {
  const verifier = oauth.generateRandomCodeVerifier();
  const [state, nonce] = [oauth.generateRandomState(), oauth.generateRandomNonce()];
  const start = new URL(as.authorization_endpoint);
  start.search = new URLSearchParams({
    response_type: 'code',
    client_id: client.client_id,
    redirect_uri,
    scope: 'openid profile offline_access',
    state,
    nonce,
    code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
  });
  const { url } = await signIn('pc', start.href);
  const returned = oauth.validateAuthResponse(as, client, new URL(url), state);
  const response = await oauth.authorizationCodeGrantRequest(
    as,
    client,
    authentication,
    returned,
    redirect_uri,
    verifier,
    insecure,
  );
  const checks = { expectedNonce: nonce, requireIdToken: true };
  const tokens = await oauth.processAuthorizationCodeResponse(as, client, response, checks);
  // The signature, which the library leaves out otherwise: the token came straight from the issuer.
  await oauth.validateApplicationLevelSignature(as, response, insecure);
  return tokens;
}

async function expectPerson(client, tokens) {
  const { sub } = oauth.getValidatedIdTokenClaims(tokens);
  const response = await oauth.userInfoRequest(as, client, tokens.access_token, insecure);
  const user = await oauth.processUserInfoResponse(as, client, sub, response);
  assert.deepEqual([user.nickname, user.picture], [person.nickname, person.avatar]);
}

await check('code flow, the ID token’s signature, userinfo, refresh', async () => {
  const { client_id, client_secret } = await register({
    type: 'confidential',
    redirect_uris: [redirect_uri],
  });
  const client = { client_id };
  const authentication = oauth.ClientSecretBasic(client_secret);
  const tokens = await signInTo(client, authentication);
  await expectPerson(client, tokens);
  const renewal = await oauth.refreshTokenGrantRequest(
    as,
    client,
    authentication,
    tokens.refresh_token,
    insecure,
  );
  await expectPerson(client, await oauth.processRefreshTokenResponse(as, client, renewal));
});

await check('ID tokens signed with ES256', async () => {
  const alg = 'ES256';
  const { client_id, client_secret } = await register({
    type: 'confidential',
    redirect_uris: [redirect_uri],
    id_token_signed_response_alg: alg,
  });
  const client = { client_id, id_token_signed_response_alg: alg };
  await expectPerson(client, await signInTo(client, oauth.ClientSecretPost(client_secret)));
});

await check('the access token as a resource server verifies it (RFC 9068)', async () => {
  const { client_id } = await register({ redirect_uris: [redirect_uri] });
  const tokens = await signInTo({ client_id }, oauth.None());
  const request = new Request(issuer, { headers: { authorization: `Bearer ${tokens.access_token}` } });
  const claims = await oauth.validateJwtAccessToken(as, request, issuer.origin, insecure);
  assert.equal(claims.client_id, client_id);
});

await report('oauth4webapi');
