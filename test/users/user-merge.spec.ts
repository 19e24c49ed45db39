import { Module } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { TypeOrmModule } from '@nestjs/typeorm';
import type { EntityManager } from 'typeorm';
import type { Person } from '../../emulator/index.js';
import { inTransaction } from '../../src/database/sql.js';
import { IamModule, IamUsers, type IamHooks } from '../../src/index.js';
import { UserMerges } from '../../src/users/user-merges.service.js';
import { startWorld, type World } from '../support/iam-app.js';
import { LogCapture } from '../support/log-capture.js';
import { rowsOf, valueOf } from '../support/rows.js';
import { getWith, redeem, returnFromPc, toTokens } from '../support/sign-in.js';
import { inWechat, onPc, refresh, returnInWechat, type SignedIn } from '../support/signed-in.js';

/** A host whose orders belong to users. */
class OrderHooks implements IamHooks {
  refusal: Error | null = null;

  async onMerge(from: string, to: string, manager: EntityManager): Promise<void> {
    await manager.query('UPDATE public.orders SET user_id = $2 WHERE user_id = $1', [from, to]);
    if (this.refusal !== null) throw this.refusal;
  }
}

@Module({ providers: [OrderHooks], exports: [OrderHooks] })
class OrdersModule {}

describe('two users who turn out to be one person', () => {
  let world: World;
  const users = () => world.app.get(IamUsers);
  const sql = (text: string, parameters: unknown[] = []) => rowsOf(world.dataSource, text, parameters);
  const rowOf = async (id: string) =>
    (await sql('SELECT status, merged_into, external_id FROM iam.users WHERE id = $1', [id]))[0];

  beforeAll(async () => {
    world = await startWorld({ imports: [OrdersModule], options: { hooks: OrderHooks } });
    await world.dataSource.query('CREATE TABLE public.orders (id serial PRIMARY KEY, user_id uuid NOT NULL)');
    await world.dataSource.query(`INSERT INTO iam.roles (name) VALUES ('clerk'), ('buyer')`);
  });
  afterAll(() => world.close());
  afterEach(() => {
    world.app.get(OrderHooks).refusal = null;
    world.account.bind(world.oa);
  });

  /** One person with two users: the Official Account was not bound when they first came through it. */
  async function twoUsers(person: Person): Promise<{ older: SignedIn; younger: SignedIn }> {
    world.account.unbind(world.oa);
    const older = await inWechat(world, person);
    const younger = await onPc(world, person);
    world.account.bind(world.oa);
    return { older, younger };
  }

  it('become the older one, with every identity and role, when WeChat shows the common unionid', async () => {
    const person = world.wechat.person({ nickname: '一' });
    const { older, younger } = await twoUsers(person);
    await sql(
      `INSERT INTO iam.user_roles (user_id, role) VALUES ($1, 'clerk'), ($2, 'clerk'), ($2, 'buyer')`,
      [older.id, younger.id],
    );

    const after = await inWechat(world, person);
    const onceMore = await onPc(world, person);

    expect(older.id).not.toBe(younger.id);
    expect(after.id).toBe(older.id);
    expect(onceMore.id).toBe(older.id);
    expect(after.me['roles']).toEqual(['buyer', 'clerk']);
    expect(after.me['identities']).toHaveLength(2);
    expect(await rowOf(younger.id)).toEqual({
      status: 'merged',
      merged_into: older.id,
      external_id: null,
    });
    expect(
      await valueOf(
        world.dataSource,
        `SELECT (SELECT count(*) FROM iam.identities WHERE user_id = $1) + (SELECT count(*) FROM iam.unions WHERE user_id = $1)
              + (SELECT count(*) FROM iam.user_roles WHERE user_id = $1)`,
        [younger.id],
      ),
    ).toBe('0');
    expect(
      await sql(`SELECT detail FROM iam.audit_log WHERE action = 'user.merged' AND user_id = $1`, [older.id]),
    ).toEqual([{ detail: { from: younger.id, to: older.id, fromExternalId: null, toExternalId: null } }]);
  });

  it('take their roles along in a testing module that was compiled and never initialised', async () => {
    const [older, younger] = [await users().create({}), await users().create({})];
    await sql(`INSERT INTO iam.user_roles (user_id, role) VALUES ($1, 'buyer')`, [younger.id]);
    const client = { id: 'web', redirectUris: [`${world.url}/callback`] };
    const testing = await Test.createTestingModule({
      imports: [
        TypeOrmModule.forRoot({ type: 'postgres', url: world.database.url, autoLoadEntities: true }),
        IamModule.forRoot({ publicUrl: world.url, keys: [world.key], clients: [client] }),
      ],
    })
      .setLogger(new LogCapture())
      .compile();

    const kept = await inTransaction(world.dataSource, (manager) =>
      testing.get(UserMerges, { strict: false }).merge(manager, [older.id, younger.id]),
    );
    await testing.close();

    expect(kept).toBe(older.id);
    expect(await sql('SELECT role FROM iam.user_roles WHERE user_id = $1', [older.id])).toEqual([
      { role: 'buyer' },
    ]);
  });

  it('keep the older user when the younger one is the person’s way in', async () => {
    const person = world.wechat.person({ nickname: '二' });
    const older = await onPc(world, person);
    world.account.unbind(world.oa);
    const younger = await inWechat(world, person);
    world.account.bind(world.oa);

    const after = await inWechat(world, person);

    expect(younger.id).not.toBe(older.id);
    expect(after.id).toBe(older.id);
    expect((await rowOf(younger.id))?.['merged_into']).toBe(older.id);
  });

  it('end the sessions of the one that goes, and show its bearer the one that stays', async () => {
    const person = world.wechat.person({ nickname: '三' });
    const { older, younger } = await twoUsers(person);
    await inWechat(world, person);

    const refreshed = [
      await refresh(world.url, older.refreshToken),
      await refresh(world.url, younger.refreshToken),
    ];
    const me = await getWith(`${world.url}/iam/me`, younger.accessToken);

    expect(refreshed.map(({ status }) => status)).toEqual([200, 400]);
    expect(refreshed[1]?.json()['error']).toBe('invalid_grant');
    expect(me.json()['id']).toBe(older.id);
    expect(await sql('SELECT end_reason FROM iam.sessions WHERE user_id = $1', [younger.id])).toEqual([
      { end_reason: 'merged' },
    ]);
    expect((await users().find(younger.id))?.id).toBe(older.id);
    expect((await users().findByIdentity(world.site.appid, person.openid(world.site)))?.id).toBe(older.id);
  });

  it('give a code that waits to be redeemed to the one that stays', async () => {
    const person = world.wechat.person({ nickname: '四' });
    const { older } = await twoUsers(person);
    const waiting = await returnFromPc(world, person);
    await inWechat(world, person);

    const tokens = toTokens(await redeem(world.url, waiting));
    const me = await getWith(`${world.url}/iam/me`, tokens.accessToken);

    expect(me.json()['id']).toBe(older.id);
    expect((await refresh(world.url, tokens.refreshToken)).status).toBe(200);
  });

  it('hand over the id under which the host knows the younger, if the older has none', async () => {
    const person = world.wechat.person({ nickname: '五' });
    const { older, younger } = await twoUsers(person);
    await users().setExternalId(younger.id, 'customer-5');

    await inWechat(world, person);

    expect((await users().findByExternalId('customer-5'))?.id).toBe(older.id);
    expect((await rowOf(younger.id))?.['external_id']).toBeNull();
  });

  it('are found by both ids under which the host knows them', async () => {
    const person = world.wechat.person({ nickname: '五半' });
    const { older, younger } = await twoUsers(person);
    await users().setExternalId(older.id, 'customer-old');
    await users().setExternalId(younger.id, 'customer-young');

    await inWechat(world, person);

    const found = [
      await users().findByExternalId('customer-old'),
      await users().findByExternalId('customer-young'),
    ];
    expect(found.map((user) => [user?.id, user?.externalId])).toEqual([
      [older.id, 'customer-old'],
      [older.id, 'customer-old'],
    ]);
  });

  it('follow a chain of merges to its end', async () => {
    const person = world.wechat.person({ nickname: '六' });
    const eldest = await users().create({ nickname: '最老' });
    const { older, younger } = await twoUsers(person);
    await inWechat(world, person);
    // The identity alone, as if it had shown no unionid yet.
    await sql(
      `DELETE FROM iam.identity_unions c USING iam.identities i WHERE i.id = c.identity_id AND i.app_kind = 'mp' AND i.user_id = $1`,
      [older.id],
    );
    await sql(`UPDATE iam.identities SET user_id = $1 WHERE user_id = $2 AND app_kind = 'mp'`, [
      eldest.id,
      older.id,
    ]);

    await inWechat(world, person);

    expect((await rowOf(older.id))?.['merged_into']).toBe(eldest.id);
    expect((await rowOf(younger.id))?.['merged_into']).toBe(eldest.id);
    expect((await users().find(younger.id))?.id).toBe(eldest.id);
  });

  describe('and a host with rows of its own', () => {
    const orderOwners = async (...ids: string[]) =>
      (await sql('SELECT user_id FROM public.orders WHERE user_id = ANY($1) ORDER BY id', [ids])).map(
        ({ user_id }) => user_id,
      );

    it('moves them in the same transaction', async () => {
      const person = world.wechat.person({ nickname: '七' });
      const { older, younger } = await twoUsers(person);
      await sql('INSERT INTO public.orders (user_id) VALUES ($1), ($2)', [older.id, younger.id]);

      await inWechat(world, person);

      expect(await orderOwners(older.id, younger.id)).toEqual([older.id, older.id]);
    });

    it('prevents the merge by throwing, and nothing of it remains', async () => {
      const person = world.wechat.person({ nickname: '八' });
      const { older, younger } = await twoUsers(person);
      await sql('INSERT INTO public.orders (user_id) VALUES ($1)', [younger.id]);
      const snapshot = () =>
        sql(
          `SELECT u.id, u.status, u.merged_into, array_agg(i.openid ORDER BY i.openid) AS openids,
                  (SELECT count(*) FROM iam.unions n WHERE n.user_id = u.id) AS unions,
                  (SELECT count(*) FROM iam.sessions s WHERE s.user_id = u.id AND s.ended_at IS NULL) AS live
           FROM iam.users u JOIN iam.identities i ON i.user_id = u.id WHERE u.id = ANY($1) GROUP BY u.id ORDER BY u.id`,
          [[older.id, younger.id]],
        );
      const before = await snapshot();
      world.app.get(OrderHooks).refusal = new Error('both have open orders');

      const { returned } = await returnInWechat(world, person);

      expect(returned.location?.searchParams.get('error')).toBe('server_error');
      expect(await snapshot()).toEqual(before);
      expect(await orderOwners(older.id, younger.id)).toEqual([younger.id]);
      expect(
        await valueOf(
          world.dataSource,
          `SELECT count(*)::int FROM iam.audit_log WHERE action = 'user.merged' AND user_id = ANY($1)`,
          [[older.id, younger.id]],
        ),
      ).toBe(0);
      expect((await refresh(world.url, younger.refreshToken)).status).toBe(200);
    });
  });

  describe('by one account of WeChat, and are two people by another', () => {
    it('stay two when each owns a unionid of the same scope', async () => {
      const person = world.wechat.person({ nickname: '九' });
      const older = await inWechat(world, person);
      const moved = world.wechat.openPlatformAccount();
      const newSite = moved.websiteApp({ callbackDomain: 'localhost' });
      await world.saveProvider({
        slug: 'moved',
        open_app_id: newSite.appid,
        open_app_secret: newSite.secret,
        union_scope: 'wechat',
      });
      const younger = await onPc(world, person, { provider: 'moved' });
      moved.bind(world.oa);

      const again = await inWechat(world, person);

      expect(again.id).toBe(older.id);
      expect((await rowOf(younger.id))?.['status']).toBe('active');
      expect(
        await valueOf(
          world.dataSource,
          `SELECT count(*)::int FROM iam.audit_log WHERE action = 'user.merge_refused' AND user_id = $1`,
          [older.id],
        ),
      ).toBe(1);
    });

    it('stay two when another scope tells them apart', async () => {
      const person = world.wechat.person({ nickname: '十' });
      const { older, younger } = await twoUsers(person);
      await sql(
        `INSERT INTO iam.unions (union_scope, unionid, user_id) VALUES ('third', 'their-one', $1), ('third', 'their-other', $2)`,
        [older.id, younger.id],
      );

      const after = await inWechat(world, person);
      await sql(`UPDATE iam.users SET status = 'disabled' WHERE id = $1`, [younger.id]);
      const whileTheOtherIsDisabled = await inWechat(world, person);

      expect([after.id, whileTheOtherIsDisabled.id]).toEqual([older.id, older.id]);
      expect((await rowOf(younger.id))?.['status']).toBe('disabled');
    });
  });

  it('do not become one while one of them is disabled', async () => {
    const person = world.wechat.person({ nickname: '十一' });
    const { older, younger } = await twoUsers(person);
    await sql(`UPDATE iam.users SET status = 'disabled' WHERE id = $1`, [younger.id]);

    const { returned } = await returnInWechat(world, person);

    expect(returned.location?.searchParams.get('error')).toBe('access_denied');
    expect((await rowOf(older.id))?.['status']).toBe('active');
    expect((await rowOf(younger.id))?.['status']).toBe('disabled');
  });
});
