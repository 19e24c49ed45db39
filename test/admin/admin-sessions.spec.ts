import { randomUUID } from 'node:crypto';
import { AdminClient, adminOptions, adminWithPermissions } from '../support/admin.js';
import { startWorld, type World } from '../support/iam-app.js';
import { rowsOf } from '../support/rows.js';
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
