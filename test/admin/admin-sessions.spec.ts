import { randomUUID } from 'node:crypto';
import {
  AdminClient,
  adminOptions,
  adminWithPermissions,
  signedInWithPermissions,
} from '../support/admin.js';
import { startWorld, type World } from '../support/iam-app.js';
import { rowsOf } from '../support/rows.js';
import { approveOnPc } from '../support/sign-in.js';
import { inWechat, onPc, refresh } from '../support/signed-in.js';

describe('sessions in the admin API', () => {
  let world: World;
  let admin: AdminClient;

  beforeAll(async () => {
    world = await startWorld({ options: adminOptions });
    admin = new AdminClient(world.url);
  });
  afterAll(() => world.close());

  const list = async (query: string) => (await admin.get(`sessions?${query}`)).items();
  const audited = (sessionId: unknown) =>
    rowsOf(
      world.dataSource,
      `SELECT actor, detail FROM iam.audit_log WHERE action = 'session.ended' AND session_id = $1`,
      [sessionId],
    );

  it('shows how, where and until when somebody is signed in, and nothing that could be used', async () => {
    const { id, refreshToken } = await onPc(world, world.wechat.person({ nickname: '小兰' }));
    const [fresh] = await list(`user=${id}`);
    await refresh(world.url, refreshToken);

    const [session = {}] = await list(`user=${id}`);

    expect(session).toMatchObject({
      user_id: id,
      nickname: '小兰',
      client_id: 'web',
      provider: 'wechat',
      method: 'open',
      appid: world.site.appid,
      live: true,
      ended_at: null,
      end_reason: null,
    });
    expect(Object.keys(session)).not.toEqual(expect.arrayContaining(['openid']));
    expect(new Date(String(session['last_used_at'])).getTime()).toBeGreaterThan(
      new Date(String(fresh?.['last_used_at'])).getTime(),
    );
  });

  it('says of a user when they last signed in, and what WeChat vouches for', async () => {
    const { id } = await onPc(world, world.wechat.person({ nickname: '小兰' }));
    const before = (await admin.get(`users/${id}`)).json();
    const [first = {}] = await list(`user=${id}`);
    await admin.delete(`sessions/${String(first['id'])}`);
    await world.dataSource.query('UPDATE iam.identities SET withdrawn_at = $2 WHERE user_id = $1', [
      id,
      '2026-11-01T00:00:00Z',
    ]);

    const [listed] = (await admin.get(`users?q=${id}`)).items();
    const after = (await admin.get(`users/${id}`)).json();
    const unknown = (await admin.post('users', { nickname: '无' })).json();

    expect(first['created_at']).toMatch(/Z$/);
    expect([before, listed, after].map((user) => user?.['last_sign_in_at'])).toEqual(
      [1, 2, 3].map(() => first['created_at']),
    );
    expect(unknown).toMatchObject({ last_sign_in_at: null, nickname_by: 'host' });
    expect(before).toMatchObject({
      nickname_by: 'wechat',
      identities: [{ union_scope: 'wechat', withdrawn_at: null }],
    });
    expect(after).toMatchObject({ identities: [{ withdrawn_at: '2026-11-01T00:00:00.000Z' }] });
  });

  it('narrows the list down by user, client, provider, method and life', async () => {
    const lan = world.wechat.person({ nickname: '小兰' });
    const { id } = await onPc(world, lan);
    await inWechat(world, lan);
    const [inside, onDesk] = await list(`user=${id}`);
    await admin.delete(`sessions/${String(onDesk?.['id'])}`);

    const found = await Promise.all(
      [
        'method=mp',
        'method=open',
        'live=true',
        'live=false',
        'client=web&provider=wechat',
        'client=other',
        'provider=other',
      ].map(async (filter) => (await list(`user=${id}&${filter}`)).map((each) => each['id'])),
    );

    const [a, b] = [inside?.['id'], onDesk?.['id']];
    expect(found).toEqual([[a], [b], [a], [b], [a, b], [], []]);
  });

  it('ends one session, once, and leaves the others', async () => {
    const lan = world.wechat.person({ nickname: '小兰' });
    const first = await onPc(world, lan);
    const second = await onPc(world, lan);
    const [, oldest] = await list(`user=${first.id}`);

    const replies = [
      await admin.delete(`sessions/${String(oldest?.['id'])}`),
      await admin.delete(`sessions/${String(oldest?.['id'])}`),
    ];

    expect(replies.map(({ status }) => status)).toEqual([204, 204]);
    expect((await refresh(world.url, first.refreshToken)).json()['error']).toBe('invalid_grant');
    expect((await refresh(world.url, second.refreshToken)).status).toBe(200);
    expect(await audited(oldest?.['id'])).toEqual([
      { actor: 'admin_token', detail: { reason: 'ended_by_admin' } },
    ]);
  });

  it('knows no session by a wrong id', async () => {
    const ids = [randomUUID(), 'x', '%00', encodeURIComponent("' OR 1=1")];

    const replies = await Promise.all(ids.map((id) => admin.delete(`sessions/${id}`)));

    expect(replies.map(({ status, code }) => [status, code])).toEqual(ids.map(() => [404, 'not_found']));
  });

  it('shows sessions to whoever may read them, and lets nobody end one who may not', async () => {
    const reader = await adminWithPermissions(world, 'iam:sessions:read');
    const [session] = await list('');

    const seen = await reader.get('sessions');
    const refused = await reader.delete(`sessions/${String(session?.['id'])}`);

    expect([seen.status, refused.status]).toEqual([200, 403]);
    expect((await list('')).find(({ id }) => id === session?.['id'])?.['live']).toBe(true);
  });

  it.each(['user', 'client', 'provider', 'method', 'live', 'cursor'])(
    'answers no 500 for whatever stands in %s',
    async (name) => {
      const texts = ['%00', '%ED%A0%80', '%25', '%5C', "'", 'x'.repeat(10_000)];

      const replies = await Promise.all(texts.map((text) => admin.get(`sessions?${name}=${text}`)));

      expect(replies.filter(({ status }) => status !== 200 && status !== 400)).toEqual([]);
    },
  );
});

describe('sign-in attempts in the admin API', () => {
  let world: World;
  let admin: AdminClient;

  beforeAll(async () => {
    world = await startWorld({ options: adminOptions });
    admin = new AdminClient(world.url);
  });
  afterAll(() => world.close());

  const list = async (query: string) => (await admin.get(`logins?${query}`)).items();

  it('say who came in and how, and carry nothing that could be redeemed', async () => {
    const lan = world.wechat.person({ nickname: '小兰' });
    const { id } = await onPc(world, lan);

    const reply = await admin.get(`logins?user=${id}`);

    const [login = {}] = reply.items();
    expect(login).toMatchObject({
      status: 'consumed',
      error: null,
      provider: 'wechat',
      method: 'open',
      appid: world.site.appid,
      client_id: 'web',
      user_id: id,
      new_user: true,
      ip: '127.0.0.1',
      scanned_at: null,
      confirmed_at: null,
    });
    expect(login['user_agent']).toContain('Chrome');
    const others = ['age_seconds', 'created_at', 'id', 'redeem_before'];
    expect(Object.keys(login)).toHaveLength(12 + others.length);
    expect(Object.keys(login)).toEqual(expect.arrayContaining(others));
    expect(reply.text).not.toContain(lan.openid(world.site));
  });

  it('say why one failed', async () => {
    await world.saveProvider({ sign_up: 'off' });
    const { browser, callback } = await approveOnPc(world, world.wechat.person({ nickname: '新' }));
    await browser.visit(callback);
    await world.saveProvider({ sign_up: 'auto' });

    const [failed] = await list('status=failed&error=sign_up_refused');

    expect(failed).toMatchObject({ status: 'failed', error: 'sign_up_refused', user_id: null });
    expect(await list('status=failed&error=snapshot_user')).toEqual([]);
    expect(await list('provider=other')).toEqual([]);
    expect((await list('provider=wechat&status=failed')).map(({ id }) => id)).toEqual([failed?.['id']]);
  });

  it('show what waits, and for how long', async () => {
    await world.dataSource.query(
      `INSERT INTO iam.logins (id, status, provider, method, appid, client_id, created_at, expires_at)
       VALUES ('0193a000-0000-7000-8000-000000000001', 'pending', 'wechat', 'follow', 'wx1', 'web',
               now() - interval '90 seconds', now() + interval '1 day')`,
    );

    const [waiting] = await list('status=pending');

    expect(waiting).toMatchObject({ method: 'follow', status: 'pending' });
    expect(Math.abs(Number(waiting?.['age_seconds']) - 90)).toBeLessThan(30);
  });

  it('are shown to whoever may read them alone', async () => {
    const reader = await adminWithPermissions(world, 'iam:logins:read');
    const other = await adminWithPermissions(world, 'iam:users:read');

    const replies = [await reader.get('logins'), await other.get('logins')];

    expect(replies.map(({ status }) => status)).toEqual([200, 403]);
  });

  it.each(['status', 'error', 'provider', 'user', 'cursor', 'limit'])(
    'answer no 500 for whatever stands in %s',
    async (name) => {
      const texts = ['%00', '%ED%A0%80', '%25', '%5C', "'", 'x'.repeat(10_000)];

      const replies = await Promise.all(texts.map((text) => admin.get(`logins?${name}=${text}`)));

      expect(replies.filter(({ status }) => status !== 200 && status !== 400)).toEqual([]);
    },
  );
});

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

  it('gives a span of time exactly, also where an earlier version made ids by another clock that was a minute off', async () => {
    const user = randomUUID();
    const insert = (at: string, idAt: number) =>
      world.dataSource.query(
        `INSERT INTO iam.audit_log (id, at, action, user_id)
         VALUES ((lpad(to_hex($1::bigint), 12, '0') || '7000' || '8' || substr(md5($2), 1, 15))::uuid, $2::timestamptz, $2, $3)`,
        [idAt, at, user],
      );
    const minute = 60_000;
    const off = 59_000;
    const start = Date.UTC(2026, 0, 1);
    for (const [index, skew] of [-off, off, -off, off].entries())
      await insert(new Date(start + index * minute).toISOString(), start + index * minute + skew);
    const iso = (index: number) => new Date(start + index * minute).toISOString();

    const found = await Promise.all(
      [`from=${iso(0)}`, `from=${iso(1)}&to=${iso(3)}`, `to=${iso(1)}`, `from=${iso(4)}`].map((span) =>
        actionsOf(`user=${user}&order=oldest&${span}`),
      ),
    );

    expect(found).toEqual([[iso(0), iso(2), iso(1), iso(3)], [iso(2), iso(1)], [iso(0)], []]);
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
