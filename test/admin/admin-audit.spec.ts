import { randomUUID } from 'node:crypto';
import {
  AdminClient,
  adminOptions,
  adminWithPermissions,
  signedInWithPermissions,
} from '../support/admin.js';
import { startWorld, type World } from '../support/iam-app.js';
import { onPc } from '../support/signed-in.js';

describe('the audit log in the admin API', () => {
  let world: World;
  let admin: AdminClient;

  beforeAll(async () => {
    world = await startWorld({ options: adminOptions });
    admin = new AdminClient(world.url);
  });
  afterAll(() => world.close());

  const list = async (query: string) => (await admin.get(`audit?${query}`)).items();
  const actionsOf = async (query: string) => (await list(query)).map(({ action }) => action);

  it('says who did what to whom, under the correlation id of the request', async () => {
    const lan = await onPc(world, world.wechat.person({ nickname: '小兰' }));
    const chief = await signedInWithPermissions(world, ['iam:users:write']);
    await new AdminClient(world.url, chief.accessToken).post(`users/${lan.id}/disable`, { reason: 'spam' });

    const [ended, disabled] = await list(`user=${lan.id}&actor=user:${chief.id}`);

    expect(disabled).toMatchObject({
      action: 'user.disabled',
      user_id: lan.id,
      actor: `user:${chief.id}`,
      detail: { reason: 'spam' },
      correlation_id: ended?.['correlation_id'],
    });
    expect(await actionsOf(`correlation_id=${String(disabled?.['correlation_id'])}`)).toEqual([
      'session.ended',
      'user.disabled',
    ]);
    expect(await actionsOf(`correlation_id=${randomUUID()}`)).toEqual([]);
  });

  it('is narrowed down by action, by their beginning, by provider and by session, newest first', async () => {
    const { id } = await onPc(world, world.wechat.person({ nickname: '小兰' }));
    const [session] = (await admin.get(`sessions?user=${id}`)).items();
    const sid = String(session?.['id']);
    await admin.delete(`sessions/${sid}`);

    const found = await Promise.all(
      [
        `user=${id}`,
        `user=${id}&order=oldest`,
        `user=${id}&action=session.started`,
        `user=${id}&action=session.*`,
        `user=${id}&action=session`,
        `user=${id}&action=%25*`,
        `user=${id}&provider=wechat`,
        `user=${id}&provider=other`,
        `session=${sid}`,
        `user=${id}&actor=admin_token`,
      ].map(actionsOf),
    );

    const [started, ended, signedUp] = ['session.started', 'session.ended', 'user.signed_up'];
    expect(found).toEqual([
      [ended, started, signedUp],
      [signedUp, started, ended],
      [started],
      [ended, started],
      [],
      [],
      [signedUp],
      [],
      [ended, started],
      [ended],
    ]);
  });

  it('gives a span of time exactly, by the clock of the database, whatever that of the replica says', async () => {
    const user = randomUUID();
    const insert = (at: string, idAt: number) =>
      world.dataSource.query(
        `INSERT INTO iam.audit_log (id, at, action, user_id)
         VALUES ((lpad(to_hex($1::bigint), 12, '0') || '7000' || '8' || substr(md5($2), 1, 15))::uuid, $2::timestamptz, $2, $3)`,
        [idAt, at, user],
      );
    const minute = 60_000;
    const start = Date.UTC(2026, 0, 1);
    for (const [index, skew] of [-50 * minute, 50 * minute, 0, 0].entries())
      await insert(new Date(start + index * minute).toISOString(), start + index * minute + skew);
    const iso = (index: number) => new Date(start + index * minute).toISOString();

    const found = await Promise.all(
      [`from=${iso(0)}`, `from=${iso(1)}&to=${iso(3)}`, `to=${iso(1)}`, `from=${iso(4)}`].map((span) =>
        actionsOf(`user=${user}&order=oldest&${span}`),
      ),
    );

    expect(found).toEqual([[iso(0), iso(2), iso(3), iso(1)], [iso(2), iso(1)], [iso(0)], []]);
  });

  it('can be read by whoever may, and changed by nobody', async () => {
    const reader = await adminWithPermissions(world, 'iam:audit:read');
    const other = await adminWithPermissions(world, 'iam:users:*', 'iam:sessions:*');

    const replies = [
      await reader.get('audit'),
      await other.get('audit'),
      ...(await Promise.all(
        ['POST', 'PUT', 'PATCH', 'DELETE'].map((method) => admin.request(method, 'audit', { body: {} })),
      )),
    ];

    expect(replies.map(({ status }) => status)).toEqual([200, 403, 404, 404, 404, 404]);
  });

  it.each(['user', 'actor', 'action', 'provider', 'session', 'correlation_id', 'from', 'to', 'cursor'])(
    'answers no 500 for whatever stands in %s',
    async (name) => {
      const texts = [
        ...['%00', '%ED%A0%80', '%25', '*', '%5C*', "'", 'x'.repeat(10_000)],
        ...['0001-01-01T00:00:00Z', '9999-12-31T23:59:59Z', '2026-02-30T00:00:00Z'],
      ];

      const replies = await Promise.all(texts.map((text) => admin.get(`audit?${name}=${text}`)));

      expect(replies.filter(({ status }) => status !== 200 && status !== 400)).toEqual([]);
    },
  );
});
