import assert from 'node:assert/strict';
import { visit } from '../support/browser.mjs';

export const iamPath = '/auth/iam';
export const guardedPath = '/notes';
export const ownTable = 'notes';

/** The global guard covers the host's routes, and the host's own parser settings stay in force there. */
export async function checkOwn({ host, user, token, query }) {
  const notes = `${host.url}${guardedPath}`;
  assert.deepEqual((await visit(`${host.url}/health`)).body, { healthy: true });
  assert.equal((await visit(notes, { json: { text: '早' } })).status, 401);
  assert.equal((await visit(notes, { json: { text: '早' }, token })).status, 201);
  assert.deepEqual((await visit(notes, { token })).body, [{ id: 1, userId: user.id, text: '早' }]);
  assert.equal((await visit(notes, { form: { text: 'a' }, token })).status, 415);
  assert.equal((await visit(notes, { json: { text: 'a'.repeat(2000) }, token })).status, 413);
  assert.deepEqual(await query('SELECT user_id FROM public.notes'), [{ user_id: user.id }]);
}
