import type { Fault } from '../../emulator/index.js';
import { startWorld, type World } from '../support/iam-app.js';
import { LogCapture } from '../support/log-capture.js';
import { rowsOf, valueOf } from '../support/rows.js';
import {
  authorizeUrl,
  getWith,
  pkce,
  redeem,
  returnFromPc,
  returnInsideWechat,
  toTokens,
} from '../support/sign-in.js';

const exchangePath = '/sns/oauth2/access_token';
const userinfoPath = '/sns/userinfo';

describe('what WeChat says of a person', () => {
  let world: World;
  const logger = new LogCapture();

  beforeAll(async () => {
    world = await startWorld({ logger });
  });
  afterAll(() => world.close());
  beforeEach(() => {
    world.wechat.clearFaults();
    world.wechat.rules.snapshot = false;
    logger.clear();
  });

  const someone = (nickname = '小兰') => world.wechat.person({ nickname });
  const people = () =>
    rowsOf(
      world.dataSource,
      `SELECT (SELECT count(*)::int FROM iam.users) AS users, (SELECT count(*)::int FROM iam.identities) AS identities,
              (SELECT count(*)::int FROM iam.unions) AS unions, (SELECT count(*)::int FROM iam.sessions) AS sessions`,
    );
  const lastError = () =>
    valueOf(world.dataSource, 'SELECT error FROM iam.logins ORDER BY created_at DESC LIMIT 1');

  const signInWith = async (path: string, fault: Fault) => {
    world.wechat.once(path, fault);
    const { returned } = await returnFromPc(world, someone());
    return returned.location?.searchParams.get('error') ?? null;
  };
  const meWith = async (fault: Fault) => {
    world.wechat.once(userinfoPath, fault);
    const signIn = await returnFromPc(world, someone());
    const { accessToken } = toTokens(await redeem(world.url, signIn));
    return (await getWith(`${world.url}/iam/me`, accessToken)).json();
  };

  describe('in preview mode', () => {
    it.each<[string, unknown]>([
      ['the number 1', 1],
      ['the text "1"', '1'],
      ['true', true],
      ['something new', { virtual: 'yes' }],
    ])('marked by %s, makes no user, no identity and no session', async (_case, flag) => {
      const before = await people();

      const error = await signInWith(exchangePath, { patch: { is_snapshotuser: flag } });

      expect(error).toBe('snapshot_user');
      expect(await lastError()).toBe('snapshot_user');
      expect(await people()).toEqual(before);
    });

    it.each<[string, unknown]>([
      ['the number 0', 0],
      ['the text "0"', '0'],
      ['false', false],
      ['null', null],
    ])('is denied by %s', async (_case, flag) => {
      expect(await signInWith(exchangePath, { patch: { is_snapshotuser: flag } })).toBeNull();
    });

    it('sends the person back with snapshot_user, and signs them in once they use the full service', async () => {
      world.wechat.rules.snapshot = true;
      const lan = someone();
      const before = await people();

      const preview = await returnInsideWechat(world.url, lan);
      const between = await people();
      const { challenge } = pkce();
      await lan.openInWechat(authorizeUrl(world.url, challenge), { fullService: true });
      const page = await lan.confirm();

      expect(preview.location.searchParams.get('error')).toBe('snapshot_user');
      expect(between).toEqual(before);
      expect(new URL(page.url).searchParams.get('code')).toEqual(expect.any(String));
    });
  });

  const hostileIds: [string, unknown][] = [
    ['null', null],
    ['empty', ''],
    ['a number', 12345],
    ['a boolean', true],
    ['an array', ['a']],
    ['an object', { $ne: null }],
    ['with a NUL inside', 'a\u0000b'],
    ['with a line break', 'a\nb'],
    ['with a space', 'a b'],
    ['with a character beyond ASCII', 'oпenid'],
    ['10 kB long', 'o'.repeat(10_240)],
  ];

  it.each(hostileIds)('is refused when the openid is %s', async (_case, openid) => {
    const before = await people();

    const error = await signInWith(exchangePath, { patch: { openid } });

    expect(error).toBe('server_error');
    expect(await lastError()).toBe('wechat_answer_invalid');
    expect(await people()).toEqual(before);
  });

  it('is a person without unionid when it is empty, who is joined with nobody by it', async () => {
    const [before] = await people();
    for (const path of [exchangePath, userinfoPath]) world.wechat.always(path, { patch: { unionid: '' } });

    const returned = [await returnFromPc(world, someone('一')), await returnFromPc(world, someone('二'))];

    for (const signIn of returned) expect((await redeem(world.url, signIn)).status).toBe(200);
    expect(await people()).toEqual([
      {
        ...before,
        users: Number(before?.['users']) + 2,
        identities: Number(before?.['identities']) + 2,
        sessions: Number(before?.['sessions']) + 2,
      },
    ]);
  });

  const hostileUnionids = hostileIds.filter(([, id]) => id !== '');
  it.each(hostileUnionids)('is refused when the unionid is %s, in either answer', async (_case, unionid) => {
    const before = await people();

    for (const path of [exchangePath, userinfoPath]) {
      expect(await signInWith(path, { patch: { unionid } })).toBe('server_error');
      expect(await lastError()).toBe('wechat_answer_invalid');
    }
    expect(await people()).toEqual(before);
  });

  it.each([
    [exchangePath, 'openid'],
    [exchangePath, 'access_token'],
    [exchangePath, 'refresh_token'],
    [exchangePath, 'expires_in'],
    [userinfoPath, 'openid'],
  ])('is refused when %s lacks %s', async (path, field) => {
    expect(await signInWith(path, { remove: [field] })).toBe('server_error');
    expect(await lastError()).toBe('wechat_answer_invalid');
  });

  it('may lack the unionid, and joins by it once it is there', async () => {
    const lan = someone();
    const both = { remove: ['unionid'] };
    world.wechat.once(exchangePath, both);
    world.wechat.once(userinfoPath, both);
    const alone = toTokens(await redeem(world.url, await returnFromPc(world, lan)));

    const inside = await returnInsideWechat(world.url, lan);
    await world.dataSource.query('UPDATE iam.identities SET profile_read_at = NULL');
    const again = toTokens(await redeem(world.url, await returnFromPc(world, lan)));
    const first = (await getWith(`${world.url}/iam/me`, alone.accessToken)).json();
    const now = (await getWith(`${world.url}/iam/me`, again.accessToken)).json();

    expect(inside.location.searchParams.get('code')).toEqual(expect.any(String));
    expect(now['identities']).toHaveLength(2);
    expect(first['id']).toBe(now['id']);
  });

  describe('as nickname', () => {
    it.each<[string, unknown, string | null]>([
      ['emoji of several parts', '👩‍👩‍👧‍👦 小兰 🌸🇨🇳', '👩‍👩‍👧‍👦 小兰 🌸🇨🇳'],
      ['markup', '<img src=x onerror=alert(1)>"\'&', '<img src=x onerror=alert(1)>"\'&'],
      ['a formula', '=cmd|"/c calc"!A1', '=cmd|"/c calc"!A1'],
      ['SQL', "'; DROP TABLE iam.users; --", "'; DROP TABLE iam.users; --"],
      ['NUL', 'a\u0000b', 'ab'],
      ['line breaks and escape sequences', 'a\r\n[fake] log\u001b[31m', 'a[fake] log[31m'],
      ['marks that reorder text', 'abc\u202egpj.exe\u2066', 'abcgpj.exe'],
      ['half a surrogate pair', 'a\ud83cb', 'ab'],
      ['only spaces', '  \u2003 ', null],
      ['nothing', '', null],
      ['a number', 42, null],
      ['an object', { toString: 'x' }, null],
    ])('%s is kept as far as it can be shown', async (_case, nickname, shown) => {
      const me = await meWith({ patch: { nickname } });

      expect(me['nickname']).toBe(shown);
      expect(logger.lines.filter(({ text }) => text.includes('[fake]'))).toEqual([]);
    });

    it('control characters sent raw inside the JSON are read through', async () => {
      const me = await meWith({ patch: { nickname: 'a\u0008\u0002b' }, rawControls: true });

      expect(me['nickname']).toBe('ab');
    });

    it('a megabyte is cut to 64 characters', async () => {
      const me = await meWith({ patch: { nickname: '微'.repeat(350_000) } });

      expect(me['nickname']).toBe('微'.repeat(64));
    });

    it('is never a way to somebody else with the same name', async () => {
      await returnFromPc(world, someone('同名'));
      await returnFromPc(world, someone('同名'));

      expect(
        await valueOf(world.dataSource, 'SELECT count(*)::int FROM iam.users WHERE nickname = $1', ['同名']),
      ).toBe(2);
    });
  });

  it.each<[string, unknown, string | null]>([
    ['an https address', 'https://thirdwx.qlogo.cn/mmopen/x/132', 'https://thirdwx.qlogo.cn/mmopen/x/132'],
    ['WeChat’s old http address', 'http://wx.qlogo.cn/mmopen/x/0', 'https://wx.qlogo.cn/mmopen/x/0'],
    ['a script', 'javascript:alert(1)', null],
    ['a file', 'file:///etc/passwd', null],
    ['a data URL', 'data:image/svg+xml,<svg onload=alert(1)>', null],
    ['an address of the inner network', 'http://10.0.0.1/avatar', null],
    ['an address with credentials', 'https://user:pass@qlogo.cn/x', null],
    ['10 kB', `https://qlogo.cn/${'x'.repeat(10_240)}`, null],
    ['nothing', '', null],
    ['an array', ['https://qlogo.cn/x'], null],
  ])('as avatar, %s is kept as text and fetched by nobody', async (_case, headimgurl, kept) => {
    const me = await meWith({ patch: { headimgurl } });

    expect(me['avatar_url']).toBe(kept);
  });
});
