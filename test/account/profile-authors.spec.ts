import { Injectable, Module } from '@nestjs/common';
import type { Person } from '../../emulator/index.js';
import { IamUsers, type IamHooks, type SignUp, type SignUpDecision } from '../../src/index.js';
import { callMe } from '../support/account.js';
import { AdminClient, adminOptions } from '../support/admin.js';
import { startWorld, type World } from '../support/iam-app.js';
import { platforms } from '../support/platforms.js';
import { rowsOf } from '../support/rows.js';
import { onPc, revoke } from '../support/signed-in.js';

@Injectable()
class NamingHooks implements IamHooks {
  beforeSignUp({ nickname }: SignUp): SignUpDecision {
    return nickname === '要改名' ? { nickname: '客户七' } : {};
  }
}

@Module({ providers: [NamingHooks], exports: [NamingHooks] })
class HooksModule {}

describe.each(platforms)('who set a nickname, on %s', (_platform, create) => {
  let world: World;
  let admin: AdminClient;

  beforeAll(async () => {
    world = await startWorld({
      create,
      imports: [HooksModule],
      options: { ...adminOptions, hooks: NamingHooks },
    });
    admin = new AdminClient(world.url);
  });
  afterAll(() => world.close());

  const someone = (nickname: string) => world.wechat.person({ nickname });
  /** Signs in once more, after what is stored of the profile has become old. */
  const signInAnew = async (person: Person) => {
    await world.dataSource.query(`UPDATE iam.identities SET profile_read_at = now() - interval '2 days'`);
    return onPc(world, person);
  };
  const authorsOf = (id: string) =>
    rowsOf(world.dataSource, 'SELECT nickname, nickname_by, avatar_by FROM iam.users WHERE id = $1', [id]);

  it('is remembered for WeChat, which may replace its own', async () => {
    const lan = someone('小兰');
    const { id } = await onPc(world, lan);
    lan.changeProfile({ nickname: '兰兰' });

    const { me } = await signInAnew(lan);

    expect(me['nickname']).toBe('兰兰');
    expect(await authorsOf(id)).toEqual([{ nickname: '兰兰', nickname_by: 'wechat', avatar_by: 'wechat' }]);
  });

  it('keeps the nickname that the person has set, at every later sign-in', async () => {
    const ming = someone('小明');
    const signedIn = await onPc(world, ming);

    const changed = await callMe(world, signedIn, '', { method: 'PATCH', body: { nickname: ' 明明 ' } });
    ming.changeProfile({ nickname: '另一个', avatar: 'https://thirdwx.qlogo.cn/new/132' });
    const { me } = await signInAnew(ming);

    expect([changed.status, changed.json()['nickname']]).toEqual([200, '明明']);
    expect(me).toMatchObject({ nickname: '明明', avatar_url: 'https://thirdwx.qlogo.cn/new/132' });
    expect(await authorsOf(signedIn.id)).toEqual([
      { nickname: '明明', nickname_by: 'user', avatar_by: 'wechat' },
    ]);
    expect(
      await rowsOf(
        world.dataSource,
        `SELECT actor, detail FROM iam.audit_log WHERE user_id = $1 AND action = 'user.updated'`,
        [signedIn.id],
      ),
    ).toEqual([{ actor: `user:${signedIn.id}`, detail: { changed: ['nickname'] } }]);
  });

  it('keeps the nickname that an administrator, a hook or IamUsers.create has given', async () => {
    const [byAdmin, byHook] = [someone('阿一'), someone('要改名')];
    const { id } = await onPc(world, byAdmin);
    await onPc(world, byHook);
    await admin.patch(`users/${id}`, { nickname: '一号' });
    const created = await world.app.get(IamUsers).create({ nickname: '宿主起名' });

    const [first, second] = [await signInAnew(byAdmin), await signInAnew(byHook)];

    expect([first.me['nickname'], second.me['nickname']]).toEqual(['一号', '客户七']);
    expect(await authorsOf(created.id)).toMatchObject([{ nickname: '宿主起名', nickname_by: 'host' }]);
    expect(await authorsOf(id)).toMatchObject([{ nickname_by: 'host' }]);
  });

  it('lets WeChat fill a nickname that was emptied', async () => {
    const hua = someone('小花');
    const signedIn = await onPc(world, hua);
    await callMe(world, signedIn, '', { method: 'PATCH', body: { nickname: '花花' } });

    const emptied = await callMe(world, signedIn, '', { method: 'PATCH', body: { nickname: null } });
    const { me } = await signInAnew(hua);

    expect([emptied.json()['nickname'], me['nickname']]).toEqual([null, '小花']);
  });

  it.each([
    ['nothing', {}],
    ['another field', { nickname: '好', external_id: 'customer-1' }],
    ['a picture', { avatar_url: 'https://app.example.com/a.png' }],
    ['a number', { nickname: 7 }],
    ['an empty text', { nickname: '' }],
    ['only what is invisible', { nickname: '\u200b\u2028' }],
    ['a NUL', { nickname: 'a\u0000b' }],
    ['half a character', { nickname: '\ud800' }],
    ['a text without end', { nickname: 'n'.repeat(513) }],
  ])('takes no %s from the person', async (_case, body) => {
    const signedIn = await onPc(world, someone('小石'));

    const reply = await callMe(world, signedIn, '', { method: 'PATCH', body });

    expect([reply.status, reply.json()['code']]).toEqual([400, 'invalid_request']);
    expect(await authorsOf(signedIn.id)).toMatchObject([{ nickname: '小石', nickname_by: 'wechat' }]);
  });

  it('is not changed by a session that is over', async () => {
    const signedIn = await onPc(world, someone('已退出'));
    await revoke(world.url, signedIn.refreshToken);

    const reply = await callMe(world, signedIn, '', { method: 'PATCH', body: { nickname: '再见' } });

    expect([reply.status, reply.json()['code']]).toEqual([401, 'invalid_token']);
  });
});

describe('the option profile', () => {
  it("'wechat_wins' lets WeChat replace what the host or the person has set", async () => {
    const world = await startWorld({ options: { profile: 'wechat_wins' } });
    const lan = world.wechat.person({ nickname: '小兰' });
    const signedIn = await onPc(world, lan);
    await callMe(world, signedIn, '', { method: 'PATCH', body: { nickname: '我的名字' } });
    await world.dataSource.query('UPDATE iam.identities SET profile_read_at = NULL');

    const { me } = await onPc(world, lan);
    await world.close();

    expect(me['nickname']).toBe('小兰');
  });

  it('is refused at the start when it is something else', async () => {
    await expect(startWorld({ options: JSON.parse('{"profile":"both"}') as object })).rejects.toThrow(
      /`profile`.*host_wins/,
    );
  });
});
