import { callMe, itemsOf } from '../support/account.js';
import { startWorld, type World } from '../support/iam-app.js';
import { PcBrowser } from '../support/pc-browser.js';
import { onFastify } from '../support/platforms.js';
import { onPc, inWechat } from '../support/signed-in.js';

describe('the account of a signed-in user, on Fastify', () => {
  let world: World;

  beforeAll(async () => {
    world = await startWorld({ create: onFastify });
  });
  afterAll(() => world.close());

  it('takes bodies, queries, paths and nothing at all', async () => {
    const lan = world.wechat.person({ nickname: '小兰' });
    await inWechat(world, lan);
    const user = await onPc(world, lan);
    const mp = itemsOf(await callMe(world, user, '/identities')).find(({ kind }) => kind === 'mp');

    const unlinked = await callMe(world, user, `/identities/${String(mp?.['id'])}?end_other_sessions=true`, {
      method: 'DELETE',
    });
    const refused = await callMe(world, user, '/identities', {
      method: 'POST',
      body: { binding_token: 'x' },
    });
    const wished = await new PcBrowser().visit(`${world.url}/iam/me/deletion`, {
      method: 'POST',
      headers: { authorization: `Bearer ${user.accessToken}`, accept: 'application/json' },
    });
    const kept = await callMe(world, user, '/deletion', { method: 'DELETE' });
    const file = await callMe(world, user, '/export');

    expect([unlinked.status, refused.status, wished.status, kept.status, file.status]).toEqual([
      200, 400, 200, 204, 200,
    ]);
    expect(file.headers.get('content-disposition')).toContain('attachment');
  });
});
