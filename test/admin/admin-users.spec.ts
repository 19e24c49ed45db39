import { randomUUID } from 'node:crypto';
import { decodeJwt } from 'jose';
import { AdminClient, adminOptions, adminWithPermissions } from '../support/admin.js';
import { startWorld, type World } from '../support/iam-app.js';
import { rowsOf } from '../support/rows.js';
import { inWechat, onPc, refresh } from '../support/signed-in.js';
import { redeem, returnFromPc, toTokens } from '../support/sign-in.js';

describe('users in the admin API', () => {
  let world: World;
  let admin: AdminClient;

  beforeAll(async () => {
    world = await startWorld({ options: adminOptions });
    admin = new AdminClient(world.url);
    await world.dataSource.query(
      `INSERT INTO iam.roles (name, permissions) VALUES ('support', '{tickets:*}'), ('boss', '{*}'), ('hr', '{iam:users:*}')`,
    );
  });
  afterAll(() => world.close());

  const someone = (nickname = '小兰') => onPc(world, world.wechat.person({ nickname }));
  const idsOf = (reply: { items(): Record<string, unknown>[] }) => reply.items().map(({ id }) => id);
  const audited = (userId: string) =>
    rowsOf(
      world.dataSource,
      'SELECT action, actor, detail FROM iam.audit_log WHERE user_id = $1 AND actor IS NOT NULL ORDER BY id',
      [userId],
    );

  it('shows what is known of a user, to the last identity', async () => {
    const lan = world.wechat.person({ nickname: '小兰' });
    const { id } = await onPc(world, lan);

    const reply = await admin.get(`users/${id}`);

    expect(reply.status).toBe(200);
    expect(reply.headers.get('cache-control')).toBe('no-store');
    expect(reply.etag).toMatch(/^"[0-9a-f]{32}"$/);
    expect(reply.json()).toMatchObject({
      id,
      nickname: '小兰',
      status: 'active',
      merged_into: null,
      roles: [],
      identity_count: 1,
      live_sessions: 1,
      phone_number: null,
      identities: [
        {
          provider: 'wechat',
          kind: 'open',
          appid: world.site.appid,
          openid: lan.openid(world.site),
          unionid: lan.unionid(world.account),
          follows: null,
        },
      ],
    });
  });

  it('finds people by one box: id, external id, openid, unionid or the beginning of a nickname', async () => {
    const person = world.wechat.person({ nickname: 'Zoë 100%_\\' });
    const { id } = await onPc(world, person);
    await admin.patch(`users/${id}`, { external_id: 'crm-77' });
    const others = await someone('Zoltan');
    const keys = [id, 'crm-77', person.openid(world.site), person.unionid(world.account), 'zoë 100%_\\'];

    const found = await Promise.all(
      [...keys, '%', '_', 'Zo_', 'Z%', '\\', 'oë'].map(async (q) =>
        idsOf(await admin.get(`users?q=${encodeURIComponent(q)}`)),
      ),
    );
    const both = await admin.get('users?q=ZO');

    expect(found).toEqual([...keys.map(() => [id]), [], [], [], [], [], []]);
    expect(idsOf(both)).toEqual([others.id, id]);
  });

  it('narrows a list down by every filter, and by several at once', async () => {
    const lan = await someone('Fila');
    const wei = await someone('Filb');
    await admin.request('PUT', `users/${lan.id}/roles/support`);
    await admin.post(`users/${wei.id}/disable`);

    const lists = await Promise.all(
      [
        'nickname=fil',
        'nickname=fil&order=oldest',
        'nickname=fil&status=disabled',
        'nickname=fil&role=support',
        'role=support&status=disabled',
        'nickname=fil&provider=wechat',
        'provider=other',
        'q=fil&role=support&provider=wechat&status=active',
      ].map(async (query) => idsOf(await admin.get(`users?${query}`))),
    );

    expect(lists).toEqual([
      [wei.id, lan.id],
      [lan.id, wei.id],
      [wei.id],
      [lan.id],
      [],
      [wei.id, lan.id],
      [],
      [lan.id],
    ]);
  });

  it('gives pages that neither repeat nor miss anybody, in both directions', async () => {
    for (let each = 0; each < 5; each += 1) await admin.post('users', { nickname: `Page ${each}` });

    for (const order of ['newest', 'oldest']) {
      const seen: unknown[] = [];
      let cursor = '';
      do {
        const page = await admin.get(`users?nickname=Page&limit=2&order=${order}${cursor}`);
        seen.push(...page.items().map(({ nickname }) => nickname));
        const { next_cursor: next } = page.json();
        cursor = typeof next === 'string' ? `&cursor=${next}` : '';
      } while (cursor !== '');

      const expected = ['Page 0', 'Page 1', 'Page 2', 'Page 3', 'Page 4'];
      expect(seen).toEqual(order === 'oldest' ? expected : expected.reverse());
    }
  });

  it('creates a user, and changes only what the request names', async () => {
    const created = await admin.post('users', {
      nickname: '\u202e小明\u0007',
      external_id: 'crm-1',
      roles: ['support'],
    });
    const id = String(created.json()['id']);

    const changed = await admin.patch(`users/${id}`, { nickname: null }, created.etag);
    const unchanged = await admin.patch(`users/${id}`, {}, changed.etag);

    expect([created.status, changed.status]).toEqual([201, 200]);
    expect(created.json()).toMatchObject({ nickname: '小明', external_id: 'crm-1', roles: ['support'] });
    expect(changed.json()).toMatchObject({ nickname: null, external_id: 'crm-1' });
    expect(changed.etag).not.toBe(created.etag);
    expect(unchanged.etag).toBe(changed.etag);
    expect(await audited(id)).toEqual([
      { action: 'user.created', actor: 'admin_token', detail: {} },
      { action: 'user.role_assigned', actor: 'admin_token', detail: { role: 'support' } },
      { action: 'user.updated', actor: 'admin_token', detail: { changed: ['nickname'] } },
    ]);
  });

  it('keeps in the audit log whose account of the host a user was made to be, and was before', async () => {
    const id = String((await admin.post('users', { external_id: 'crm-80' })).json()['id']);

    await admin.patch(`users/${id}`, { external_id: 'crm-90' });

    expect((await audited(id)).at(-1)).toEqual({
      action: 'user.updated',
      actor: 'admin_token',
      detail: { changed: ['external_id'], fromExternalId: 'crm-80', toExternalId: 'crm-90' },
    });
  });

  it('refuses a change that is based on an old reading, or on none', async () => {
    const created = await admin.post('users', { nickname: '甲' });
    const id = String(created.json()['id']);
    await admin.patch(`users/${id}`, { nickname: '乙' });

    const late = await admin.patch(`users/${id}`, { nickname: '丙' }, created.etag);
    const blind = await admin.request('PATCH', `users/${id}`, { body: { nickname: '丙' } });
    const erased = await admin.delete(`users/${id}`, created.etag);

    expect([late.code, blind.code, erased.code]).toEqual([
      'precondition_failed',
      'precondition_required',
      'precondition_failed',
    ]);
    expect((await admin.get(`users/${id}`)).json()['nickname']).toBe('乙');
  });

  it('refuses an external id that another user has, and leaves nothing behind', async () => {
    await admin.post('users', { external_id: 'taken' });
    const { id } = await someone();
    const count = 'SELECT count(*)::int AS n FROM iam.users';
    const before = await rowsOf(world.dataSource, count);

    const changed = await admin.patch(`users/${id}`, { external_id: 'taken' });
    const created = await admin.post('users', { external_id: 'taken' });
    const withoutRole = await admin.post('users', { nickname: '无', roles: ['no-such-role'] });

    expect([changed.code, created.code, withoutRole.code]).toEqual([
      'identity_conflict',
      'identity_conflict',
      'not_found',
    ]);
    expect(await rowsOf(world.dataSource, count)).toEqual(before);
  });

  it.each([
    ['of roles', { role: 'admin' }],
    ['of the status', { status: 'active' }],
    ['of the id', { id: randomUUID() }],
    ['of whom they are merged into', { merged_into: randomUUID() }],
    ['of the prototype', JSON.parse('{"__proto__":{"status":"active"},"roles":[]}')],
    ['to a nickname that is no text', { nickname: 7 }],
    ['to a nickname of nothing', { nickname: '' }],
    ['to a nickname with NUL', { nickname: 'a\0b' }],
    ['to half a character', { external_id: '\ud800' }],
    ['to an endless external id', { external_id: 'x'.repeat(10_000) }],
    ['that is no object', ['nickname']],
  ])('refuses a change %s', async (_what, body) => {
    const { id } = await someone();

    const reply = await admin.patch(`users/${id}`, body);

    expect([reply.status, reply.code]).toEqual([400, 'invalid_request']);
  });

  it('shuts a user out at once: sessions, codes under way and every sign-in until they are let in again', async () => {
    const lan = world.wechat.person({ nickname: '小兰' });
    const signedIn = await onPc(world, lan);
    const underWay = await returnFromPc(world, lan);

    const first = await admin.post(`users/${signedIn.id}/disable`, { reason: 'spam' });
    const again = await admin.post(`users/${signedIn.id}/disable`, { reason: 'again' });
    const refreshed = await refresh(world.url, signedIn.refreshToken);
    const refused = await returnFromPc(world, lan);
    await admin.post(`users/${signedIn.id}/enable`);
    const redeemed = await redeem(world.url, underWay);
    const back = await onPc(world, lan);

    expect([first.status, again.status]).toEqual([204, 204]);
    expect(refreshed.json()['error']).toBe('invalid_grant');
    expect(redeemed.status).toBe(400);
    expect(refused.returned.location?.searchParams.get('error')).toBe('access_denied');
    expect(back.id).toBe(signedIn.id);
    expect(await audited(signedIn.id)).toMatchObject([
      { action: 'user.disabled', actor: 'admin_token', detail: { reason: 'spam' } },
      { action: 'session.ended', detail: { reason: 'user_disabled' } },
      { action: 'user.enabled' },
    ]);
  });

  it('ends all sessions of a user', async () => {
    const lan = world.wechat.person({ nickname: '小兰' });
    const first = await onPc(world, lan);
    const second = await onPc(world, lan);

    const reply = await admin.delete(`users/${first.id}/sessions`);

    const refreshed = await Promise.all([first, second].map((each) => refresh(world.url, each.refreshToken)));
    expect(reply.status).toBe(204);
    expect(refreshed.map(({ status }) => status)).toEqual([400, 400]);
    expect((await admin.get(`users/${first.id}`)).json()['live_sessions']).toBe(0);
    expect(await audited(first.id)).toMatchObject([
      { action: 'session.ended', detail: { reason: 'ended_by_admin' } },
    ]);
  });

  it('takes an identity from a user, and what came by it; the last one only by force', async () => {
    const lan = world.wechat.person({ nickname: '小兰' });
    const byQr = await onPc(world, lan);
    const inside = await inWechat(world, lan);
    const { identities } = (await admin.get(`users/${byQr.id}`)).json() as {
      identities: { id: string; kind: string }[];
    };
    const [open, mp] = ['open', 'mp'].map((kind) => identities.find((each) => each.kind === kind)?.id);
    const foreign = await someone();

    const replies = [
      await admin.delete(`users/${foreign.id}/identities/${open}`),
      await admin.delete(`users/${byQr.id}/identities/x`),
      await admin.delete(`users/${byQr.id}/identities/${open}`),
      await admin.delete(`users/${byQr.id}/identities/${open}`),
      await admin.delete(`users/${byQr.id}/identities/${mp}`),
    ];
    const [ended, goesOn] = [
      await refresh(world.url, byQr.refreshToken),
      await refresh(world.url, inside.refreshToken),
    ];
    const forced = await admin.delete(`users/${byQr.id}/identities/${mp}?force=true`);

    expect(replies.map(({ status, code }) => code ?? status)).toEqual([
      'not_found',
      'not_found',
      204,
      'not_found',
      'last_identity',
    ]);
    expect([ended.status, goesOn.status]).toEqual([400, 200]);
    expect(forced.status).toBe(204);
    expect((await admin.get(`users/${byQr.id}`)).json()).toMatchObject({ identities: [], live_sessions: 0 });
    expect((await audited(byQr.id)).map(({ action }) => action)).toEqual([
      'session.ended',
      'identity.unlinked',
      'session.ended',
      'identity.unlinked',
    ]);
  });

  it('gives and takes roles, which act from the next access token on', async () => {
    const lan = await someone();
    let { refreshToken } = lan;
    const rolesIn = async () => {
      const tokens = toTokens(await refresh(world.url, refreshToken));
      refreshToken = tokens.refreshToken;
      return decodeJwt(tokens.accessToken)['roles'];
    };

    const given = [
      await admin.request('PUT', `users/${lan.id}/roles/support`),
      await admin.request('PUT', `users/${lan.id}/roles/support`),
    ];
    const having = await rolesIn();
    const listed = await admin.get(`users/${lan.id}/roles`);
    const taken = [
      await admin.delete(`users/${lan.id}/roles/support`),
      await admin.delete(`users/${lan.id}/roles/support`),
    ];
    const without = await rolesIn();

    expect([...given, ...taken].map(({ status }) => status)).toEqual([204, 204, 204, 204]);
    expect([having, listed.json(), without]).toEqual([['support'], { roles: ['support'] }, []]);
    expect(await audited(lan.id)).toEqual([
      { action: 'user.role_assigned', actor: 'admin_token', detail: { role: 'support' } },
      { action: 'user.role_removed', actor: 'admin_token', detail: { role: 'support' } },
    ]);
  });

  it('lets nobody give away what they may not do themselves, neither by a role nor by a merge', async () => {
    const hr = await adminWithPermissions(world, 'iam:users:*');
    const lan = await someone();
    const chief = await someone('总');
    await admin.request('PUT', `users/${chief.id}/roles/boss`);

    const given = await Promise.all(
      ['hr', 'support', 'boss'].map((role) => hr.request('PUT', `users/${lan.id}/roles/${role}`)),
    );
    const created = await hr.post('users', { roles: ['boss'] });
    const merged = await hr.post(`users/${lan.id}/merge`, { other: chief.id });

    expect(given.map(({ status }) => status)).toEqual([204, 403, 403]);
    expect([created.code, merged.code]).toEqual(['insufficient_permissions', 'insufficient_permissions']);
    expect((await admin.get(`users/${chief.id}`)).json()['status']).toBe('active');
  });

  it('merges two users by hand: the older stays, with what both had', async () => {
    world.account.unbind(world.oa);
    const older = await someone('老');
    const younger = String(
      (await admin.post('users', { external_id: 'crm-9', roles: ['support'] })).json()['id'],
    );
    world.account.bind(world.oa);

    const reply = await admin.post(`users/${younger}/merge`, { other: older.id });

    expect([reply.status, reply.json()]).toEqual([200, { id: older.id, merged: younger }]);
    expect((await admin.get(`users/${older.id}`)).json()).toMatchObject({
      roles: ['support'],
      external_id: 'crm-9',
      status: 'active',
    });
    expect((await admin.get(`users/${younger}`)).json()).toMatchObject({
      status: 'merged',
      merged_into: older.id,
    });
    expect(await audited(older.id)).toMatchObject([{ action: 'user.merged', actor: 'admin_token' }]);
  });

  it('refuses to merge two people, a user who is shut out, and a user with themself', async () => {
    const [lan, wei] = [await someone('兰'), await someone('伟')];
    const { id: bare } = (await admin.post('users', {})).json();
    await admin.post(`users/${String(bare)}/disable`);

    const replies = [
      await admin.post(`users/${lan.id}/merge`, { other: wei.id }),
      await admin.post(`users/${lan.id}/merge`, { other: bare }),
      await admin.post(`users/${lan.id}/merge`, { other: lan.id.toUpperCase() }),
      await admin.post(`users/${lan.id}/merge`, { other: 'x' }),
      await admin.post(`users/${lan.id}/merge`, { other: randomUUID() }),
    ];

    expect(replies.map(({ code }) => code)).toEqual([
      'merge_refused',
      'user_disabled',
      'invalid_request',
      'invalid_request',
      'not_found',
    ]);
  });

  it('erases a user at once', async () => {
    const lan = world.wechat.person({ nickname: '小兰' });
    const { id, refreshToken } = await onPc(world, lan);
    const { etag } = await admin.get(`users/${id}`);

    const reply = await admin.delete(`users/${id}`, etag);

    expect(reply.status).toBe(204);
    expect((await admin.get(`users/${id}`)).code).toBe('not_found');
    expect((await refresh(world.url, refreshToken)).status).toBe(400);
    expect((await onPc(world, lan)).id).not.toBe(id);
    expect(await audited(id)).toMatchObject([{ action: 'user.erased', actor: 'admin_token' }]);
  });

  it('answers 404 for whatever is no user or acts on a merged one, which can only be read', async () => {
    const older = await someone();
    const merged = String((await admin.post('users', {})).json()['id']);
    await admin.post(`users/${merged}/merge`, { other: older.id });
    const acts = (id: string) => [
      admin.patch(`users/${id}`, { nickname: '丁' }),
      admin.delete(`users/${id}`),
      admin.post(`users/${id}/disable`),
      admin.post(`users/${id}/enable`),
      admin.post(`users/${id}/merge`, { other: older.id }),
      admin.delete(`users/${id}/sessions`),
      admin.delete(`users/${id}/identities/${randomUUID()}?force=true`),
      admin.request('PUT', `users/${id}/roles/support`),
      admin.delete(`users/${id}/roles/support`),
    ];

    for (const id of [randomUUID(), 'nobody', '%00', '1; DROP TABLE iam.users', merged].map(
      encodeURIComponent,
    )) {
      const replies = await Promise.all(acts(id));
      expect(replies.map(({ status, code }) => [status, code])).toEqual(
        replies.map(() => [404, 'not_found']),
      );
    }
    expect((await admin.post(`users/${merged}/disable`)).json()['merged_into']).toBe(older.id);
    expect((await admin.get(`users/${merged}`)).json()['merged_into']).toBe(older.id);
    for (const role of ['nope', '%00', 'no%00pe']) {
      const given = await admin.request('PUT', `users/${older.id}/roles/${role}`);
      const taken = await admin.delete(`users/${older.id}/roles/${role}`);
      expect([given.status, given.code, taken.status]).toEqual([404, 'not_found', 204]);
    }
  });

  it.each([
    'q',
    'nickname',
    'openid',
    'unionid',
    'external_id',
    'status',
    'role',
    'provider',
    'cursor',
    'limit',
    'order',
  ])('answers no 500 for whatever stands in %s', async (name) => {
    const texts = ['%00', 'a%00b', '%ED%A0%80', '%', '%25', '%5C', '_', "'", 'x'.repeat(10_000), '💥', '-1'];

    const replies = await Promise.all(texts.map((text) => admin.get(`users?${name}=${text}`)));

    expect(replies.filter(({ status }) => status !== 200 && status !== 400)).toEqual([]);
  });
});
