import { AdminClient, adminOptions } from '../support/admin.js';
import { startWorld, type World } from '../support/iam-app.js';
import { rowsOf } from '../support/rows.js';
import { onPc } from '../support/signed-in.js';

describe('an administrator who knows better than WeChat', () => {
  let world: World;
  let admin: AdminClient;

  beforeAll(async () => {
    world = await startWorld({ options: adminOptions });
    admin = new AdminClient(world.url);
  });
  afterAll(() => world.close());

  it('merges two whom WeChat takes for two people by force, after naming the scopes', async () => {
    const person = world.wechat.person({ nickname: '伟' });
    const [lan, wei] = [
      await onPc(world, world.wechat.person({ nickname: '兰' })),
      await onPc(world, person),
    ];

    const refused = await admin.post(`users/${lan.id}/merge`, { other: wei.id });
    const forced = await admin.post(`users/${lan.id}/merge`, { other: wei.id, force: true });
    const { id: again } = await onPc(world, person);

    expect([refused.status, refused.json()['union_scopes']]).toEqual([409, 'wechat']);
    expect([forced.status, forced.json()]).toEqual([200, { id: lan.id, merged: wei.id }]);
    expect(again).toBe(lan.id);
    expect(
      await rowsOf(
        world.dataSource,
        `SELECT actor, detail FROM iam.audit_log WHERE user_id = $1 AND action = 'user.merged'`,
        [lan.id],
      ),
    ).toMatchObject([
      { actor: 'admin_token', detail: { from: wei.id, to: lan.id, twoUnionidsIn: ['wechat'] } },
    ]);
  });
});
