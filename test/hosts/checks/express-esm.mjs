import assert from 'node:assert/strict';
import { visit } from '../support/browser.mjs';

export const iamPath = '/api/iam';
export const guardedPath = '/api/v1/orders';
export const ownTable = 'orders';

/** Prefix, versions, pipe and table of the host are what they were. */
export async function checkOwn({ host, user, token, query }) {
  const orders = `${host.url}${guardedPath}`;
  const refusals = [{ item: '' }, { item: 'tea', price: 1 }, {}];
  for (const json of refusals) assert.equal((await visit(orders, { json, token })).status, 400);
  const created = await visit(orders, { json: { item: '茶' }, token });
  assert.equal(created.status, 201);
  assert.deepEqual((await visit(orders, { token })).body, [{ id: 1, userId: user.id, item: '茶' }]);
  assert.deepEqual((await visit(`${host.url}/api/health`)).body, { healthy: true });
  for (const path of ['/orders', '/api/orders', '/iam/providers', '/api/v1/iam/providers'])
    assert.equal((await visit(`${host.url}${path}`, { token })).status, 404, path);
  assert.deepEqual(await query('SELECT user_id, item FROM public.orders'), [
    { user_id: user.id, item: '茶' },
  ]);
}
