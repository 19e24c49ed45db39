import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import passport from 'passport';
import WechatStrategy from 'passport-wechat';
import { check, listen, report, signIn, world } from './check.mjs';

/** What Express would have done before the strategy. */
function asExpress(request, response) {
  request.query = Object.fromEntries(new URL(request.url, 'http://localhost').searchParams);
  request.protocol = 'http';
  request.originalUrl = request.url;
  request.get = (name) => request.headers[name.toLowerCase()];
  response.redirect = (url) => response.writeHead(302, { location: url }).end();
}

async function startServer(options) {
  const strategies = new passport.Passport();
  const verify = (_access, _refresh, profile, _expiresIn, done) => done(null, profile);
  const server = createServer((request, response) => {
    asExpress(request, response);
    strategies.initialize()(request, response, () =>
      strategies.authenticate('wechat', { session: false })(request, response, (error) =>
        response.end(JSON.stringify(error ? { error: error.message } : request.user)),
      ),
    );
  });
  const origin = await listen(server);
  strategies.use(
    new WechatStrategy({ callbackURL: `${origin}/callback`, state: 'state 1-x', ...options }, verify),
  );
  return origin;
}

const { site, officialAccount, person } = world;

await check('sign-in on a PC', async () => {
  const origin = await startServer({
    appID: site.appid,
    appSecret: site.secret,
    client: 'web',
    scope: 'snsapi_login',
  });
  const user = JSON.parse((await signIn('pc', `${origin}/login`)).body);
  assert.deepEqual([user.openid, user.unionid], [person.openids.site, person.unionid]);
  assert.equal(user.nickname, person.nickname);
});

for (const scope of ['snsapi_userinfo', 'snsapi_base'])
  await check(`sign-in in WeChat (${scope})`, async () => {
    const origin = await startServer({
      appID: officialAccount.appid,
      appSecret: officialAccount.secret,
      scope,
    });
    const user = JSON.parse((await signIn('wechat', `${origin}/login`)).body);
    assert.equal(user.openid, person.openids.officialAccount);
    assert.equal(user.nickname, scope === 'snsapi_base' ? undefined : person.nickname);
  });

await report('passport-wechat');
