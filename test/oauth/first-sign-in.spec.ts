import { Injectable, Module } from '@nestjs/common';
import { type IamHooks, IamUsers, type SignIn, type SignUp, type SignUpDecision } from '../../src/index.js';
import { addApps, inApp, type Apps } from '../support/account.js';
import { redirectUri, startReplica, startWorld, type World } from '../support/iam-app.js';
import { PcBrowser } from '../support/pc-browser.js';
import { countQueries, isHousekeeping, type QueryCounter } from '../support/query-counter.js';
import { rowsOf, valueOf } from '../support/rows.js';
import {
  approveOnPc,
  getWith,
  redeem,
  returnFromPc,
  returnInsideWechat,
  toTokens,
} from '../support/sign-in.js';
import { inWechat, onPc, refresh, revoke } from '../support/signed-in.js';

describe('a person signs in', () => {
  let world: World;

  beforeAll(async () => {
    world = await startWorld();
  });
  afterAll(() => world.close());

  it('on a PC by QR code, and is shown to themself', async () => {
    const lan = world.wechat.person({ nickname: '小兰 🌸' });

    const signIn = await returnFromPc(world, lan);
    const tokens = toTokens(await redeem(world.url, signIn));
    const me = await getWith(`${world.url}/iam/me`, tokens.accessToken);

    expect(signIn.returned.status).toBe(303);
    expect(signIn.returned.location?.searchParams.get('state')).toBe('client-state');
    expect(signIn.returned.location?.searchParams.get('iss')).toBe(world.url);
    expect(me.status).toBe(200);
    expect(me.json()).toMatchObject({
      nickname: '小兰 🌸',
      roles: [],
      identities: [{ provider: 'wechat', kind: 'open' }],
    });
  });

  it('inside WeChat, and is the same user as on the PC', async () => {
    const ming = world.wechat.person({ nickname: '小明' });
    const onPc = toTokens(await redeem(world.url, await returnFromPc(world, ming)));

    const { location, verifier } = await returnInsideWechat(world.url, ming);
    const reply = await new PcBrowser().visit(`${world.url}/iam/token`, {
      form: {
        grant_type: 'authorization_code',
        client_id: 'web',
        code: location.searchParams.get('code') ?? '',
        redirect_uri: redirectUri(world.url),
        code_verifier: verifier,
      },
    });
    const pcUser = (await getWith(`${world.url}/iam/me`, onPc.accessToken)).json();
    const phoneUser = (await getWith(`${world.url}/iam/me`, toTokens(reply).accessToken)).json();

    expect(phoneUser['id']).toBe(pcUser['id']);
    expect(phoneUser['identities']).toHaveLength(2);
  });
});

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
        phoneNumber: null,
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

/** Each statement is one round trip to PostgreSQL, BEGIN and COMMIT included; limits are on, as by default. */
describe('round trips', () => {
  let world: World;
  let queries: QueryCounter;
  let apps: Apps;

  beforeAll(async () => {
    world = await startWorld();
    apps = await addApps(world);
    queries = countQueries(world.database.url);
    await signIn();
    await inApp(world, world.wechat.person({ nickname: '先' }), apps, 'mobile');
  });
  afterAll(async () => {
    queries.stop();
    await world.close();
  });

  async function counted<T>(
    work: () => Promise<T>,
  ): Promise<{ result: T; statements: number; calls: number }> {
    const [mark, before] = [queries.mark(), world.wechat.calls().length];
    const result = await work();
    const statements = queries.since(mark).filter((sql) => !isHousekeeping(sql)).length;
    return { result, statements, calls: world.wechat.calls().length - before };
  }
  async function signIn(person = world.wechat.person({ nickname: '数' })) {
    const approved = await approveOnPc(world, person);
    const callback = await counted(() => approved.browser.visit(approved.callback));
    const token = await counted(() => redeem(world.url, { ...approved, returned: callback.result }));
    return { callback, token, tokens: toTokens(token.result) };
  }
  const costs = ({ callback, token }: Awaited<ReturnType<typeof signIn>>) => ({
    callback: callback.statements,
    token: token.statements,
    calls: callback.calls,
  });

  it('of a first sign-in are 3, with 2 calls to WeChat, and of its code 1', async () => {
    expect(costs(await signIn())).toEqual({ callback: 3, token: 1, calls: 2 });
  });

  it('of the next one are 2, with 1 call to WeChat, and of its code 1', async () => {
    const person = world.wechat.person({ nickname: '回' });
    await signIn(person);

    expect(costs(await signIn(person))).toEqual({ callback: 2, token: 1, calls: 1 });
  });

  it('of one whose profile is read again are those of a first one', async () => {
    const person = world.wechat.person({ nickname: '旧' });
    await signIn(person);
    await world.dataSource.query('UPDATE iam.identities SET profile_read_at = NULL');

    expect(costs(await signIn(person))).toEqual({ callback: 3, token: 1, calls: 2 });
  });

  it.each(['mini', 'mobile'] as const)(
    'of a first sign-in in a %s app are 4, of the next one 3',
    async (kind) => {
      const person = world.wechat.person({ nickname: '用' });
      const first = await counted(() => inApp(world, person, apps, kind));
      const next = await counted(() => inApp(world, person, apps, kind));

      expect([first.statements, next.statements]).toEqual([4, 3]);
    },
  );

  it('of a return without a code is 1, and 2 for its points', async () => {
    const approved = await approveOnPc(world, world.wechat.person({ nickname: '不' }));
    const { callback } = approved;
    const declined = new URL(
      `${callback.pathname}?state=${callback.searchParams.get('state') ?? ''}`,
      callback,
    );

    const { result, statements } = await counted(() => approved.browser.visit(declined));

    expect(result.location?.searchParams.get('error')).toBe('access_denied');
    expect(statements).toBe(3);
  });

  it('of a code that is sent again are 2', async () => {
    const approved = await approveOnPc(world, world.wechat.person({ nickname: '重' }));
    const returned = await approved.browser.visit(approved.callback);
    const first = await redeem(world.url, { ...approved, returned });

    const again = await counted(() => redeem(world.url, { ...approved, returned }));

    expect([first.status, again.result.status, again.statements]).toEqual([200, 200, 2]);
  });

  it('of a refresh are at most 2, also when the answer was lost', async () => {
    const { tokens } = await signIn();

    const first = await counted(() => refresh(world.url, tokens.refreshToken));
    const repeated = await counted(() => refresh(world.url, tokens.refreshToken));

    expect([first.result.status, repeated.result.status]).toEqual([200, 200]);
    expect(first.statements).toBe(1);
    expect(repeated.statements).toBeLessThanOrEqual(2);
  });

  it('of a refused forgery are none', async () => {
    const { statements } = await counted(() => refresh(world.url, 'ffffffff.forged.0.tag'));

    expect(statements).toBe(0);
  });

  it('of a revocation is one', async () => {
    const { tokens } = await signIn();

    expect((await counted(() => revoke(world.url, tokens.refreshToken))).statements).toBe(1);
  });

  it('of a guarded request are none; /iam/me reads one row', async () => {
    const { tokens } = await signIn();

    expect((await counted(() => getWith(`${world.url}/iam/me`, tokens.accessToken))).statements).toBe(1);
  });

  it('of one that must be bound first are 3, and 2 of its code', async () => {
    await world.saveProvider({ sign_up: 'bind' });
    await returnFromPc(world, world.wechat.person({ nickname: '先' }));
    const approved = await approveOnPc(world, world.wechat.person({ nickname: '绑' }));

    const callback = await counted(() => approved.browser.visit(approved.callback));
    const token = await counted(() => redeem(world.url, { ...approved, returned: callback.result }));

    expect([callback.statements, token.statements]).toEqual([3, 2]);
    expect(token.result.json()['error']).toBe('binding_required');
  });
});
