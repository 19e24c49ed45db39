import assert from 'node:assert/strict';
import { Browser, visit } from '../support/browser.mjs';
import { scanFrom } from '../support/sign-in.mjs';

export const iamPath = '/iam';
export const guardedPath = '/by-wechat';
export const ownTable = 'users';
/** Type-checked besides the host's own: what many CommonJS hosts still have. */
export const otherProjects = ['tsconfig.classic.json'];

/** Two tables `users`, two kinds of bearer token, three ways to sign in and the host's catch-all filter live side by side. */
export async function checkOwn({ host, wechat, user, token, metadata, query }) {
  const to = (path) => `${host.url}${path}`;
  assert.deepEqual((await visit(to('/health'))).body, { healthy: true });
  assert.deepEqual((await visit(to('/users'), { json: { name: 'old' } })).body, { id: 2, name: 'old' });
  const { body: login } = await visit(to('/login'), { json: { name: 'old' } });
  assert.deepEqual((await visit(to('/by-jwt'), { token: login.token })).body, { hostUserId: 2 });
  assert.deepEqual((await visit(to('/by-wechat'), { token })).body, {
    userId: user.id,
    hostUser: { id: 1, name: user.nickname },
  });
  for (const [path, foreign] of Object.entries({ '/by-jwt': token, '/by-wechat': login.token })) {
    const { status, body } = await visit(to(path), { token: foreign });
    assert.deepEqual({ status, body }, { status: 401, body: { hostSays: 401 } }, path);
  }
  const byStrategy = await scanFrom(new Browser(), to('/strategy'), wechat);
  assert.deepEqual(byStrategy.body, { nickname: wechat.lan.nickname });
  assert.deepEqual((await visit(to('/nowhere'))).body, { hostSays: 404 });
  assert.equal((await visit(to('/iam/me'))).body.code, 'authentication_required');
  assert.equal((await visit(metadata.authorization_endpoint)).body.code, 'client_unknown');
  const { body: description } = await visit(to('/docs-json'));
  for (const path of ['/iam/token', '/iam/me', '/iam/admin/providers', '/by-wechat'])
    assert.ok(description.paths[path] !== undefined, `OpenAPI knows no ${path}`);
  assert.ok(description.paths['/iam/token'].post.responses['400'].content['application/json']);
  for (const page of ['/iam/ui/admin/users', '/iam/ui/account']) await checkPage(host, to(page));
  const rows = await query('SELECT (SELECT count(*)::int FROM public.users) AS host, u.id FROM iam.users u');
  assert.deepEqual(rows, [{ host: 2, id: user.id }]);
}

/** A script, a microservice and a hybrid application of the same module start, work and end by themselves. */
export async function checkStopped({ host, wechat, databaseUrl }) {
  const output = await host.runProgram('dist/worker.js', wechat, databaseUrl);
  assert.match(output, /^worker: same user, 200$/m);
}

/** The page and everything that it loads are in the package. */
async function checkPage(host, url) {
  const page = await fetch(url);
  assert.equal(page.status, 200);
  assert.match(page.headers.get('content-security-policy'), /script-src 'self'/);
  const files = [...(await page.text()).matchAll(/(?:src|href)="(\/[^"]+\.(?:js|css))"/g)];
  assert.ok(files.length > 2);
  for (const [, file] of files) assert.equal((await fetch(`${host.url}${file}`)).status, 200, file);
}
