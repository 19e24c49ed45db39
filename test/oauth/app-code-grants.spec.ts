import type { MiniProgram, MobileApp, Person } from '../../emulator/index.js';
import { startWorld, type World } from '../support/iam-app.js';
import { PcBrowser } from '../support/pc-browser.js';
import { rowsOf } from '../support/rows.js';
import { getWith, signInOnPc, toTokens } from '../support/sign-in.js';

const grants = { mini: 'urn:wechat:grant:mini_program', mobile: 'urn:wechat:grant:mobile_app' } as const;

describe('the codes of mini programs and mobile apps', () => {
  let world: World;
  let mini: MiniProgram;
  let mobile: MobileApp;

  beforeAll(async () => {
    world = await startWorld();
    mini = world.account.miniProgram();
    mobile = world.account.mobileApp();
    await world.saveProvider({
      mini_app_id: mini.appid,
      mini_app_secret: mini.secret,
      mobile_app_id: mobile.appid,
      mobile_app_secret: mobile.secret,
    });
  });
  afterAll(() => world.close());

  const codeOf = (person: Person, kind: keyof typeof grants) =>
    kind === 'mini' ? person.wxLogin(mini) : person.sendAuth(mobile);

  const handIn = (kind: keyof typeof grants, code: string, changes: Readonly<Record<string, string>> = {}) =>
    new PcBrowser().visit(`${world.url}/iam/token`, {
      form: { grant_type: grants[kind], client_id: 'web', provider: 'wechat', code, ...changes },
      headers: { accept: 'application/json' },
    });

  it('are the same user as the QR code on a PC', async () => {
    const lan = world.wechat.person({ nickname: '小兰' });
    const onPc = await signInOnPc(world, lan);

    const inMini = toTokens(await handIn('mini', codeOf(lan, 'mini')));
    const inApp = toTokens(await handIn('mobile', codeOf(lan, 'mobile')));
    const users = await Promise.all(
      [onPc, inMini, inApp].map(async ({ accessToken }) =>
        (await getWith(`${world.url}/iam/me`, accessToken)).json(),
      ),
    );

    expect(new Set(users.map(({ id }) => id)).size).toBe(1);
    expect(users[2]).toMatchObject({
      nickname: '小兰',
      identities: [{ kind: 'open' }, { kind: 'mini' }, { kind: 'mobile' }],
    });
  });

  it('sign in somebody who is known in the mobile app without a profile while WeChat is busy', async () => {
    const mei = world.wechat.person({ nickname: '小梅' });
    await handIn('mobile', codeOf(mei, 'mobile'));
    const stranger = world.wechat.person({ nickname: '新来的' });
    await world.dataSource.query("UPDATE iam.identities SET profile_read_at = now() - interval '1 day'");
    world.wechat.always('/sns/userinfo', { status: 502 });

    const known = await handIn('mobile', codeOf(mei, 'mobile'));
    const unknown = await handIn('mobile', codeOf(stranger, 'mobile'));
    world.wechat.clearFaults();

    expect(toTokens(known).accessToken).toEqual(expect.any(String));
    expect(unknown.json()['error']).toBe('temporarily_unavailable');
  });

  it.each(['mini', 'mobile'] as const)('%s: a refusal is no code and goes nowhere', async (kind) => {
    world.wechat.clearCalls();

    const replies = [await handIn(kind, 'authdeny'), await handIn(kind, 'AUTHDENY')];

    expect(replies.map((reply) => reply.json()['error'])).toEqual(['access_denied', 'access_denied']);
    expect(world.wechat.calls()).toEqual([]);
  });

  it.each(['mini', 'mobile'] as const)(
    '%s: a code is exchanged once, however often it is handed in',
    async (kind) => {
      const ming = world.wechat.person({ nickname: '小明' });
      const code = codeOf(ming, kind);
      const path = kind === 'mini' ? '/sns/jscode2session' : '/sns/oauth2/access_token';
      world.wechat.clearCalls();

      const replies = await Promise.all(Array.from({ length: 10 }, () => handIn(kind, code)));

      expect(replies.filter(({ status }) => status === 200)).toHaveLength(1);
      expect(
        new Set(replies.filter(({ status }) => status !== 200).map((reply) => reply.json()['error'])),
      ).toEqual(new Set(['invalid_grant']));
      expect(world.wechat.calls(path)).toHaveLength(1);
    },
  );

  it.each(['mini', 'mobile'] as const)(
    '%s: an invented code is refused and leaves a failed login',
    async (kind) => {
      const reply = await handIn(kind, `invented-${kind}`);
      const logins = await rowsOf(
        world.dataSource,
        `SELECT status, error FROM iam.logins WHERE method = $1 ORDER BY id DESC LIMIT 1`,
        [kind],
      );

      expect([reply.status, reply.json()['error']]).toEqual([400, 'invalid_grant']);
      expect(logins).toEqual([{ status: 'failed', error: 'wechat_code_invalid' }]);
    },
  );

  it.each([
    ['mini', 'wechat_mini_not_configured'],
    ['mobile', 'wechat_mobile_not_configured'],
  ] as const)('%s: a row without that app says so', async (kind, code) => {
    await world.saveProvider({ slug: 'bare', name: 'Bare' });

    const reply = await handIn(kind, 'code', { provider: 'bare' });

    expect(reply.json()).toMatchObject({ error: 'invalid_request', code });
  });

  it('keeps the session key to itself', async () => {
    const hua = world.wechat.person({ nickname: '小华' });

    const reply = await handIn('mini', codeOf(hua, 'mini'));

    expect(Object.keys(reply.json()).sort()).toEqual([
      'access_token',
      'expires_in',
      'refresh_token',
      'token_type',
    ]);
  });

  it('follow the row’s sign_up like every other way', async () => {
    await world.saveProvider({ sign_up: 'off' });
    const li = world.wechat.person({ nickname: '小李' });

    const refused = await handIn('mini', codeOf(li, 'mini'));
    await world.saveProvider({ sign_up: 'bind' });
    const toBind = await handIn('mini', codeOf(li, 'mini'));
    await world.saveProvider({ sign_up: 'auto' });

    expect(refused.json()['error']).toBe('access_denied');
    expect(toBind.json()).toMatchObject({
      error: 'binding_required',
      binding_token: expect.any(String) as string,
    });
  });
});
