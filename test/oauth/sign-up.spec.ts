import { Injectable, Module } from '@nestjs/common';
import { IamUsers, type IamHooks, type SignIn, type SignUp, type SignUpDecision } from '../../src/index.js';
import { startReplica, startWorld, type World } from '../support/iam-app.js';
import { rowsOf, valueOf } from '../support/rows.js';
import { approveOnPc, redeem, returnFromPc } from '../support/sign-in.js';
import { inWechat, onPc } from '../support/signed-in.js';

/** A host that has its say when somebody is new. */
class SignUpHooks implements IamHooks {
  readonly asked: SignUp[] = [];
  readonly told: SignIn[] = [];
  decide: (signUp: SignUp) => Promise<SignUpDecision | undefined> = async () => undefined;
  listen: () => void = () => undefined;

  async beforeSignUp(signUp: SignUp): Promise<SignUpDecision | undefined> {
    this.asked.push(signUp);
    return this.decide(signUp);
  }

  afterSignIn(signIn: SignIn): void {
    this.told.push(signIn);
    this.listen();
  }
}

/** Hooks that no module of the host provides. */
@Injectable()
class UnprovidedHooks implements IamHooks {
  static readonly made: UnprovidedHooks[] = [];

  constructor(readonly users: IamUsers) {
    UnprovidedHooks.made.push(this);
  }

  async beforeSignUp(): Promise<SignUpDecision> {
    const known = await this.users.findByExternalId('nobody');
    return { nickname: known === null ? '由钩子命名' : '' };
  }
}

@Module({ providers: [SignUpHooks], exports: [SignUpHooks] })
class HooksModule {}

describe('somebody new', () => {
  let world: World;
  let hooks: SignUpHooks;
  const countUsers = () => valueOf(world.dataSource, 'SELECT count(*)::int FROM iam.users');

  beforeAll(async () => {
    world = await startWorld({ imports: [HooksModule], options: { hooks: SignUpHooks } });
    hooks = world.app.get(SignUpHooks);
  });
  afterAll(() => world.close());
  beforeEach(async () => {
    hooks.asked.length = 0;
    hooks.told.length = 0;
    hooks.decide = async () => undefined;
    hooks.listen = () => undefined;
    await world.saveProvider({ sign_up: 'auto' });
  });

  it('is refused where sign-up is off, and known people are not', async () => {
    const known = world.wechat.person({ nickname: '熟' });
    const { id } = await onPc(world, known);
    await world.saveProvider({ sign_up: 'off' });
    const before = await countUsers();

    const stranger = await returnFromPc(world, world.wechat.person({ nickname: '生' }));
    const again = await onPc(world, known);
    const throughTheOtherApp = await inWechat(world, known);

    expect(stranger.returned.location?.searchParams.get('error')).toBe('access_denied');
    expect([again.id, throughTheOtherApp.id]).toEqual([id, id]);
    expect(await countUsers()).toBe(before);
    expect(
      await valueOf(world.dataSource, `SELECT error FROM iam.logins ORDER BY id DESC OFFSET 2 LIMIT 1`),
    ).toBe('sign_up_refused');
  });

  it('is shown to the host once, and the host is told of every sign-in', async () => {
    const lan = world.wechat.person({ nickname: '小兰', avatar: 'https://thirdwx.qlogo.cn/mmopen/lan/132' });

    const first = await onPc(world, lan);
    await onPc(world, lan);

    expect(hooks.asked).toEqual([
      {
        provider: 'wechat',
        appid: world.site.appid,
        openid: lan.openid(world.site),
        unionid: lan.unionid(world.account),
        nickname: '小兰',
        avatarUrl: lan.avatar,
      },
    ]);
    expect(hooks.told).toMatchObject([
      { userId: first.id, clientId: 'web', provider: 'wechat', isNewUser: true },
      { userId: first.id, clientId: 'web', provider: 'wechat', isNewUser: false },
    ]);
  });

  it('starts as the host says', async () => {
    hooks.decide = async () => ({ externalId: 'customer-7', nickname: '客户七' });

    const { me, id } = await onPc(world, world.wechat.person({ nickname: '小七' }));

    expect(me).toMatchObject({ external_id: 'customer-7', nickname: '客户七' });
    expect((await world.app.get(IamUsers).findByExternalId('customer-7'))?.id).toBe(id);
  });

  it('meets hooks that the host only names, and Nest makes', async () => {
    const replica = await startReplica(world, { options: { hooks: UnprovidedHooks } });
    const { browser, callback } = await approveOnPc(world, world.wechat.person({ nickname: '小' }));

    await browser.visit(`${replica.url}${callback.pathname}${callback.search}`);
    await replica.close();

    expect(UnprovidedHooks.made).toHaveLength(1);
    expect(
      await valueOf(world.dataSource, `SELECT count(*)::int FROM iam.users WHERE nickname = '由钩子命名'`),
    ).toBe(1);
  });

  it('is refused by the host', async () => {
    hooks.decide = async () => ({ refuse: true });
    const before = await countUsers();

    const { returned } = await returnFromPc(world, world.wechat.person({ nickname: '不' }));

    expect(returned.location?.searchParams.get('error')).toBe('access_denied');
    expect(await countUsers()).toBe(before);
  });

  it('is not let in by a hook that fails, which the host can see in its log only', async () => {
    hooks.decide = async () => Promise.reject(new Error('the CRM at 10.0.0.9 is down'));
    const before = await countUsers();

    const { returned } = await returnFromPc(world, world.wechat.person({ nickname: '坏' }));

    expect(returned.location?.searchParams.get('error')).toBe('server_error');
    expect(returned.location?.href).not.toContain('CRM');
    expect(await countUsers()).toBe(before);
  });

  it('is not given an external id that belongs to somebody else', async () => {
    const owner = await world.app.get(IamUsers).create({ externalId: 'taken' });
    hooks.decide = async () => ({ externalId: 'taken' });

    const { returned } = await returnFromPc(world, world.wechat.person({ nickname: '贼' }));

    expect(returned.location?.searchParams.get('error')).toBe('identity_conflict');
    expect((await world.app.get(IamUsers).findByExternalId('taken'))?.id).toBe(owner.id);
    expect(
      await rowsOf(world.dataSource, 'SELECT 1 FROM iam.identities WHERE user_id = $1', [owner.id]),
    ).toEqual([]);
  });

  it('may come in twice at once, with one external id', async () => {
    const twice = world.wechat.person({ nickname: '两次' });
    const waiting = [await approveOnPc(world, twice), await approveOnPc(world, twice)];
    let together: () => void;
    const both = new Promise<void>((resolve) => (together = resolve));
    hooks.decide = async () => {
      if (hooks.asked.length === 2) together();
      await both;
      return { externalId: 'customer-8' };
    };

    const returned = await Promise.all(waiting.map(({ browser, callback }) => browser.visit(callback)));

    expect(hooks.asked).toHaveLength(2);
    expect(returned.map(({ location }) => location?.searchParams.get('error'))).toEqual([null, null]);
    expect(
      await valueOf(world.dataSource, `SELECT count(*)::int FROM iam.users WHERE external_id = 'customer-8'`),
    ).toBe(1);
  });

  it('is signed in even when the host’s listener fails', async () => {
    hooks.listen = () => {
      throw new Error('the mailer is down');
    };

    const reply = await redeem(world.url, await returnFromPc(world, world.wechat.person({ nickname: '聋' })));

    expect(reply.status).toBe(200);
    expect(hooks.told).toHaveLength(1);
  });
});
