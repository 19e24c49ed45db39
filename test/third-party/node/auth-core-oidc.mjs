import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { Auth, skipCSRFCheck } from '@auth/core';
import { check, listen, register, report, signIn, world } from './check.mjs';

const { issuer, person } = world;

/** A server whose `/login` starts what the button of Auth.js's own page does. */
async function startServer(extra) {
  const problems = [];
  let provider;
  const server = createServer(async (request, response) => {
    const login = request.url === '/login';
    const { host, cookie = '' } = request.headers;
    const headers = { cookie, ...(login ? { 'content-type': 'application/x-www-form-urlencoded' } : {}) };
    const init = { headers, ...(login ? { method: 'POST', body: '' } : {}) };
    const url = `http://${host}${login ? '/auth/signin/iam' : request.url}`;
    const answer = await Auth(new Request(url, init), {
      basePath: '/auth',
      secret: 'a secret of more than thirty-two characters',
      trustHost: true,
      skipCSRFCheck,
      providers: [provider],
      logger: { error: (error) => problems.push(error), warn: () => undefined, debug: () => undefined },
      callbacks: {
        session: ({ session, token }) => ({ ...session, sub: token.sub }),
        redirect: ({ baseUrl }) => `${baseUrl}/auth/session`,
      },
    });
    response.setHeader('set-cookie', answer.headers.getSetCookie());
    const location = answer.headers.get('location');
    response.writeHead(answer.status, location === null ? {} : { location }).end(await answer.text());
  });
  const origin = await listen(server);
  const { client_id, client_secret } = await register({
    type: 'confidential',
    redirect_uris: [`${origin}/auth/callback/iam`],
  });
  provider = {
    id: 'iam',
    name: 'IAM',
    type: 'oidc',
    issuer,
    clientId: client_id,
    clientSecret: client_secret,
    ...extra,
  };
  return { origin, problems };
}

async function signInBy(extra) {
  const { origin, problems } = await startServer(extra);
  const { body, url } = await signIn('pc', `${origin}/login`);
  assert.deepEqual(
    problems.map((problem) => problem.cause?.err?.message ?? problem.message),
    [],
  );
  assert.ok(url.startsWith(origin), url);
  return JSON.parse(body);
}

const authorization = { params: { scope: 'openid profile' } };

await check('the generic provider as it comes, which asks for email too', async () => {
  const session = await signInBy({});
  assert.match(session.sub, /^[\w-]+$/);
});
await check('with PKCE, state and nonce, and the profile from userinfo', async () => {
  const checks = ['pkce', 'state', 'nonce'];
  const session = await signInBy({ authorization, checks, idToken: false });
  assert.deepEqual([session.user?.name, session.user?.image], [person.nickname, person.avatar]);
});

await report('@auth/core');
