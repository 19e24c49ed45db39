import { Module } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { Erasure } from '../../src/privacy/erasure.service.js';
import { IamError, IamUsers, type IamHooks } from '../../src/index.js';
import { callMe, itemsOf } from '../support/account.js';
import { startFollowWorld } from '../support/follow.js';
import type { World } from '../support/iam-app.js';
import { countWaiting, rowsOf, valueOf } from '../support/rows.js';
import { approveOnPc, getWith, redeem, toTokens } from '../support/sign-in.js';
import { inWechat, onPc, refresh, returnInWechat } from '../support/signed-in.js';

/** A host whose orders belong to users. */
class OrderHooks implements IamHooks {
  refusal: Error | null = null;

  async onErase(userId: string, manager: EntityManager): Promise<void> {
    await manager.query('DELETE FROM public.orders WHERE user_id = $1', [userId]);
    if (this.refusal !== null) throw this.refusal;
  }
}

@Module({ providers: [OrderHooks], exports: [OrderHooks] })
class OrdersModule {}

/** The code that a promise is rejected with, or 'done'. */
const outcomeOf = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => 'done',
    (error: unknown) => (error instanceof IamError ? error.code : String(error)),
  );

describe('a user who is erased', () => {
  let world: World;
  const erase = (id: string) => world.app.get(Erasure).erase(id);
  const count = (sql: string, ...parameters: unknown[]) =>
    valueOf(world.dataSource, `SELECT count(*)::int FROM ${sql}`, parameters);

  beforeAll(async () => {
    world = await startFollowWorld(
      { qr_enabled: false },
      { imports: [OrdersModule], options: { hooks: OrderHooks } },
    );
    await world.dataSource.query(
      'CREATE TABLE public.orders (id serial PRIMARY KEY, user_id uuid NOT NULL REFERENCES iam.users (id))',
    );
    await world.dataSource.query(`INSERT INTO iam.roles (name) VALUES ('clerk')`);
  });
  afterAll(() => world.close());
  afterEach(() => {
    world.app.get(OrderHooks).refusal = null;
  });

  it('is gone from every table, with those who were merged into them and what the host holds', async () => {
    const lan = world.wechat.person({ nickname: '小兰' });
    world.account.unbind(world.oa);
    const older = await inWechat(world, lan);
    const younger = await onPc(world, lan);
    world.account.bind(world.oa);
    await inWechat(world, lan);
    await lan.follow(world.oa);
    await world.dataSource.query(`INSERT INTO iam.user_roles (user_id, role) VALUES ($1, 'clerk')`, [
      older.id,
    ]);
    await world.dataSource.query('INSERT INTO public.orders (user_id) VALUES ($1)', [older.id]);
    await world.dataSource.query(
      `INSERT INTO iam.api_keys (id, user_id, name, prefix, hash) VALUES (gen_random_uuid(), $1, 'x', 'x', 'x')`,
      [older.id],
    );
    const ids = [older.id, younger.id];
    const openids = [lan.openid(world.oa), lan.openid(world.site)];

    await erase(older.id);

    const left = await Promise.all([
      count('iam.users WHERE id = ANY($1)', ids),
      count('iam.identities WHERE openid = ANY($1)', openids),
      count('iam.unions WHERE unionid = $1', lan.unionid(world.account)),
      count('iam.sessions WHERE user_id = ANY($1) OR openid = ANY($2)', ids, openids),
      count('iam.logins WHERE user_id = ANY($1) OR openid = ANY($2)', ids, openids),
      count('iam.user_roles WHERE user_id = ANY($1)', ids),
      count('iam.webhook_events WHERE openid = ANY($1)', openids),
      count('iam.api_keys WHERE user_id = ANY($1)', ids),
      count('public.orders WHERE user_id = ANY($1)', ids),
    ]);
    expect(left).toEqual([0, 0, 0, 0, 0, 0, 0, 0, 0]);
    const [entry] = await rowsOf(
      world.dataSource,
      `SELECT detail FROM iam.audit_log WHERE action = 'user.erased' AND user_id = $1`,
      [older.id],
    );
    expect(entry?.['detail']).toEqual({
      consents: 0,
      identities: 2,
      unions: 1,
      sessions: 3,
      browserSessions: 0,
      apiKeys: 1,
      logins: 3,
      roles: 1,
      events: 1,
      merged: 1,
      wishedFor: null,
    });
    expect(await count('iam.audit_log WHERE user_id = $1', older.id)).toBeGreaterThan(1);
  });

  it.each([
    ['nothing', 'nobody’s', 0],
    ['its messages', 'somebody else’s', 1],
  ])('leaves of an identity that they gave up %s, once it is %s', async (_what, whose, expected) => {
    const hong = world.wechat.person({ nickname: '小红' });
    await onPc(world, hong);
    const inside = await inWechat(world, hong);
    const openid = hong.openid(world.oa);
    await hong.follow(world.oa);
    const [mp] = itemsOf(await callMe(world, inside, '/identities')).filter(({ kind }) => kind === 'mp');
    await callMe(world, inside, `/identities/${String(mp?.['id'])}`, { method: 'DELETE' });
    if (whose !== 'nobody’s') {
      const { id } = await onPc(world, world.wechat.person({ nickname: '别' }));
      await world.dataSource.query(`UPDATE iam.identities SET openid = $1, appid = $2 WHERE user_id = $3`, [
        openid,
        world.oa.appid,
        id,
      ]);
    }
    const before = await count('iam.webhook_events WHERE openid = $1', openid);

    await erase(inside.id);

    expect([before, await count('iam.webhook_events WHERE openid = $1', openid)]).toEqual([1, expected]);
  });

  it('has tokens that open nothing, and comes back as somebody new', async () => {
    const ming = world.wechat.person({ nickname: '小明' });
    const before = await onPc(world, ming);

    await erase(before.id);
    const me = await getWith(`${world.url}/iam/me`, before.accessToken);
    const refreshed = await refresh(world.url, before.refreshToken);
    const after = await onPc(world, ming);

    expect([me.status, me.json()['code']]).toEqual([403, 'user_disabled']);
    expect(refreshed.json()['error']).toBe('invalid_grant');
    expect(after.id).not.toBe(before.id);
  });

  it('leaves everybody else as they are', async () => {
    const [one, other] = [
      world.wechat.person({ nickname: '甲' }),
      world.wechat.person({ nickname: '乙' }),
    ] as const;
    const gone = await onPc(world, one);
    const stays = await onPc(world, other);

    await erase(gone.id);

    expect((await getWith(`${world.url}/iam/me`, stays.accessToken)).json()).toEqual(stays.me);
    expect((await refresh(world.url, stays.refreshToken)).status).toBe(200);
  });

  it('stays as they were when the host’s hook throws, and the log says whose error it was', async () => {
    const { id, accessToken } = await onPc(world, world.wechat.person({ nickname: '丙' }));
    await world.dataSource.query('INSERT INTO public.orders (user_id) VALUES ($1)', [id]);
    world.app.get(OrderHooks).refusal = new Error('an order is not paid');

    const failure = await erase(id).catch((error: unknown) => error);

    expect(failure).toMatchObject({
      code: 'internal_error',
      detail: "the host's onErase hook failed",
      cause: { message: 'an order is not paid' },
    });
    expect(await count('public.orders WHERE user_id = $1', id)).toBe(1);
    expect((await getWith(`${world.url}/iam/me`, accessToken)).status).toBe(200);
    expect(await count(`iam.audit_log WHERE action = 'user.erased' AND user_id = $1`, id)).toBe(0);
  });

  it('is refused with the host’s own code when its hook throws one', async () => {
    const { id } = await onPc(world, world.wechat.person({ nickname: '丁' }));
    world.app.get(OrderHooks).refusal = new IamError('in_use', 'an order is not paid');

    expect(await outcomeOf(erase(id))).toBe('in_use');
  });

  it.each(['NO ACTION', 'RESTRICT'])(
    'is not erased while a table of the host refers to them ON DELETE %s',
    async (rule) => {
      const { id } = await onPc(world, world.wechat.person({ nickname: '戊' }));
      await world.dataSource.query(
        `CREATE TABLE public.letters (user_id uuid NOT NULL REFERENCES iam.users (id) ON DELETE ${rule})`,
      );
      await world.dataSource.query('INSERT INTO public.letters VALUES ($1)', [id]);

      const outcome = await outcomeOf(erase(id));
      await world.dataSource.query('DROP TABLE public.letters');

      expect(outcome).toBe('in_use');
      expect(await count('iam.users WHERE id = $1', id)).toBe(1);
    },
  );

  it('cannot be erased twice, and nobody can be who is not there', async () => {
    const { id } = await onPc(world, world.wechat.person({ nickname: '己' }));

    const outcomes = await Promise.all([outcomeOf(erase(id)), outcomeOf(erase(id))]);

    expect(outcomes.toSorted()).toEqual(['done', 'not_found']);
    expect(await outcomeOf(erase('nobody'))).toBe('not_found');
    expect(await outcomeOf(erase('018f0000-0000-7000-8000-000000000000'))).toBe('not_found');
  });

  it('is not the one that was merged into another', async () => {
    const geng = world.wechat.person({ nickname: '庚' });
    world.account.unbind(world.oa);
    await inWechat(world, geng);
    const younger = await onPc(world, geng);
    world.account.bind(world.oa);
    const { id } = await inWechat(world, geng);

    expect(await outcomeOf(erase(younger.id))).toBe('not_found');
    expect(await world.app.get(IamUsers).find(id)).not.toBeNull();
  });

  it('is gone for a sign-in that was under way: its code begins nothing', async () => {
    const xin = world.wechat.person({ nickname: '辛' });
    const { id } = await onPc(world, xin);
    const underWay = await returnInWechat(world, xin);

    await erase(id);
    const reply = await redeem(world.url, underWay);

    expect(reply.json()['error']).toBe('invalid_grant');
  });

  it('is somebody new to a sign-in that had found them already', async () => {
    const ren = world.wechat.person({ nickname: '壬' });
    const { id } = await onPc(world, ren);
    const { browser, callback, verifier } = await approveOnPc(world, ren);
    // The callback knows its user when it asks for the row below, which somebody else holds.
    world.wechat.once('/sns/oauth2/access_token', { delay: 300 });
    const visit = browser.visit(callback);
    const holder = world.dataSource.createQueryRunner();
    await holder.startTransaction();
    while (
      (await rowsOf(holder, `SELECT id FROM iam.logins WHERE status = 'pending' FOR UPDATE`)).length === 0
    );
    await lockIsAwaited();

    await erase(id);
    await holder.commitTransaction();
    await holder.release();
    const tokens = toTokens(await redeem(world.url, { browser, returned: await visit, verifier }));

    const me = (await getWith(`${world.url}/iam/me`, tokens.accessToken)).json();
    expect(me['id']).not.toBe(id);
  });

  async function lockIsAwaited(): Promise<void> {
    while ((await countWaiting(world.dataSource)) === 0);
  }
});
