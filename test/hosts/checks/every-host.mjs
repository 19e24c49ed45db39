import assert from 'node:assert/strict';
import { visit } from '../support/browser.mjs';
import { signInInsideWechat, signInOnPc } from '../support/sign-in.mjs';

const wellKnown = '.well-known/oauth-authorization-server';

/** Whatever the host is: discovery, one person by both ways, tokens that open the host's own routes, errors as the RFCs have them. */
export async function checkEveryHost({ host, wechat, iamPath, guardedPath }) {
  const metadata = await discover(host.url, iamPath);
  const redirectUri = `${host.url}/signed-in`;
  const onPc = await tokensOf(signInOnPc(metadata, redirectUri, wechat));
  const inWechat = await tokensOf(signInInsideWechat(metadata, redirectUri, wechat));
  const user = await checkOneUser(`${host.url}${iamPath}/me`, onPc, inWechat, wechat);
  await checkGuard(`${host.url}${guardedPath}`, onPc.access_token);
  await checkTokenErrors(metadata.token_endpoint);
  await checkRefreshAndRevoke(metadata, inWechat);
  await checkAdmin(`${host.url}${iamPath}/admin/providers`, host.adminToken, onPc.access_token);
  return { user, metadata, token: onPc.access_token };
}

async function discover(url, iamPath) {
  const [atRoot, underPath] = await Promise.all([
    visit(`${url}/${wellKnown}`),
    visit(`${url}${iamPath}/${wellKnown}`),
  ]);
  assert.equal(atRoot.status, 200);
  assert.deepEqual(atRoot.body, underPath.body);
  assert.equal(atRoot.body.issuer, url);
  assert.equal(atRoot.body.token_endpoint, `${url}${iamPath}/token`);
  const jwks = await visit(atRoot.body.jwks_uri);
  assert.equal(jwks.body.keys[0].alg, 'ES256');
  return atRoot.body;
}

async function tokensOf(answer) {
  const { status, headers, body } = await answer;
  assert.equal(status, 200, JSON.stringify(body));
  assert.equal(body.token_type, 'Bearer');
  assert.equal(headers.get('cache-control'), 'no-store');
  return body;
}

async function checkOneUser(meUrl, onPc, inWechat, { lan }) {
  const { body: pcUser } = await visit(meUrl, { token: onPc.access_token });
  const { body: wechatUser } = await visit(meUrl, { token: inWechat.access_token });
  assert.equal(pcUser.nickname, lan.nickname);
  assert.equal(wechatUser.id, pcUser.id);
  assert.deepEqual(wechatUser.identities.map(({ kind }) => kind).sort(), ['mp', 'open']);
  return wechatUser;
}

/** Open to the admin token, closed to a user without the permission, whatever the host guards globally. */
async function checkAdmin(url, adminToken, userToken) {
  assert.equal((await visit(url)).body.code, 'authentication_required');
  assert.equal((await visit(url, { token: userToken })).body.code, 'insufficient_permissions');
  const { status, body } = await visit(url, { token: adminToken });
  assert.equal(status, 200, JSON.stringify(body));
  assert.deepEqual(
    body.items.map(({ slug }) => slug),
    ['wechat'],
  );
  const created = await visit(url, { token: adminToken, json: { slug: 'second', name: '第二' } });
  assert.equal(created.status, 201, JSON.stringify(created.body));
  assert.match(created.headers.get('etag'), /^"[0-9a-f]{32}"$/);
}

async function checkGuard(url, token) {
  const without = await visit(url);
  assert.equal(without.status, 401);
  assert.equal(without.headers.get('www-authenticate'), 'Bearer');
  assert.equal((await visit(url, { token: `${token}x` })).status, 401);
  assert.equal((await visit(url, { token })).status, 200);
}

/** RFC 6749 §5.2, whatever the host's parsers, pipes and filters make of such a request. */
async function checkTokenErrors(url) {
  const unknownCode = {
    grant_type: 'authorization_code',
    client_id: 'web',
    code: 'unknown',
    redirect_uri: 'http://localhost/signed-in',
    code_verifier: 'v'.repeat(43),
  };
  const raw = (body, type) => ({ method: 'POST', body, headers: { 'content-type': type } });
  const cases = [
    ['an unknown code, form', { form: unknownCode }, 'invalid_grant'],
    ['an unknown code, JSON', { json: unknownCode }, 'invalid_grant'],
    ['an unknown grant, form', { form: { grant_type: 'password' } }, 'unsupported_grant_type'],
    ['an unknown grant, JSON', { json: { grant_type: 'password' } }, 'unsupported_grant_type'],
    ['no grant, form', { form: { client_id: 'web' } }, 'invalid_request'],
    ['a parameter twice', { form: [...Object.entries(unknownCode), ['code', 'b']] }, 'invalid_request'],
    ['an empty form', raw('', 'application/x-www-form-urlencoded'), 'invalid_request'],
    ['no body at all', { method: 'POST' }, 'invalid_request'],
    ['JSON that is no object', { json: ['grant_type'] }, 'invalid_request'],
    ['broken JSON', raw('{"grant_type":', 'application/json'), 'invalid_request'],
    ['another type', raw('grant_type=password', 'text/plain'), 'invalid_request'],
    ['a type nobody parses', raw('<a/>', 'application/xml'), 'invalid_request'],
    ['a strange charset', raw('{}', 'application/json; charset=x'), 'invalid_request'],
    ['a huge form', { form: { ...unknownCode, code: 'x'.repeat(200_000) } }, 'invalid_request', 413],
    ['huge JSON', { json: { ...unknownCode, code: 'x'.repeat(200_000) } }, 'invalid_request', 413],
  ];
  for (const [what, request, error, expected = 400] of cases) {
    const { status, headers, body } = await visit(url, request);
    const seen = { status, error: body.error, cache: headers.get('cache-control') };
    assert.deepEqual(seen, { status: expected, error, cache: 'no-store' }, `token request with ${what}`);
    assert.equal(typeof body.error_description, 'string', what);
  }
}

async function checkRefreshAndRevoke({ token_endpoint, revocation_endpoint }, tokens) {
  const refresh = (token) => ({ grant_type: 'refresh_token', client_id: 'web', refresh_token: token });
  const { refresh_token } = await tokensOf(visit(token_endpoint, { form: refresh(tokens.refresh_token) }));
  const revoked = await visit(revocation_endpoint, { form: { client_id: 'web', token: refresh_token } });
  assert.equal(revoked.status, 200);
  const refused = await visit(token_endpoint, { json: refresh(refresh_token) });
  assert.equal(refused.body.error, 'invalid_grant');
}
