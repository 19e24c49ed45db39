import { AdminClient, adminOptions, adminWithPermissions } from '../support/admin.js';
import { startWorld, type World } from '../support/iam-app.js';
import { platforms } from '../support/platforms.js';
import { onPc } from '../support/signed-in.js';

describe.each(platforms)(
  'users in the admin API of a host on %s that guards every route',
  (_name, create) => {
    let world: World;
    let admin: AdminClient;

    beforeAll(async () => {
      world = await startWorld({
        options: adminOptions,
        globalGuard: true,
        create,
      });
      admin = new AdminClient(world.url);
      await world.dataSource.query(
        `INSERT INTO iam.roles (name, permissions) VALUES ('客服 / 1', '{tickets:*}')`,
      );
    });
    afterAll(() => world.close());

    it('answer each kind of request', async () => {
      const lan = await onPc(world, world.wechat.person({ nickname: '小兰' }));
      const role = encodeURIComponent('客服 / 1');

      const created = await admin.post('users', { nickname: '小明' });
      const id = String(created.json()['id']);
      const replies = [
        created,
        await admin.get(`users?q=${encodeURIComponent('小明')}`),
        await admin.patch(`users/${id}`, { external_id: 'crm-1' }, created.etag),
        await admin.request('PUT', `users/${id}/roles/${role}`),
        await admin.get(`users/${id}/roles`),
        await admin.post(`users/${id}/disable`, { reason: 'x' }),
        await admin.post(`users/${id}/enable`),
        await admin.delete(`users/${id}/roles/${role}`),
        await admin.post(`users/${id}/merge`, { other: lan.id }),
        await admin.delete(`users/${lan.id}/sessions`),
        await admin.delete(`users/${lan.id}`),
        await admin.get(`users/${lan.id}`),
      ];

      expect(replies.map(({ status }) => status)).toEqual([
        201, 200, 200, 204, 200, 204, 204, 204, 200, 204, 204, 404,
      ]);
      expect(replies[4]?.json()).toEqual({ roles: ['客服 / 1'] });
      expect(replies.map(({ headers }) => headers.get('cache-control'))).toEqual(
        replies.map(() => 'no-store'),
      );
    });

    it('ask everybody for what the route asks', async () => {
      const reader = await adminWithPermissions(world, 'iam:users:read');
      const stranger = new AdminClient(world.url, null);

      const replies = [
        await reader.get('users'),
        await reader.post('users', {}),
        await stranger.get('users'),
        await stranger.post('users', {}),
      ];

      expect(replies.map(({ status }) => status)).toEqual([200, 403, 401, 401]);
    });
  },
);
