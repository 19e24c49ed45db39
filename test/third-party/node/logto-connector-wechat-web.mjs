import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import createConnector from '@logto/connector-wechat-web';
import { check, listen, report, signIn, world } from './check.mjs';

const { site, person } = world;
const client = '@logto/connector-wechat-web';
const connector = await createConnector({
  getConfig: async () => ({ appId: site.appid, appSecret: site.secret }),
});

const server = createServer(async (request, response) => {
  const query = Object.fromEntries(new URL(request.url, 'http://localhost').searchParams);
  if (query.code !== undefined) {
    const user = await connector.getUserInfo(query).catch((error) => ({ error: error.message }));
    return response.end(JSON.stringify(user));
  }
  const location = await connector.getAuthorizationUri({
    state: 'st_a-1',
    redirectUri: `${origin}/callback/wechat-web`,
  });
  return response.writeHead(302, { location }).end();
});
const origin = await listen(server);

await check('sign-in on a PC', async () => {
  const user = JSON.parse((await signIn('pc', `${origin}/login`)).body);
  assert.deepEqual([user.id, user.name, user.avatar], [person.unionid, person.nickname, person.avatar]);
});

await report(client);
