import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import OAuth from 'co-wechat-oauth';
import { check, listen, report, signIn, world } from './check.mjs';

const { site, officialAccount, person } = world;

/** Redirects to WeChat and answers the callback with the code. */
async function startServer(authorizeUrl) {
  const server = createServer((request, response) => {
    const code = new URL(request.url, 'http://localhost').searchParams.get('code');
    if (code !== null) return response.end(code);
    return response.writeHead(302, { location: authorizeUrl(`${origin}/callback`) }).end();
  });
  const origin = await listen(server);
  return origin;
}

await check('sign-in on a PC', async () => {
  const oauth = new OAuth(site.appid, site.secret);
  const origin = await startServer((callback) =>
    oauth.getAuthorizeURLForWebsite(callback, 'a-b', 'snsapi_login'),
  );
  const code = (await signIn('pc', origin)).body;
  const user = await oauth.getUserByCode(code);
  assert.deepEqual([user.openid, user.unionid], [person.openids.site, person.unionid]);
});

await check('sign-in in WeChat, without a state', async () => {
  const oauth = new OAuth(officialAccount.appid, officialAccount.secret);
  const origin = await startServer((callback) =>
    oauth.getAuthorizeURL(callback, undefined, 'snsapi_userinfo'),
  );
  const code = (await signIn('wechat', origin)).body;
  const user = await oauth.getUserByCode(code);
  assert.deepEqual([user.openid, user.nickname], [person.openids.officialAccount, person.nickname]);
});

await check('refresh and verification of tokens', async () => {
  const oauth = new OAuth(officialAccount.appid, officialAccount.secret);
  const origin = await startServer((callback) => oauth.getAuthorizeURL(callback, 's', 'snsapi_userinfo'));
  const { data } = await oauth.getAccessToken((await signIn('wechat', origin)).body);
  const refreshed = await oauth.refreshAccessToken(data.refresh_token);
  assert.equal(refreshed.data.openid, person.openids.officialAccount);
  const verified = await oauth.verifyToken(person.openids.officialAccount, refreshed.data.access_token);
  assert.equal(verified.errcode, 0);
});

await check('a code that was used is refused', async () => {
  const oauth = new OAuth(officialAccount.appid, officialAccount.secret);
  const origin = await startServer((callback) => oauth.getAuthorizeURL(callback, 's', 'snsapi_base'));
  const code = (await signIn('wechat', origin)).body;
  await oauth.getAccessToken(code);
  await assert.rejects(oauth.getAccessToken(code), { code: 40163 });
});

await report('co-wechat-oauth');
