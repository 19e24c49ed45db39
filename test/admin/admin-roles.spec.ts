import { IamUsers } from '../../src/index.js';
import { AdminClient, adminOptions, adminWithPermissions, signedInWithRoles } from '../support/admin.js';
import { FakeClock } from '../support/fake-clock.js';
import { startReplica, startWorld, type World } from '../support/iam-app.js';
import { countQueries } from '../support/query-counter.js';
import { countWaiting, rowsOf, valueOf } from '../support/rows.js';
import { approveOnPc } from '../support/sign-in.js';
import { onPc } from '../support/signed-in.js';
import { until } from '../support/until.js';

describe('roles in the admin API', () => {
  const clock = new FakeClock();
  let world: World;
  let admin: AdminClient;

  beforeAll(async () => {
    world = await startWorld({ options: adminOptions, clock });
    admin = new AdminClient(world.url);
  });
  afterAll(() => world.close());

  const entries = (role: string) =>
    rowsOf(
      world.dataSource,
      `SELECT action, detail FROM iam.audit_log WHERE action LIKE 'role.%' AND detail->>'role' = $1 ORDER BY id`,
      [role],
    );
  const rolesOf = (userId: unknown) =>
    valueOf(
      world.dataSource,
      'SELECT COALESCE(array_agg(role ORDER BY role), $2::text[]) FROM iam.user_roles WHERE user_id = $1',
      [userId, []],
    );

  it('are created, read, changed and deleted, each with an entry in the audit log', async () => {
    const created = await admin.post('roles', {
      name: 'clerk',
      description: 'Sends goods',
      permissions: ['orders:send', 'orders:items:*', 'orders:send'],
    });
    const read = await admin.get('roles/clerk');
    const changed = await admin.patch(
      'roles/clerk',
      { permissions: ['orders:*'], description: 'Sends goods' },
      read.etag,
    );
    const deleted = await admin.delete('roles/clerk', changed.etag);

    expect([created.status, created.headers.get('location')]).toEqual([
      201,
      `${world.url}/iam/admin/roles/clerk`,
    ]);
    expect(created.json()).toEqual({
      name: 'clerk',
      description: 'Sends goods',
      permissions: ['orders:send', 'orders:items:*'],
      is_default: false,
      created_at: expect.any(String) as string,
      etag: created.etag,
    });
    expect(read.json()).toEqual(created.json());
    expect(changed.json()).toMatchObject({ permissions: ['orders:*'] });
    expect([deleted.status, (await admin.get('roles/clerk')).code]).toEqual([204, 'not_found']);
    expect(await entries('clerk')).toEqual([
      {
        action: 'role.created',
        detail: {
          role: 'clerk',
          description: 'Sends goods',
          permissions: ['orders:send', 'orders:items:*'],
          is_default: false,
        },
      },
      {
        action: 'role.updated',
        detail: {
          role: 'clerk',
          changed: { permissions: { from: ['orders:send', 'orders:items:*'], to: ['orders:*'] } },
        },
      },
      { action: 'role.deleted', detail: { role: 'clerk', permissions: ['orders:*'] } },
    ]);
  });

  it('leave no entry when nothing changes', async () => {
    const { etag } = await admin.post('roles', { name: 'steady', permissions: ['a:b'] });

    const same = await admin.patch('roles/steady', {
      permissions: ['a:b'],
      is_default: false,
      description: '',
    });

    expect([same.status, same.etag]).toEqual([200, etag]);
    expect(await entries('steady')).toHaveLength(1);
  });

  it.each([
    ['a name in upper case', { name: 'Clerk' }],
    ['a name with a colon', { name: 'a:b' }],
    ['no name', { permissions: [] }],
    ['a permission in upper case', { name: 'x', permissions: ['Orders:read'] }],
    ['a star within a permission', { name: 'x', permissions: ['orders:*:read'] }],
    ['a star as part of a segment', { name: 'x', permissions: ['orders:re*'] }],
    ['an empty segment', { name: 'x', permissions: ['orders::read'] }],
    ['an empty permission', { name: 'x', permissions: [''] }],
    ['a permission that is no text', { name: 'x', permissions: [{ toString: 'iam:*' }] }],
    [
      'too many permissions',
      { name: 'x', permissions: Array.from({ length: 201 }, (_, index) => `p:${index}`) },
    ],
    ['an unknown member', { name: 'x', created_at: '2020-01-01T00:00:00Z' }],
    ['a prototype', JSON.parse('{"name":"x","__proto__":{"is_default":true}}')],
    ['a control character', { name: 'x', description: 'a\0b' }],
    ['half a character', { name: 'x', description: '\ud800' }],
    ['nothing', undefined],
  ])('are refused with %s', async (_case, body: unknown) => {
    const refused = await admin.post('roles', body);

    expect([refused.status, refused.code]).toEqual([400, 'invalid_request']);
    expect((await admin.get('roles/x')).status).toBe(404);
  });

  it('keep their name: tokens carry it', async () => {
    await admin.post('roles', { name: 'fixed' });

    const renamed = await admin.patch('roles/fixed', { name: 'other' });

    expect([renamed.status, renamed.code]).toEqual([400, 'invalid_request']);
  });

  it('are refused when the name is taken, or the change is based on another version', async () => {
    const { etag } = await admin.post('roles', { name: 'twice' });
    await admin.patch('roles/twice', { description: 'new' });

    const replies = [
      await admin.post('roles', { name: 'twice' }),
      await admin.request('PATCH', 'roles/twice', { body: { description: 'x' } }),
      await admin.patch('roles/twice', { description: 'x' }, etag),
      await admin.request('DELETE', 'roles/twice'),
      await admin.delete('roles/twice', etag),
      await admin.patch('roles/nobody', { description: 'x' }),
      await admin.delete('roles/no%00body'),
    ];

    expect(replies.map(({ status, code }) => [status, code])).toEqual([
      [409, 'already_exists'],
      [428, 'precondition_required'],
      [412, 'precondition_failed'],
      [428, 'precondition_required'],
      [412, 'precondition_failed'],
      [404, 'not_found'],
      [404, 'not_found'],
    ]);
  });

  it('stay while a user holds them', async () => {
    await admin.post('roles', { name: 'held' });
    const holder = await signedInWithRoles(world, ['held']);

    const refused = await admin.delete('roles/held');
    await world.dataSource.query('DELETE FROM iam.user_roles WHERE user_id = $1', [holder.id]);
    const deleted = await admin.delete('roles/held');

    expect([refused.status, refused.code, deleted.status]).toEqual([409, 'in_use', 204]);
  });

  it.each(['NO ACTION', 'RESTRICT'])(
    'stay while a table of the host refers to them ON DELETE %s',
    async (rule) => {
      await admin.post('roles', { name: 'shown' });
      await world.dataSource.query(
        `CREATE TABLE public.badges (role text REFERENCES iam.roles (name) ON DELETE ${rule})`,
      );
      await world.dataSource.query(`INSERT INTO public.badges VALUES ('shown')`);

      const refused = await admin.delete('roles/shown');
      await world.dataSource.query('DROP TABLE public.badges');
      const deleted = await admin.delete('roles/shown');

      expect([refused.status, refused.code, deleted.status]).toEqual([409, 'in_use', 204]);
    },
  );

  it('are listed page by page in the order of their names, whatever SQL called them', async () => {
    for (const name of ['page-a', 'page-b', 'page-c']) await admin.post('roles', { name });
    await world.dataSource.query(`INSERT INTO iam.roles (name) VALUES ('page-角色: b?'), ('page-角色: c?')`);

    const pages = [await admin.get('roles?limit=1&q=page-')];
    while (pages.at(-1)?.json()['next_cursor'] != null && pages.length < 9)
      pages.push(
        await admin.get(`roles?limit=1&q=page-&cursor=${String(pages.at(-1)?.json()['next_cursor'])}`),
      );
    const names = pages.flatMap((page) => page.items()).map(({ name }) => name);

    expect(names).toEqual(['page-a', 'page-b', 'page-c', 'page-角色: b?', 'page-角色: c?']);
    expect((await admin.get(`roles/${encodeURIComponent('page-角色: b?')}`)).status).toBe(200);
  });

  it('act at once on the replica that changed them, and within five seconds on the others', async () => {
    await admin.post('roles', { name: 'watcher', permissions: ['iam:roles:read'] });
    const watcher = await signedInWithRoles(world, ['watcher']);
    const replica = await startReplica(world, { clock, options: adminOptions });
    const [here, there] = [world, replica].map(({ url }) => new AdminClient(url, watcher.accessToken));
    const statuses = async () => [
      (await here?.get('permissions'))?.status,
      (await there?.get('permissions'))?.status,
    ];
    const before = await statuses();

    await admin.patch('roles/watcher', { permissions: [] });
    const [atOnce] = await statuses();
    clock.advance(5);
    const later = await statuses();
    await replica.close();

    expect([before, atOnce, later]).toEqual([[200, 200], 403, [403, 403]]);
  });

  describe('that hand out permissions', () => {
    it.each([
      [['iam:roles:write', 'orders:read'], ['orders:read'], 201],
      [['iam:roles:write', 'orders:*'], ['orders:items:read', 'orders:*'], 201],
      [['iam:roles:write', 'orders:read'], ['orders:write'], 403],
      [['iam:roles:write', 'orders:read'], ['orders:*'], 403],
      [['iam:roles:write', 'orders:*'], ['*'], 403],
      [['iam:roles:write'], ['iam:users:write'], 403],
      [['iam:*'], ['iam:users:write'], 201],
      [['*'], ['*'], 201],
    ])('let a holder of %j create a role with %j: %i', async (held, given, status) => {
      const own = await adminWithPermissions(world, ...held);

      const reply = await own.post('roles', {
        name: `by-${Math.random().toString(36).slice(2)}`,
        permissions: given,
      });

      expect(reply.status).toBe(status);
      if (status === 403) expect(reply.code).toBe('insufficient_permissions');
    });

    it('refuse one’s own promotion, by any way', async () => {
      const own = await adminWithPermissions(world, 'iam:roles:read', 'iam:roles:write');
      const role = String(
        (await own.get('roles'))
          .items()
          .find(({ permissions }) => String(permissions) === 'iam:roles:read,iam:roles:write')?.['name'],
      );
      await admin.post('roles', { name: 'powerful', permissions: ['*'] });

      const widened = await own.patch(`roles/${role}`, { permissions: ['iam:*'] });
      const forEverybody = await own.patch('roles/powerful', { is_default: true });
      const narrowed = await own.patch(`roles/${role}`, { permissions: ['iam:roles:write'] });

      expect([widened.status, forEverybody.status, narrowed.status]).toEqual([403, 403, 200]);
      expect(
        await valueOf(world.dataSource, `SELECT is_default FROM iam.roles WHERE name = 'powerful'`),
      ).toBe(false);
    });

    it('let of a role that permits more than one may do oneself only the rest be changed', async () => {
      await admin.post('roles', { name: 'strong', permissions: ['x:y', 'x:z'] });
      const own = await adminWithPermissions(world, 'iam:roles:write', 'x:z');

      const described = await own.patch('roles/strong', { description: 'Strong', permissions: ['x:y'] });
      const narrowed = await own.patch('roles/strong', { permissions: [] });
      const deleted = await own.delete('roles/strong');

      expect(described.json()).toMatchObject({ description: 'Strong', permissions: ['x:y'] });
      expect([narrowed, deleted].map(({ status, code }) => [status, code])).toEqual(
        Array(2).fill([403, 'insufficient_permissions']),
      );
    });

    it('stay everybody’s when their permissions are more than one may do oneself', async () => {
      await admin.post('roles', { name: 'given-to-all', permissions: ['x:y'], is_default: true });
      const own = await adminWithPermissions(world, 'iam:roles:write');
      await world.dataSource.query(`DELETE FROM iam.user_roles WHERE role = 'given-to-all'`);

      const taken = await own.patch('roles/given-to-all', { is_default: false });
      await admin.patch('roles/given-to-all', { is_default: false });

      expect(taken.code).toBe('insufficient_permissions');
    });
  });

  describe('for everybody', () => {
    beforeAll(async () => {
      await admin.post('roles', { name: 'member', is_default: true });
      await admin.post('roles', { name: 'reader', is_default: true, permissions: ['books:read'] });
    });
    afterAll(async () => {
      for (const name of ['member', 'reader']) await admin.patch(`roles/${name}`, { is_default: false });
    });

    it('are in the first token of a new user', async () => {
      const { me } = await onPc(world, world.wechat.person({ nickname: '新' }));

      expect(me['roles']).toEqual(['member', 'reader']);
    });

    it('cost a first sign-in no statement', async () => {
      const { browser, callback } = await approveOnPc(world, world.wechat.person({ nickname: '数' }));
      const queries = countQueries(world.database.url);

      await browser.visit(callback);
      const spent = queries.since(0);
      queries.stop();

      expect(spent.filter((text) => text.includes('iam.user_roles')).length).toBe(1);
      expect(spent.length).toBeLessThanOrEqual(8);
    });

    it('go to users whom the host or an administrator creates, once', async () => {
      const users = world.app.get(IamUsers);
      const [ofHost, ofAdmin] = [
        await users.create({ externalId: 'host-1', nickname: '甲' }),
        await admin.post('users', { external_id: 'admin-1' }),
      ];

      expect(ofHost).toMatchObject({ externalId: 'host-1', nickname: '甲', status: 'active' });
      expect(await rolesOf(ofHost.id)).toEqual(['member', 'reader']);
      expect(await rolesOf(ofAdmin.json()['id'])).toEqual(['member', 'reader']);
      await expect(users.create({ externalId: 'host-1' })).rejects.toMatchObject({
        code: 'identity_conflict',
      });
    });

    it('do not come back to somebody who lost them and signs in again', async () => {
      const person = world.wechat.person({ nickname: '旧' });
      const { id } = await onPc(world, person);
      await world.dataSource.query('DELETE FROM iam.user_roles WHERE user_id = $1', [id]);

      expect((await onPc(world, person)).me['roles']).toEqual([]);
    });

    it('may be deleted in the moment of a sign-up, which then succeeds without', async () => {
      await admin.post('roles', { name: 'passing', is_default: true });
      const { browser, callback } = await approveOnPc(world, world.wechat.person({ nickname: '赛' }));
      const deleting = world.dataSource.createQueryRunner();
      await deleting.startTransaction();
      await deleting.query(`DELETE FROM iam.roles WHERE name = 'passing'`);

      const returning = browser.visit(callback);
      const creating = world.app.get(IamUsers).create({ nickname: '赛' });
      await until('two statements wait', async () => (await countWaiting(world.dataSource)) === 2);
      await deleting.commitTransaction();
      await deleting.release();

      const { location } = await returning;
      expect(location?.searchParams.get('error')).toBeNull();
      expect(location?.searchParams.get('code')).toEqual(expect.any(String));
      expect(await rolesOf((await creating).id)).toEqual(['member', 'reader']);
    });
  });
});
