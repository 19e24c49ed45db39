import { addApps, callMe, inApp, itemsOf, type Apps } from '../support/account.js';
import { FakeClock } from '../support/fake-clock.js';
import { startReplica, startWorld, type IamApp, type World } from '../support/iam-app.js';
import { rowsOf, valueOf } from '../support/rows.js';
import { getWith, redeem, returnFromPc, type Tokens } from '../support/sign-in.js';
import { inWechat, onPc, refresh, returnInWechat } from '../support/signed-in.js';

describe('a signed-in user who unlinks an identity', () => {
  const clock = new FakeClock();
  let world: World;
  let replica: IamApp;
  let apps: Apps;

  beforeAll(async () => {
    world = await startWorld({ clock });
    replica = await startReplica(world, { clock });
    apps = await addApps(world);
  });
  afterAll(async () => {
    await replica.close();
    await world.close();
  });

  const person = (nickname: string) => world.wechat.person({ nickname });
  const unlink = (
    user: Pick<Tokens, 'accessToken'>,
    id: unknown,
    query = '',
    site: { url: string } = world,
  ) => callMe(site, user, `/identities/${String(id)}${query}`, { method: 'DELETE' });
  const idOf = async (user: Pick<Tokens, 'accessToken'>, kind: string) =>
    itemsOf(await callMe(world, user, '/identities')).find((each) => each['kind'] === kind)?.['id'];
  /** Two WeChat accounts of one user, so that no unionid leads from the one to the other. */
  async function twoAccounts(first: string, second: string) {
    const [main, spare] = [person(first), person(second)] as const;
    const user = await onPc(world, main);
    const linked = await callMe(world, user, '/identities', {
      method: 'POST',
      body: { provider: 'wechat', app: 'mini', code: spare.wxLogin(apps.mini) },
    });
    return { main, spare, user, spareId: linked.json()['id'] };
  }

  it('gives up the phone number with the last identity that it may have come by, and with no other', async () => {
    const { main, user, spareId } = await twoAccounts('号码', '备用');
    main.changeProfile({ phoneNumber: '13700000001' });
    await inWechat(world, main);
    const mini = await inApp(world, main, apps, 'mini');
    const body = { provider: 'wechat', code: main.phoneNumberCode(apps.mini) };
    await callMe(world, mini, '/phone_number', { method: 'POST', body });
    const number = async () => (await callMe(world, user, '')).json()['phone_number'];

    const numbers = [];
    for (const next of [() => idOf(user, 'mp'), () => spareId, () => idOf(user, 'mini')]) {
      await unlink(user, await next());
      numbers.push(await number());
    }

    expect(numbers).toEqual(['+8613700000001', '+8613700000001', null]);
    expect(
      await rowsOf(
        world.dataSource,
        `SELECT detail FROM iam.audit_log WHERE user_id = $1 AND action = 'user.phone_removed'`,
        [user.id],
      ),
    ).toEqual([{ detail: { appid: apps.mini.appid } }]);
  });

  it('sees neither openid nor unionid in the list, and whether the account is followed', async () => {
    const lan = person('小兰');
    const user = await onPc(world, lan);
    await inWechat(world, lan);

    const reply = await callMe(world, user, '/identities');

    expect(itemsOf(reply).map(({ kind, follows }) => ({ kind, follows }))).toEqual([
      { kind: 'open', follows: null },
      { kind: 'mp', follows: null },
    ]);
    expect(Object.keys(itemsOf(reply)[0] ?? {}).toSorted()).toEqual([
      'appid',
      'follows',
      'id',
      'kind',
      'linked_at',
      'provider',
    ]);
    for (const secret of [lan.openid(world.site), lan.openid(world.oa), lan.unionid(world.account)])
      expect(reply.text).not.toContain(secret);
  });

  it('has it removed with its unionid and the sessions that began by it, and nobody else signed out', async () => {
    const { user, spare, spareId } = await twoAccounts('甲', '甲二');
    const bySpare = await inApp(world, spare, apps, 'mini');

    const reply = await unlink(user, spareId);
    const after = await inApp(world, spare, apps, 'mini');

    expect([reply.status, reply.json()]).toEqual([200, { id: spareId, rejoins: false }]);
    expect((await refresh(world.url, bySpare.refreshToken)).json()['error']).toBe('invalid_grant');
    expect((await refresh(world.url, user.refreshToken)).status).toBe(200);
    expect((await getWith(`${world.url}/iam/me`, after.accessToken)).json()['id']).not.toBe(user.id);
    expect(
      await rowsOf(
        world.dataSource,
        `SELECT actor, detail FROM iam.audit_log WHERE action = 'identity.unlinked' AND user_id = $1`,
        [user.id],
      ),
    ).toEqual([
      {
        actor: `user:${user.id}`,
        detail: { appid: apps.mini.appid, openid: spare.openid(apps.mini), rejoins: false },
      },
    ]);
  });

  it('is told when signing in with it leads back, because the same WeChat person has another', async () => {
    const lan = person('乙');
    const user = await onPc(world, lan);
    await inWechat(world, lan);

    const reply = await unlink(user, await idOf(user, 'mp'));
    const back = await inWechat(world, lan);

    expect(reply.json()['rejoins']).toBe(true);
    expect(back.id).toBe(user.id);
  });

  it('is signed out when this session began by it', async () => {
    const lan = person('丙');
    await onPc(world, lan);
    const user = await inWechat(world, lan);

    const reply = await unlink(user, await idOf(user, 'mp'));

    expect(reply.status).toBe(200);
    expect((await refresh(world.url, user.refreshToken)).json()['error']).toBe('invalid_grant');
    expect((await callMe(world, user, '/sessions', { method: 'DELETE' })).json()['code']).toBe(
      'invalid_token',
    );
  });

  it('may have every other session ended with it', async () => {
    const { user, main, spareId } = await twoAccounts('丁', '丁二');
    const phone = await onPc(world, main);

    const reply = await unlink(user, spareId, '?end_other_sessions=true');

    expect(reply.status).toBe(200);
    expect((await refresh(world.url, phone.refreshToken)).json()['error']).toBe('invalid_grant');
    expect((await refresh(world.url, user.refreshToken)).status).toBe(200);
  });

  it('is refused the last one', async () => {
    const user = await onPc(world, person('戊'));
    const id = await idOf(user, 'open');

    const reply = await unlink(user, id);

    expect([reply.status, reply.json()['code']]).toEqual([409, 'last_identity']);
    expect(await idOf(user, 'open')).toBe(id);
    expect((await refresh(world.url, user.refreshToken)).status).toBe(200);
  });

  it('is refused one of the last two when both go at once, on two replicas', async () => {
    for (let round = 0; round < 8; round += 1) {
      const { user, spare, spareId } = await twoAccounts('己', '己二');
      const bySpare = await inApp(world, spare, apps, 'mini');
      const mainId = await idOf(user, 'open');

      // Each from a session that began by the other one, so that neither is signed out by the first.
      const replies = await Promise.all([unlink(user, spareId), unlink(bySpare, mainId, '', replica)]);

      expect(replies.filter(({ status }) => status === 200)).toHaveLength(1);
      const [refused] = replies.filter(({ status }) => status !== 200);
      // The first took the second's session with it, or the second found itself the last.
      expect(['last_identity', 'invalid_token']).toContain(refused?.json()['code']);
      expect(
        await valueOf(world.dataSource, 'SELECT count(*)::int FROM iam.identities WHERE user_id = $1', [
          user.id,
        ]),
      ).toBe(1);
    }
  });

  it('is refused one of the last two when both go at once from one session', async () => {
    for (let round = 0; round < 8; round += 1) {
      const lan = person('庚');
      const user = await onPc(world, lan);
      await inWechat(world, lan);
      const spare = person('庚二');
      await callMe(world, user, '/identities', {
        method: 'POST',
        body: { provider: 'wechat', app: 'mini', code: spare.wxLogin(apps.mini) },
      });
      await unlink(user, await idOf(user, 'open'));
      const byMp = await inWechat(world, lan);
      // A session by an identity that is gone would end; this one stays, whichever of the two goes.
      await world.dataSource.query(`UPDATE iam.sessions SET openid = 'o-gone' WHERE user_id = $1`, [byMp.id]);
      const [one, other] = [await idOf(byMp, 'mp'), await idOf(byMp, 'mini')];

      const replies = await Promise.all([unlink(byMp, one), unlink(byMp, other, '', replica)]);

      expect(replies.map((reply) => reply.json()['code'] ?? reply.status).toSorted()).toEqual([
        200,
        'last_identity',
      ]);
    }
  });

  it('cannot unlink anybody else’s', async () => {
    const victim = await twoAccounts('辛', '辛二');
    const attacker = await twoAccounts('壬', '壬二');

    const replies = await Promise.all(
      [victim.spareId, '0198c0de-0000-7000-8000-000000000002', 'x'].map((id) => unlink(attacker.user, id)),
    );

    expect(replies.map((reply) => [reply.status, reply.json()['code']])).toEqual([
      [404, 'not_found'],
      [404, 'not_found'],
      [404, 'not_found'],
    ]);
    expect(await idOf(victim.user, 'mini')).toBe(victim.spareId);
  });

  it('ends the sign-ins by it that were under way: their codes begin nothing', async () => {
    const lan = person('癸');
    const user = await onPc(world, lan);
    await inWechat(world, lan);
    const underWay = await returnInWechat(world, lan);
    const ofTheOther = await returnFromPc(world, lan);

    await unlink(user, await idOf(user, 'mp'));

    expect((await redeem(world.url, underWay)).json()['error']).toBe('invalid_grant');
    expect((await redeem(world.url, ofTheOther)).status).toBe(200);
  });

  it('ends also a sign-in that was proven just before and is written down just after', async () => {
    const lan = person('子');
    const user = await onPc(world, lan);
    await inWechat(world, lan);
    const underWay = await returnInWechat(world, lan);
    const id = await idOf(user, 'mp');

    await unlink(user, id);
    await world.dataSource.query(
      `UPDATE iam.logins SET status = 'authenticated', error = NULL, redeem_before = now() + interval '1 minute'
       WHERE user_id = $1 AND status = 'failed'`,
      [user.id],
    );

    expect((await redeem(world.url, underWay)).json()['error']).toBe('invalid_grant');
  });

  it('long after they signed in, is asked to sign in again', async () => {
    const { user, spareId } = await twoAccounts('丑', '丑二');
    await world.dataSource.query(
      `UPDATE iam.sessions SET created_at = now() - interval '1 day' WHERE user_id = $1`,
      [user.id],
    );
    const refreshed = (await refresh(world.url, user.refreshToken)).json();

    const reply = await unlink({ accessToken: String(refreshed['access_token']) }, spareId);

    expect([reply.status, reply.json()['code']]).toEqual([401, 'recent_sign_in_required']);
    expect(await idOf(user, 'mini')).toBe(spareId);
  });
});
