import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { betterAuth } from 'better-auth';
import { memoryAdapter } from 'better-auth/adapters/memory';
import { toNodeHandler } from 'better-auth/node';
import { check, listen, report, signIn, world } from './check.mjs';

const { site, person } = world;
const database = { user: [], session: [], account: [], verification: [] };

let handler;
const server = createServer(async (request, response) => {
  if (request.url.startsWith('/api/auth')) return handler(request, response);
  if (request.url === '/done') return response.end('signed in');
  // The button of a sign-in page: its script posts, and the browser goes where the answer says.
  const started = await auth.api.signInSocial({
    body: { provider: 'wechat', callbackURL: '/done' },
    returnHeaders: true,
  });
  return response
    .writeHead(302, { location: started.response.url, 'set-cookie': started.headers.getSetCookie() })
    .end();
});
const origin = await listen(server);
const auth = betterAuth({
  baseURL: origin,
  secret: 'a secret of more than thirty-two characters',
  database: memoryAdapter(database),
  socialProviders: { wechat: { clientId: site.appid, clientSecret: site.secret } },
  telemetry: { enabled: false },
});
handler = toNodeHandler(auth);

await check('sign-in on a PC', async () => {
  const page = await signIn('pc', `${origin}/login`);
  assert.deepEqual([page.status, page.body], [200, 'signed in'], page.url);
  assert.deepEqual(
    database.user.map(({ name, image }) => [name, image]),
    [[person.nickname, person.avatar]],
  );
  assert.deepEqual(
    database.account.map(({ accountId }) => accountId),
    [person.unionid],
  );
});

await check('a second sign-in finds the same user', async () => {
  await signIn('pc', `${origin}/login`);
  assert.deepEqual([database.user.length, database.session.length], [1, 2]);
});

await report('better-auth');
