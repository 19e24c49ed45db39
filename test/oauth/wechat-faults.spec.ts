import type { Fault, Person } from '../../emulator/index.js';
import { type IamApp, startReplica, startWorld, type World } from '../support/iam-app.js';
import { freePort } from '../../example/postgres/free-port.js';
import { LogCapture } from '../support/log-capture.js';
import type { Reply } from '../support/pc-browser.js';
import { rowsOf, valueOf } from '../support/rows.js';
import { type ApprovedOnPc, approveOnPc, redeem, returnFromPc } from '../support/sign-in.js';

const exchangePath = '/sns/oauth2/access_token';
const userinfoPath = '/sns/userinfo';
const timeout = 1_000;

/** What WeChat and gateways are seen to say, which no caller of ours may be told. */
const theirWords = 'hint: [DoNotRepeatThis] rid: 65a5f3c2-1b2c3d4e-5f6a7b8c';

interface FaultCase {
  readonly name: string;
  readonly fault: Fault;
  readonly code: string;
  readonly error: string;
}

const unavailable = { code: 'wechat_unavailable', error: 'temporarily_unavailable' };
const invalid = { code: 'wechat_answer_invalid', error: 'server_error' };
const errcode = (number: number, code: string, error: string): FaultCase => ({
  name: `errcode ${number} with HTTP 200`,
  fault: { errcode: number, errmsg: theirWords },
  code,
  error,
});

const anywhere: readonly FaultCase[] = [
  { name: 'a reset connection', fault: { drop: true }, ...unavailable },
  { name: 'silence', fault: { delay: 60_000 }, ...unavailable },
  { name: 'one byte now and then', fault: { drip: 100 }, ...unavailable },
  { name: 'HTTP 500', fault: { status: 500 }, ...unavailable },
  { name: "HTTP 502 with a gateway's page", fault: { status: 502, body: theirWords }, ...unavailable },
  { name: 'HTTP 302 to elsewhere', fault: { status: 302, body: theirWords }, ...unavailable },
  {
    name: 'HTTP 429',
    fault: { status: 429 },
    code: 'wechat_quota_exceeded',
    error: 'temporarily_unavailable',
  },
  { name: 'HTML with HTTP 200', fault: { body: `<html>${theirWords}</html>` }, ...unavailable },
  { name: 'an empty body', fault: { body: '' }, ...unavailable },
  { name: 'truncated JSON', fault: { body: '{"access_token":"a","openid' }, ...unavailable },
  { name: 'a body cut off by a reset', fault: { truncate: 20 }, ...unavailable },
  { name: 'a Content-Length that lies', fault: { contentLength: 9_999 }, ...unavailable },
  { name: 'bytes that are no text', fault: { body: Buffer.from([0xff, 0xfe, 0x00, 0x80]) }, ...unavailable },
  { name: 'JSON that is no object', fault: { body: '[1]' }, ...invalid },
  { name: 'null', fault: { body: 'null' }, ...invalid },
  { name: 'more than it can ever be', fault: { body: `"${'x'.repeat(3_000_000)}"` }, ...invalid },
  errcode(-1, 'wechat_unavailable', 'temporarily_unavailable'),
  errcode(45009, 'wechat_quota_exceeded', 'temporarily_unavailable'),
  errcode(45011, 'wechat_quota_exceeded', 'temporarily_unavailable'),
  errcode(40164, 'wechat_ip_not_allowed', 'server_error'),
  errcode(48001, 'wechat_permission_missing', 'server_error'),
  errcode(40226, 'wechat_user_restricted', 'access_denied'),
  errcode(50002, 'wechat_user_restricted', 'access_denied'),
  errcode(47001, 'internal_error', 'server_error'),
  errcode(987654, 'wechat_answer_invalid', 'server_error'),
  { name: 'errcode as a text', fault: { patch: { errcode: '0' } }, ...invalid },
  { name: 'errcode as an object', fault: { patch: { errcode: {} } }, ...invalid },
];

const atExchange: readonly FaultCase[] = [
  ...anywhere,
  errcode(40001, 'wechat_credentials_rejected', 'server_error'),
  errcode(40125, 'wechat_credentials_rejected', 'server_error'),
  errcode(40013, 'wechat_credentials_rejected', 'server_error'),
  errcode(40029, 'wechat_code_invalid', 'invalid_grant'),
  errcode(40163, 'wechat_code_invalid', 'invalid_grant'),
  errcode(42003, 'wechat_code_invalid', 'invalid_grant'),
];

const atUserinfo: readonly FaultCase[] = [
  ...anywhere,
  errcode(40001, 'wechat_code_invalid', 'invalid_grant'),
  errcode(42001, 'wechat_code_invalid', 'invalid_grant'),
  { name: 'another openid', fault: { patch: { openid: 'somebody-else' } }, ...invalid },
  { name: 'another unionid', fault: { patch: { unionid: 'somebody-else' } }, ...invalid },
];

describe('while WeChat fails', () => {
  let world: World;
  const logger = new LogCapture();

  beforeAll(async () => {
    world = await startWorld({ logger, options: { wechat: { timeout }, profileFreshness: 1 } });
  });
  afterAll(() => world.close());
  beforeEach(() => {
    world.wechat.clearFaults();
    world.wechat.clearCalls();
    logger.clear();
  });

  const someone = () => world.wechat.person({ nickname: '小兰' });
  const exchanges = () => world.wechat.calls(exchangePath).length;
  const users = () => valueOf(world.dataSource, 'SELECT count(*)::int FROM iam.users');
  const lastLogin = async () => {
    const [row] = await rowsOf(
      world.dataSource,
      'SELECT status, error, user_id FROM iam.logins ORDER BY created_at DESC LIMIT 1',
    );
    return row;
  };

  const expectFailure = async (reply: Reply, { code, error }: Pick<FaultCase, 'code' | 'error'>) => {
    expect(reply.status).toBe(303);
    expect(Object.fromEntries(reply.location?.searchParams ?? [])).toEqual({
      error,
      error_description: reply.location?.searchParams.get('error_description'),
      state: 'client-state',
      iss: world.url,
    });
    expect(await lastLogin()).toEqual({ status: 'failed', error: code, user_id: null });
    expect(logger.with(`${code}: `)).toHaveLength(1);
    for (const text of [reply.location?.href ?? '', reply.text, logger.text])
      expect(text).not.toContain('DoNotRepeatThis');
  };

  it.each(atExchange)(
    'at the exchange with $name, the sign-in ends as $code',
    async ({ fault, ...expected }) => {
      const before = await users();
      world.wechat.once(exchangePath, fault);

      const { returned } = await returnFromPc(world, someone());

      await expectFailure(returned, expected);
      expect(exchanges()).toBe(1);
      expect(world.wechat.calls(userinfoPath)).toEqual([]);
      expect(await users()).toBe(before);
    },
  );

  it.each(atUserinfo)(
    'at userinfo with $name, nobody is signed up: $code',
    async ({ fault, ...expected }) => {
      const before = await users();
      world.wechat.always(userinfoPath, fault);

      const { returned } = await returnFromPc(world, someone());

      await expectFailure(returned, expected);
      expect(exchanges()).toBe(1);
      expect(await users()).toBe(before);
    },
  );

  it.each<[string, Fault]>([
    ['busy', { errcode: -1 }],
    ['a bad gateway', { status: 502 }],
    ['a reset connection', { drop: true }],
  ])('userinfo is asked once more when it is %s, and the sign-in succeeds', async (_case, fault) => {
    world.wechat.once(userinfoPath, fault);

    const { returned } = await returnFromPc(world, someone());

    expect(returned.location?.searchParams.get('code')).toEqual(expect.any(String));
    expect(world.wechat.calls(userinfoPath)).toHaveLength(2);
    expect(exchanges()).toBe(1);
  });

  it('a code that was used up while WeChat kept us waiting is never sent again, and the person starts anew', async () => {
    const lan = someone();
    world.wechat.once(exchangePath, { afterConsuming: true, delay: 60_000 });
    const approved = await approveOnPc(world, lan);

    const first = await approved.browser.visit(approved.callback);
    const reloaded = await approved.browser.visit(approved.callback);
    const fresh = await returnFromPc(world, lan);

    for (const reply of [first, reloaded])
      expect(reply.location?.searchParams.get('error')).toBe('temporarily_unavailable');
    expect(fresh.returned.location?.searchParams.get('code')).toEqual(expect.any(String));
    expect(exchanges()).toBe(2);
    const { appid } = world.site;
    expect(
      await valueOf(
        world.dataSource,
        'SELECT count(*)::int FROM iam.identities WHERE appid = $1 AND openid = $2',
        [appid, lan.openid(world.site)],
      ),
    ).toBe(1);
  });

  it('a byte order mark and a wrong charset in the content type are read through', async () => {
    const openid = 'openid-of-the-mark';
    const body = JSON.stringify({
      access_token: 'token',
      refresh_token: 'token',
      expires_in: 7200,
      openid,
      unionid: 'unionid-of-the-mark',
      scope: 'snsapi_login,',
    });
    world.wechat.once(exchangePath, { body: `\ufeff${body}`, contentType: 'text/plain; charset=iso-8859-1' });
    world.wechat.once(userinfoPath, {
      body: JSON.stringify({ openid, nickname: '小兰 🌸' }),
      contentType: 'text/html; charset=gbk',
    });

    const { returned } = await returnFromPc(world, someone());

    expect(returned.location?.searchParams.get('code')).toEqual(expect.any(String));
    expect(
      await valueOf(
        world.dataSource,
        'SELECT u.nickname FROM iam.users u JOIN iam.identities i ON i.user_id = u.id WHERE i.openid = $1',
        [openid],
      ),
    ).toBe('小兰 🌸');
  });

  describe('a person who has been here before', () => {
    let lan: Person;

    beforeAll(async () => {
      lan = world.wechat.person({ nickname: '老朋友' });
      await redeem(world.url, await returnFromPc(world, lan));
    });
    beforeEach(() =>
      world.dataSource.query("UPDATE iam.identities SET profile_read_at = now() - interval '1 day'"),
    );

    it.each([502, 429])(
      'is signed in without the profile when userinfo answers HTTP %d, and it is read another time',
      async (status) => {
        world.wechat.always(userinfoPath, { status });
        lan.changeProfile({ nickname: `改名 ${status}` });
        const before = await users();

        const meanwhile = await returnFromPc(world, lan);
        world.wechat.clearFaults();
        const later = await returnFromPc(world, lan);

        expect(meanwhile.returned.location?.searchParams.get('code')).toEqual(expect.any(String));
        expect(later.returned.location?.searchParams.get('code')).toEqual(expect.any(String));
        expect(await users()).toBe(before);
        expect(
          await valueOf(world.dataSource, 'SELECT count(*)::int FROM iam.users WHERE nickname = $1', [
            lan.nickname,
          ]),
        ).toBe(1);
      },
    );

    it.each<[string, Fault, string]>([
      ['belongs to somebody else', { patch: { openid: 'somebody-else' } }, 'wechat_answer_invalid'],
      ['is refused', { errcode: 48001 }, 'wechat_permission_missing'],
    ])('is not signed in when the profile %s', async (_case, fault, code) => {
      world.wechat.always(userinfoPath, fault);

      const { returned } = await returnFromPc(world, lan);

      expect(returned.location?.searchParams.has('code')).toBe(false);
      expect((await lastLogin())?.['error']).toBe(code);
    });
  });

  it('slow calls hold no database connection: other sign-ins go on', async () => {
    const patient = await startReplica(world, { logger, options: { wechat: { timeout: 20_000 } } });
    const waiting: ApprovedOnPc[] = [];
    for (let index = 0; index < 15; index += 1) waiting.push(await approveOnPc(world, someone()));
    world.wechat.always(exchangePath, { delay: 3_000 });
    const slow = waiting.map(({ browser, callback }) =>
      browser.visit(`${patient.url}${callback.pathname}${callback.search}`),
    );
    while (exchanges() < 15) await new Promise((resolve) => setTimeout(resolve, 5));
    world.wechat.clearFaults();

    const { browser, callback } = await approveOnPc(world, someone());
    const quick = await browser.visit(`${patient.url}${callback.pathname}${callback.search}`);
    const ended = Promise.all(slow).then(() => 'they ended');
    const order = await Promise.race([ended, soon('they still wait')]);
    const replies = await Promise.all(slow);
    await patient.close();

    expect(order).toBe('they still wait');
    for (const { location } of [quick, ...replies])
      expect(location?.searchParams.get('code')).toEqual(expect.any(String));
  });

  describe('because its address refuses connections', () => {
    let cutOff: IamApp;

    beforeAll(async () => {
      const api = `http://127.0.0.1:${await freePort()}`;
      cutOff = await startReplica(world, { logger, endpoints: { ...world.wechat.endpoints, api } });
    });
    afterAll(() => cutOff.close());

    it('the sign-in ends at once as wechat_unavailable', async () => {
      const { browser, callback } = await approveOnPc(world, someone());

      const reply = await browser.visit(`${cutOff.url}${callback.pathname}${callback.search}`);

      await expectFailure(reply, unavailable);
      expect(logger.text).toContain('ECONNREFUSED');
      expect(logger.text).not.toContain(world.site.secret);
    });
  });
});

/** After everything that is already settled has been heard of. */
function soon(text: string): Promise<string> {
  return new Promise((resolve) => setImmediate(() => resolve(text)));
}
