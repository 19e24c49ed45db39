import { Module } from '@nestjs/common';
import { IamError, type IamHooks, IamUsers } from '../../src/index.js';
import { Cleanup } from '../../src/privacy/cleanup.service.js';
import { addApps, callMe, inApp } from '../support/account.js';
import { AdminClient, adminOptions } from '../support/admin.js';
import { FakeClock } from '../support/fake-clock.js';
import { startFollowWorld } from '../support/follow.js';
import { type IamApp, startReplica, startWorld, type World } from '../support/iam-app.js';
import { rowsOf, valueOf } from '../support/rows.js';
import { redeem, returnFromPc } from '../support/sign-in.js';
import { inWechat, onPc, refresh, revoke, type SignedIn } from '../support/signed-in.js';
import { eventFields, post, sealed, startWebhookWorld, type WebhookWorld } from '../support/webhook.js';

/** A host that keeps some people for a while. */
class KeepingHooks implements IamHooks {
  static readonly kept = new Set<string>();
  static readonly asked: string[] = [];

  onErase(userId: string): void {
    KeepingHooks.asked.push(userId);
    if (KeepingHooks.kept.has(userId)) throw new Error('an invoice is open');
  }
}

@Module({ providers: [KeepingHooks], exports: [KeepingHooks] })
class HostModule {}

describe('a signed-in user who wants to be forgotten', () => {
  const clock = new FakeClock();
  const settings = { clock, imports: [HostModule], options: { hooks: KeepingHooks, ...adminOptions } };
  let world: World;
  let replica: IamApp;

  beforeAll(async () => {
    world = await startWorld(settings);
    replica = await startReplica(world, settings);
  });
  afterAll(async () => {
    await replica.close();
    await world.close();
  });
  beforeEach(() => {
    KeepingHooks.kept.clear();
    KeepingHooks.asked.length = 0;
  });

  const signIn = (nickname: string) => onPc(world, world.wechat.person({ nickname }));
  const wish = (user: SignedIn) => callMe(world, user, '/deletion', { method: 'POST' });
  const takeBack = (user: SignedIn) => callMe(world, user, '/deletion', { method: 'DELETE' });
  const isThere = (userId: string) =>
    valueOf(world.dataSource, 'SELECT EXISTS (SELECT 1 FROM iam.users WHERE id = $1)', [userId]);
  const actionsOf = async (userId: string) =>
    (
      await rowsOf(
        world.dataSource,
        `SELECT action FROM iam.audit_log WHERE user_id = $1 AND action LIKE 'user.%' ORDER BY id`,
        [userId],
      )
    ).map(({ action }) => action);
  const comeDue = (...userIds: string[]) =>
    world.dataSource.query(
      `UPDATE iam.users SET deletion_at = now() - interval '1 second' WHERE id = ANY($1::uuid[])`,
      [userIds],
    );

  it('is told the day, is signed out elsewhere, and sees the day in /me wherever they sign in', async () => {
    const lan = world.wechat.person({ nickname: '小兰' });
    const phone = await inWechat(world, lan);
    const user = await onPc(world, lan);

    const reply = await wish(user);
    const again = await wish(user);
    const later = await onPc(world, lan);
    const admin = new AdminClient(world.url);
    const [wanting, staying] = await Promise.all(
      ['true', 'false'].map(async (deleting) =>
        (await admin.get(`users?deleting=${deleting}&q=${user.id}`)).items(),
      ),
    );

    const day = String(reply.json()['deletion_at']);
    const days = (Date.parse(day) - Date.now()) / 86_400_000;
    expect([reply.status, days > 6.99 && days < 7.01]).toEqual([200, true]);
    expect(again.json()).toEqual(reply.json());
    expect((await refresh(world.url, phone.refreshToken)).json()['error']).toBe('invalid_grant');
    expect((await refresh(world.url, user.refreshToken)).status).toBe(200);
    expect([later.id, later.me['deletion_at']]).toEqual([user.id, day]);
    expect([wanting?.map((each) => each['deletion_at']), staying]).toEqual([[day], []]);
    expect(await actionsOf(user.id)).toEqual(['user.signed_up', 'user.deletion_requested']);
  });

  it('may change their mind, once and for all', async () => {
    const user = await signIn('甲');
    await wish(user);

    const replies = [await takeBack(user), await takeBack(user)];
    await world.app.get(Cleanup).removeExpired();

    expect(replies.map(({ status }) => status)).toEqual([204, 204]);
    expect((await callMe(world, user, '')).json()['deletion_at']).toBeNull();
    expect(await actionsOf(user.id)).toEqual([
      'user.signed_up',
      'user.deletion_requested',
      'user.deletion_cancelled',
    ]);
  });

  it('is erased when the day has come, once, whichever replica gets there, and nobody else is', async () => {
    const users = [await signIn('乙'), await signIn('丙'), await signIn('丁')] as const;
    const waiting = await signIn('戊');
    const bystander = await signIn('己');
    for (const user of [...users, waiting]) await wish(user);
    await comeDue(...users.map(({ id }) => id));

    await Promise.all([world, replica].map(({ app }) => app.get(Cleanup).removeExpired()));

    expect(await Promise.all(users.map(({ id }) => isThere(id)))).toEqual([false, false, false]);
    expect([await isThere(waiting.id), await isThere(bystander.id)]).toEqual([true, true]);
    expect(KeepingHooks.asked.toSorted()).toEqual(users.map(({ id }) => id).toSorted());
    const reply = await callMe(world, users[0], '');
    expect([reply.status, reply.json()['code']]).toEqual([403, 'user_disabled']);
    expect(await actionsOf(users[0].id)).toEqual([
      'user.signed_up',
      'user.deletion_requested',
      'user.erased',
    ]);
  });

  it('stays while the host’s hook throws, without stopping the others, and is tried again later', async () => {
    const [kept, other] = [await signIn('庚'), await signIn('辛')] as const;
    for (const user of [kept, other]) await wish(user);
    await comeDue(kept.id);
    await comeDue(other.id);
    await world.dataSource.query(
      `UPDATE iam.users SET deletion_at = deletion_at - interval '1 day' WHERE id = $1`,
      [kept.id],
    );
    KeepingHooks.kept.add(kept.id);
    const cleanUp = () => world.app.get(Cleanup).removeExpired();

    await cleanUp();
    const afterFirst = [await isThere(kept.id), await isThere(other.id)];
    await cleanUp();
    const tries = KeepingHooks.asked.filter((id) => id === kept.id).length;
    KeepingHooks.kept.clear();
    clock.advance(11 * 60);
    await cleanUp();

    expect(afterFirst).toEqual([true, false]);
    expect(tries).toBe(1);
    expect(await isThere(kept.id)).toBe(false);
  });

  it('is not erased while somebody else holds their row', async () => {
    const user = await signIn('壬');
    await wish(user);
    await comeDue(user.id);
    const holder = world.dataSource.createQueryRunner();
    await holder.startTransaction();
    await holder.query('SELECT 1 FROM iam.users WHERE id = $1 FOR UPDATE', [user.id]);

    await world.app.get(Cleanup).removeExpired();
    const whileHeld = await isThere(user.id);
    await holder.rollbackTransaction();
    await holder.release();
    await world.app.get(Cleanup).removeExpired();

    expect([whileHeld, await isThere(user.id)]).toEqual([true, false]);
  });

  it('has the wish taken back by a merge: nobody wished the joined account away', async () => {
    const lan = world.wechat.person({ nickname: '癸' });
    world.account.unbind(world.oa);
    const older = await inWechat(world, lan);
    const younger = await onPc(world, lan);
    world.account.bind(world.oa);
    await wish(older);
    await wish(younger);

    const after = await inWechat(world, lan);

    expect([after.id, after.me['deletion_at']]).toEqual([older.id, null]);
    expect(await actionsOf(younger.id)).toContain('user.deletion_cancelled');
    expect(
      await valueOf(world.dataSource, 'SELECT deletion_at FROM iam.users WHERE id = $1', [younger.id]),
    ).toBeNull();
  });

  it('is refused with a token whose session is over', async () => {
    const user = await signIn('子');
    await revoke(world.url, user.refreshToken);

    const replies = [await wish(user), await takeBack(user)];

    expect(replies.map((reply) => reply.json()['code'])).toEqual(['invalid_token', 'invalid_token']);
    expect(await actionsOf(user.id)).toEqual(['user.signed_up']);
  });

  it('is asked to sign in again long after the last time, but not for changing their mind', async () => {
    const user = await signIn('丑');
    await wish(user);
    await world.dataSource.query(
      `UPDATE iam.sessions SET created_at = now() - interval '1 day' WHERE user_id = $1`,
      [user.id],
    );
    const accessToken = String((await refresh(world.url, user.refreshToken)).json()['access_token']);

    expect((await wish({ ...user, accessToken })).json()['code']).toBe('recent_sign_in_required');
    expect((await takeBack({ ...user, accessToken })).status).toBe(204);
  });
});

describe('a host without a grace for those who want to be forgotten', () => {
  let world: World;

  beforeAll(async () => {
    world = await startWorld({
      imports: [HostModule],
      options: { hooks: KeepingHooks, deletionGraceDays: 0 },
    });
  });
  afterAll(() => world.close());
  beforeEach(() => KeepingHooks.kept.clear());

  const wish = (user: SignedIn) => callMe(world, user, '/deletion', { method: 'POST' });

  it('erases them with the answer', async () => {
    const lan = world.wechat.person({ nickname: '小兰' });
    const user = await onPc(world, lan);

    const reply = await wish(user);

    expect([reply.status, reply.text]).toEqual([204, '']);
    expect((await callMe(world, user, '')).json()['code']).toBe('user_disabled');
    expect((await refresh(world.url, user.refreshToken)).json()['error']).toBe('invalid_grant');
    expect((await onPc(world, lan)).id).not.toBe(user.id);
  });

  it('and with a hook that throws, changes nothing', async () => {
    const user = await onPc(world, world.wechat.person({ nickname: '小明' }));
    KeepingHooks.kept.add(user.id);

    const reply = await wish(user);

    expect([reply.status, reply.json()['code']]).toEqual([500, 'internal_error']);
    expect((await callMe(world, user, '')).json()['deletion_at']).toBeNull();
    expect((await refresh(world.url, user.refreshToken)).status).toBe(200);
  });

  it('and with a hook that has its own word for it, says that', async () => {
    const user = await onPc(world, world.wechat.person({ nickname: '小华' }));
    const original = KeepingHooks.prototype.onErase;
    KeepingHooks.prototype.onErase = () => {
      throw new IamError('in_use', 'an order is not paid');
    };

    const reply = await wish(user);
    KeepingHooks.prototype.onErase = original;

    expect([reply.status, reply.json()['code']]).toEqual([409, 'in_use']);
  });
});

describe('the open sign-ins of a WeChat account that was closed', () => {
  let world: WebhookWorld;

  beforeAll(async () => {
    world = await startWebhookWorld({ sign_up: 'bind' });
  });
  afterAll(() => world.close());

  it('end, connect nobody any more, and say nothing of the person', async () => {
    const lan = world.wechat.person({ nickname: '小兰' });
    const bindingToken = String(
      (await redeem(world.url, await returnFromPc(world, lan))).json()['binding_token'],
    );
    const authenticated = await returnFromPc(world, lan);
    const fields = { OpenID: lan.openid(world.site), AppID: world.site.appid };

    await post(
      world.webhook,
      sealed(eventFields('user_authorization_cancellation', 'oWeChat', fields), world),
    );
    const logins = () => rowsOf(world.dataSource, 'SELECT status, error, subject FROM iam.logins');
    while ((await logins()).some(({ status }) => status === 'binding'));
    const users = world.app.get(IamUsers);
    const bound = await users.bind(bindingToken, { id: (await users.create({})).id }).then(
      () => 'bound',
      (error: unknown) => (error instanceof IamError ? error.code : String(error)),
    );
    const redeemed = await redeem(world.url, authenticated);

    const ended = { status: 'failed', error: 'login_interrupted', subject: null };
    expect(await logins()).toEqual([ended, ended]);
    expect(bound).toBe('binding_token_invalid');
    expect(redeemed.json()['error']).toBe('invalid_grant');
  });
});

describe('the export of a signed-in user', () => {
  let world: World;

  beforeAll(async () => {
    world = await startFollowWorld({ qr_enabled: false });
  });
  afterAll(() => world.close());

  it('is a file with everything held about them', async () => {
    const apps = await addApps(world);
    const lan = world.wechat.person({ nickname: '小兰' });
    lan.changeProfile({ phoneNumber: '13800138000' });
    await inWechat(world, lan);
    await lan.follow(world.oa);
    await lan.say(world.oa, '你好');
    const mini = await inApp(world, lan, apps, 'mini');
    await callMe(world, mini, '/phone_number', {
      method: 'POST',
      body: { provider: 'wechat', code: lan.phoneNumberCode(apps.mini) },
    });
    const user = await onPc(world, lan);
    await world.dataSource.query(`INSERT INTO iam.roles (name) VALUES ('clerk')`);
    await world.dataSource.query(`INSERT INTO iam.user_roles (user_id, role) VALUES ($1, 'clerk')`, [
      user.id,
    ]);

    const made = await callMe(world, user, '/api_keys', { method: 'POST', body: { name: '脚本' } });

    const reply = await callMe(world, user, '/export');

    expect(reply.status).toBe(200);
    expect(reply.text).not.toContain(made.json()['key']);
    expect(reply.headers.get('content-disposition')).toBe('attachment; filename="account.json"');
    expect(reply.headers.get('cache-control')).toBe('no-store');
    const held = reply.json();
    expect(held['profile']).toMatchObject({ id: user.id, nickname: '小兰', phone_number: '+8613800138000' });
    expect(held['roles']).toMatchObject([{ name: 'clerk' }]);
    expect(held['identities']).toMatchObject([
      {
        kind: 'open',
        openid: lan.openid(world.site),
        unionid: lan.unionid(world.account),
        union_scopes: ['wechat'],
      },
      { kind: 'mini', openid: lan.openid(apps.mini) },
      { kind: 'mp', openid: lan.openid(world.oa), follows: true },
    ]);
    expect(held['sessions']).toMatchObject([{ method: 'open' }, { method: 'mini' }, { method: 'mp' }]);
    expect(held['api_keys']).toMatchObject([{ name: '脚本', permissions: [], ended_at: null }]);
    expect(held['sign_ins']).toHaveLength(3);
    expect(held['messages']).toMatchObject([
      { event: 'text', message: { Content: '你好' } },
      { event: 'subscribe' },
    ]);
    expect(JSON.stringify(held['audit'])).toContain('user.phone_verified');
    expect(held['truncated']).toEqual([]);
    expect(
      await valueOf(
        world.dataSource,
        `SELECT count(*)::int FROM iam.audit_log WHERE action = 'user.exported' AND user_id = $1`,
        [user.id],
      ),
    ).toBe(1);
  });

  it('holds what was of a user who was merged into them', async () => {
    const lan = world.wechat.person({ nickname: '合' });
    world.account.unbind(world.oa);
    await inWechat(world, lan);
    const younger = await onPc(world, lan);
    world.account.bind(world.oa);
    const user = await inWechat(world, lan);

    const { sessions, audit } = (await callMe(world, user, '/export')).json();

    expect(sessions).toHaveLength(3);
    expect(sessions).toContainEqual(expect.objectContaining({ end_reason: 'merged' }));
    expect(JSON.stringify(audit)).toContain('user.merged');
    expect(younger.id).not.toBe(user.id);
  });

  it('has nothing of anybody else, and nothing that anybody could sign in with', async () => {
    const other = await onPc(world, world.wechat.person({ nickname: '旁人' }));
    const lan = world.wechat.person({ nickname: '自己' });
    const user = await onPc(world, lan);
    const { refresh_token, access_token } = (await refresh(world.url, user.refreshToken)).json();

    const { text } = await callMe(world, user, '/export');

    const hashes = await rowsOf(
      world.dataSource,
      'SELECT state_hash, wechat_code_hash FROM iam.logins WHERE user_id = $1',
      [user.id],
    );
    const secrets = [refresh_token, access_token, user.refreshToken, other.id, '旁人'].map(String);
    for (const secret of [...secrets, ...hashes.flatMap((row) => Object.values(row)).map(String)])
      expect(text).not.toContain(secret);
  });

  it('is of bounded size: the newest of each kind, and a word about the rest', async () => {
    const user = await onPc(world, world.wechat.person({ nickname: '多' }));
    await world.dataSource.query(
      `INSERT INTO iam.audit_log (id, action, user_id) SELECT gen_random_uuid(), 'test.entry', $1 FROM generate_series(1, 1100)`,
      [user.id],
    );

    const held = (await callMe(world, user, '/export')).json();

    expect(held['audit']).toHaveLength(1000);
    expect(held['truncated']).toEqual(['audit']);
  });

  it('is not for a token whose session is over', async () => {
    const user = await onPc(world, world.wechat.person({ nickname: '末' }));
    await revoke(world.url, user.refreshToken);

    const reply = await callMe(world, user, '/export');

    expect([reply.status, reply.json()['code']]).toEqual([401, 'invalid_token']);
  });
});
