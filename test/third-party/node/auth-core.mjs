import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { Auth, skipCSRFCheck } from '@auth/core';
import WeChat from '@auth/core/providers/wechat';
import { check, checkBroken, listen, report, signIn, world } from './check.mjs';

const { site, officialAccount, person } = world;

/** A server whose `/login` starts what the button of Auth.js's own page does. */
async function startServer(options) {
  const problems = [];
  const config = {
    basePath: '/auth',
    secret: 'a secret of more than thirty-two characters',
    trustHost: true,
    skipCSRFCheck,
    providers: [WeChat(options)],
    logger: { error: (error) => problems.push(error), warn: () => undefined, debug: () => undefined },
    callbacks: {
      jwt: ({ token, profile }) => ({ ...token, unionid: profile?.unionid ?? token.unionid }),
      session: ({ session, token }) => ({ ...session, unionid: token.unionid }),
      redirect: ({ baseUrl }) => `${baseUrl}/auth/session`,
    },
  };
  const server = createServer(async (request, response) => {
    const login = request.url === '/login';
    const { host, cookie = '' } = request.headers;
    const headers = { cookie, ...(login ? { 'content-type': 'application/x-www-form-urlencoded' } : {}) };
    const init = { headers, ...(login ? { method: 'POST', body: '' } : {}) };
    const url = `http://${host}${login ? '/auth/signin/wechat' : request.url}`;
    const answer = await Auth(new Request(url, init), config);
    response.setHeader('set-cookie', answer.headers.getSetCookie());
    const location = answer.headers.get('location');
    response.writeHead(answer.status, location === null ? {} : { location }).end(await answer.text());
  });
  return { origin: await listen(server), problems };
}

async function checkSignIn(on, app, options) {
  const credentials = { clientId: app.appid, clientSecret: app.secret };
  const { origin, problems } = await startServer({ ...credentials, ...options });
  const { body, url } = await signIn(on, `${origin}/login`);
  assert.deepEqual(
    problems.map((problem) => problem.cause?.err?.message ?? problem.message),
    [],
  );
  assert.ok(url.startsWith(origin), `stopped at WeChat: ${/<title>(.*)<\/title>/.exec(body)?.[1]}`);
  const session = JSON.parse(body);
  assert.deepEqual([session.unionid, session.user?.name], [person.unionid, person.nickname], url);
}

await check('sign-in on a PC', () => checkSignIn('pc', site, { platformType: 'WebsiteApp' }));
// Its state is a sealed token of some 430 bytes; Official Accounts take 128.
await checkBroken('sign-in in WeChat with its own state', () => checkSignIn('wechat', officialAccount, {}));
await check("sign-in in WeChat with `checks: ['none']`", () =>
  checkSignIn('wechat', officialAccount, { checks: ['none'] }),
);

await report('@auth/core');
