import { addApps, callMe, handIn, inApp, itemsOf, type Apps } from '../support/account.js';
import { FakeClock } from '../support/fake-clock.js';
import { startReplica, startWorld, type IamApp, type World } from '../support/iam-app.js';
import { rowsOf, valueOf } from '../support/rows.js';
import { onPc, refresh, revoke, type SignedIn } from '../support/signed-in.js';
import { redeem, returnFromPc } from '../support/sign-in.js';
import type { Person } from '../../emulator/index.js';

describe('a signed-in user who links another identity', () => {
  const clock = new FakeClock();
  let world: World;
  let replica: IamApp;
  let apps: Apps;

  beforeAll(async () => {
    world = await startWorld({ clock, options: { recentSignIn: 60 } });
    replica = await startReplica(world, { clock });
    apps = await addApps(world);
    await world.saveProvider({
      slug: 'asks',
      name: 'Asks',
      sign_up: 'bind',
      union_scope: 'wechat',
      mini_app_id: apps.mini.appid,
      mini_app_secret: apps.mini.secret,
      open_app_id: world.site.appid,
      open_app_secret: world.site.secret,
    });
  });
  afterAll(async () => {
    await replica.close();
    await world.close();
  });

  const person = (nickname: string) => world.wechat.person({ nickname });
  const link = (user: SignedIn, body: object, site: Pick<IamApp, 'url'> = world) =>
    callMe(site, user, '/identities', { method: 'POST', body });
  const linkCode = (user: SignedIn, other: Person, site?: Pick<IamApp, 'url'>) =>
    link(user, { provider: 'wechat', app: 'mini', code: other.wxLogin(apps.mini) }, site);
  /** The token that a person gets who is nobody's yet, at the row that asks for an account. */
  const bindingToken = async (of: Person) => {
    const reply = await handIn(world, 'mini', of.wxLogin(apps.mini), 'asks');
    return String(reply.json()['binding_token']);
  };
  const ownerOf = (other: Person) =>
    valueOf(world.dataSource, 'SELECT user_id FROM iam.identities WHERE appid = $1 AND openid = $2', [
      apps.mini.appid,
      other.openid(apps.mini),
    ]);
  const audited = (userId: string, action: string) =>
    rowsOf(
      world.dataSource,
      `SELECT actor, provider, detail FROM iam.audit_log WHERE action = $1 AND user_id = $2 ORDER BY id`,
      [action, userId],
    );

  it('by the code of a mini program, signs in by it from then on', async () => {
    const user = await onPc(world, person('甲'));
    const second = person('甲的小号');

    const reply = await linkCode(user, second);
    const later = await inApp(world, second, apps, 'mini');

    expect(reply.status).toBe(201);
    expect(reply.json()).toEqual({
      id: expect.any(String) as string,
      provider: 'wechat',
      kind: 'mini',
      appid: apps.mini.appid,
      linked_at: expect.any(String) as string,
      follows: null,
    });
    expect((await callMe(world, later, '')).json()['id']).toBe(user.id);
    expect(await audited(user.id, 'identity.linked')).toEqual([
      {
        actor: `user:${user.id}`,
        provider: 'wechat',
        detail: {
          appid: apps.mini.appid,
          openid: second.openid(apps.mini),
          unionid: second.unionid(world.account),
        },
      },
    ]);
  });

  it('by the code of a mobile app, and by a binding token', async () => {
    const user = await onPc(world, person('乙'));
    const [second, third] = [person('乙二'), person('乙三')] as const;

    const byApp = await link(user, { provider: 'wechat', app: 'mobile', code: second.sendAuth(apps.mobile) });
    const byToken = await link(user, { binding_token: await bindingToken(third) });

    expect([byApp.status, byToken.status]).toEqual([201, 201]);
    expect(itemsOf(await callMe(world, user, '/identities')).map(({ kind }) => kind)).toEqual([
      'open',
      'mobile',
      'mini',
    ]);
  });

  it('leaves members of the body empty, as a form does, without being refused', async () => {
    const user = await onPc(world, person('乙'));
    const code = person('乙二').wxLogin(apps.mini);
    const empty = { binding_token: '', end_other_sessions: '' };

    const reply = await link(user, { provider: 'wechat', app: 'mini', code, ...empty });

    expect(reply.status).toBe(201);
  });

  it('that is linked already, is told so, and the audit log says it once', async () => {
    const user = await onPc(world, person('丙'));
    const second = person('丙二');

    const first = await linkCode(user, second);
    const again = await linkCode(user, second);

    expect([first.status, again.status]).toEqual([201, 200]);
    expect(again.json()).toEqual(first.json());
    expect(await audited(user.id, 'identity.linked')).toHaveLength(1);
  });

  it('of somebody else, is refused: never a silent merge', async () => {
    const [owner, user] = [await onPc(world, person('丁')), await onPc(world, person('戊'))] as const;
    const second = person('丁二');
    await linkCode(owner, second);

    const reply = await linkCode(user, second);

    expect([reply.status, reply.json()['code']]).toEqual([409, 'identity_conflict']);
    expect(await ownerOf(second)).toBe(owner.id);
    expect(await audited(user.id, 'identity.link_refused')).toEqual([
      {
        actor: `user:${user.id}`,
        provider: 'wechat',
        detail: { method: 'mini', appid: apps.mini.appid, error: 'identity_conflict' },
      },
    ]);
    expect((await refresh(world.url, owner.refreshToken)).status).toBe(200);
  });

  it('whose unionid is somebody else’s, is refused as well', async () => {
    const known = person('己');
    const owner = await onPc(world, known);
    const user = await onPc(world, person('庚'));

    const reply = await linkCode(user, known);

    expect(reply.json()['code']).toBe('identity_conflict');
    expect(await ownerOf(known)).toBeUndefined();
    expect((await callMe(world, owner, '')).json()['id']).toBe(owner.id);
  });

  // better-auth #10214: a second code path looked at the current user's links alone.
  it('at the same time as another user, by another way and on another replica, gets it or a 409', async () => {
    for (let round = 0; round < 8; round += 1) {
      const [one, other] = [await onPc(world, person('子')), await onPc(world, person('丑'))] as const;
      const wanted = person('寅');
      const token = await bindingToken(wanted);

      const replies = await Promise.all([
        linkCode(one, wanted, replica),
        link(other, { binding_token: token }),
      ]);

      expect(replies.map(({ status }) => status).toSorted()).toEqual([201, 409]);
      const winner = replies[0].status === 201 ? one : other;
      expect(await ownerOf(wanted)).toBe(winner.id);
    }
  });

  it('with a code that was handed in before, to link or to sign in, gets nothing', async () => {
    const user = await onPc(world, person('辛'));
    const second = person('辛二');
    const code = second.wxLogin(apps.mini);
    await handIn(world, 'mini', code, 'asks');
    world.wechat.clearCalls();

    const reply = await link(user, { provider: 'wechat', app: 'mini', code });

    expect(reply.json()['code']).toBe('code_already_used');
    expect(world.wechat.calls('/sns/jscode2session')).toHaveLength(0);
    expect(await ownerOf(second)).toBeUndefined();
  });

  it('with a binding token that was used, gets nothing, and the audit log says so', async () => {
    const [one, other] = [await onPc(world, person('壬')), await onPc(world, person('癸'))] as const;
    const wanted = person('卯');
    const token = await bindingToken(wanted);
    await link(one, { binding_token: token });

    const reply = await link(other, { binding_token: token });

    expect(reply.json()['code']).toBe('binding_token_invalid');
    expect(await ownerOf(wanted)).toBe(one.id);
    expect(await audited(other.id, 'identity.link_refused')).toMatchObject([
      { detail: { method: 'binding_token', error: 'binding_token_invalid' } },
    ]);
  });

  it('keeps the other sessions, or ends them where asked to', async () => {
    const lan = person('辰');
    const phone = await onPc(world, lan);
    const user = await onPc(world, lan);

    await linkCode(user, person('辰二'));
    const kept = await refresh(world.url, phone.refreshToken);
    await link(user, {
      provider: 'wechat',
      app: 'mini',
      code: person('辰三').wxLogin(apps.mini),
      end_other_sessions: true,
    });
    const ended = await refresh(world.url, String(kept.json()['refresh_token']));

    expect(kept.status).toBe(200);
    expect(ended.json()['error']).toBe('invalid_grant');
    expect((await refresh(world.url, user.refreshToken)).status).toBe(200);
  });

  it('with a token whose session is over, is refused before anything is linked', async () => {
    const user = await onPc(world, person('巳'));
    const second = person('巳二');
    await revoke(world.url, user.refreshToken);

    const byCode = await linkCode(user, second);
    const byToken = await link(user, { binding_token: await bindingToken(person('巳三')) });

    expect([byCode, byToken].map((reply) => reply.json()['code'])).toEqual([
      'invalid_token',
      'invalid_token',
    ]);
    expect(await ownerOf(second)).toBeUndefined();
  });

  it('long after they signed in, is asked to sign in again', async () => {
    const user = await onPc(world, person('午'));
    clock.advance(200);

    const reply = await linkCode(user, person('午二'));
    clock.advance(-200);

    expect([reply.status, reply.json()]).toMatchObject([
      401,
      { code: 'recent_sign_in_required', max_age: 60 },
    ]);
    expect(reply.headers.get('www-authenticate')).toContain('insufficient_user_authentication');
  });

  it.each([
    ['both proofs', { binding_token: 'x', provider: 'wechat', app: 'mini', code: 'x' }],
    ['no proof', {}],
    ['an app that gives no codes', { provider: 'wechat', app: 'open', code: 'x' }],
    ['an owner of their own choice', { binding_token: 'x', user_id: 'y' }],
    ['lists', { provider: ['wechat'], app: 'mini', code: 'x' }],
  ])('is refused with %s', async (_case, body) => {
    const user = await onPc(world, person('未'));

    expect((await link(user, body)).json()['code']).toBe('invalid_request');
  });

  it('stays who they are where the sign-in that was proven is redeemed as well', async () => {
    const user = await onPc(world, person('申'));
    const second = person('申二');
    const underWay = await returnFromPc(world, second, { provider: 'asks' });
    const token = String((await redeem(world.url, underWay)).json()['binding_token']);

    const reply = await callMe(world, user, '/identities', {
      method: 'POST',
      body: { binding_token: token },
      browser: underWay.browser,
    });
    const late = await redeem(world.url, underWay);

    expect(reply.status).toBe(201);
    expect(late.json()['error']).toBe('invalid_grant');
  });
});
