import { createServer, type Server } from 'node:http';
import { WechatEmulator } from '../../emulator/index.js';
import { testKey } from '../support/iam-app.js';
import { startOperator, type Operator } from './support/operator.js';
import { command, type Given } from './support/run-command.js';

interface Check {
  readonly id: string;
  readonly status: string;
  readonly detail: string;
  readonly remedy: string | null;
}

function checksOf(json: unknown): readonly Check[] {
  const isReport = (value: unknown): value is { checks: Check[] } =>
    typeof value === 'object' && value !== null && 'checks' in value;
  return isReport(json) ? json.checks : [];
}

/** As `id status`, in the order of the output. */
const statuses = (checks: readonly Check[]) => checks.map(({ id, status }) => `${id} ${status}`);

describe('nestjs-wechat-iam doctor', () => {
  let operator: Operator;
  let empty: Operator;
  let wechat: WechatEmulator;
  let late: Server;
  let settings: Readonly<Record<string, string>>;

  beforeAll(async () => {
    [operator, empty] = await Promise.all([startOperator(), startOperator({ isEmpty: true })]);
    wechat = await WechatEmulator.start();
    const { api, open, mp } = wechat.endpoints;
    settings = {
      PUBLIC_URL: 'https://app.example.com',
      WECHAT_API_URL: api,
      WECHAT_OPEN_URL: open,
      WECHAT_MP_URL: mp,
    };
    late = createServer((_, response) => {
      response.setHeader('Date', new Date(Date.now() - 3_600_000).toUTCString()).end();
    });
    await new Promise<void>((resolve) => late.listen(0, '127.0.0.1', resolve));
  });
  afterAll(async () => {
    late.close();
    await wechat.stop();
    await Promise.all([operator.close(), empty.close()]);
  });

  const ask = async (who: Pick<Operator, 'run'>, given: Given['variables'] = {}) => {
    const outcome = await who.run(['doctor', '--json'], { variables: { ...settings, ...given } });
    return { exitCode: outcome.exitCode, checks: checksOf(outcome.json()) };
  };
  const addressOf = (server: Server) => {
    const address = server.address();
    return typeof address === 'object' && address !== null ? `http://127.0.0.1:${address.port}` : '';
  };

  it('says in an empty database which command comes first', async () => {
    const { exitCode, checks } = await ask(empty);

    expect(exitCode).toBe(1);
    expect(statuses(checks).slice(0, 5)).toEqual([
      'settings ok',
      'database ok',
      'migrations fail',
      'clock ok',
      'clock ok',
    ]);
    expect(checks.find(({ id }) => id === 'migrations')?.remedy).toContain('nestjs-wechat-iam migrate');
  });

  it('goes with an operator from the first row to a whole set-up', async () => {
    const none = await ask(operator);
    const site = wechat.openPlatformAccount().websiteApp({ callbackDomain: 'app.example.com' });
    const row = { open_app_id: site.appid, open_app_secret: site.secret };
    await operator.json(['provider', 'add', 'wechat', '--from', '-'], { input: JSON.stringify(row) });
    const whole = await ask(operator);
    const pushes = { mp_token: 'demoToken', mp_encoding_aes_key: 'a'.repeat(43) };
    await operator.json(['provider', 'set', 'wechat', '--from', '-'], { input: JSON.stringify(pushes) });
    const silent = await ask(operator);

    expect(none.exitCode).toBe(1);
    expect(none.checks.find(({ id }) => id === 'providers')).toMatchObject({
      status: 'fail',
      remedy: expect.stringContaining('provider add wechat') as string,
    });
    expect(whole.exitCode).toBe(0);
    expect(statuses(whole.checks)).toEqual([
      'settings ok',
      'database ok',
      'migrations ok',
      'clock ok',
      'clock ok',
      'keys ok',
      'providers ok',
      'webhook ok',
      'wechat ok',
      'wechat ok',
      'wechat ok',
    ]);
    expect(statuses(silent.checks)).toContain('webhook warn');
    expect(silent.exitCode).toBe(0);
  });

  it('says of a row that is off, or lacks half of a pair, which it is', async () => {
    await operator.json([
      'provider',
      'add',
      'half',
      '--mobile-app-id',
      'wx0000000000000009',
      '--enabled',
      'false',
    ]);

    const { checks } = await ask(operator);

    const ofHalf = checks.filter(({ detail }) => detail.startsWith('half: '));
    expect(ofHalf.length).toBeGreaterThan(1);
    expect(JSON.stringify(ofHalf)).toContain('mobile_app_secret');
    await operator.query(`DELETE FROM iam.identity_providers WHERE slug = 'half'`);
  });

  it('finds keys that do not open what is stored', async () => {
    const { exitCode, checks } = await ask(operator, { IAM_KEYS: testKey() });

    expect(exitCode).toBe(1);
    expect(statuses(checks)).toEqual(expect.arrayContaining(['keys fail', 'providers fail']));
  });

  it('finds a clock that is an hour off, and a WeChat that is not there', async () => {
    const off = await ask(operator, { WECHAT_API_URL: addressOf(late), WECHAT_MP_URL: 'http://127.0.0.1:1' });
    const gone = await ask(operator, { WECHAT_API_URL: 'http://127.0.0.1:1' });

    const trial = await ask(operator, {
      PUBLIC_URL: 'http://localhost:3000',
      WECHAT_API_URL: undefined,
      WECHAT_PROXY: 'http://127.0.0.1:1',
    });

    expect(statuses(trial.checks).filter((each) => each === 'wechat fail')).toEqual([]);
    expect(trial.checks.find(({ id }) => id === 'wechat')?.remedy).toContain('WECHAT_API_URL');
    expect(statuses(off.checks)).toEqual(expect.arrayContaining(['clock fail', 'wechat ok', 'wechat warn']));
    expect(off.exitCode).toBe(1);
    expect(statuses(gone.checks)).toContain('wechat fail');
    expect(statuses(gone.checks).filter((each) => each.startsWith('clock'))).toEqual(['clock ok']);
  });

  it('asks WeChat by the proxy of the application', async () => {
    const asked: string[] = [];
    const proxy = createServer();
    proxy.on('connect', ({ url = '' }, socket) => {
      asked.push(url);
      socket.end('HTTP/1.1 403 Forbidden\r\n\r\n');
    });
    await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));

    const { checks } = await ask(operator, {
      WECHAT_API_URL: undefined,
      WECHAT_PROXY: addressOf(proxy).replace('//', '//us:s3cretWord@'),
    });
    proxy.close();

    expect(asked).toContain('api.weixin.qq.com:443');
    expect(statuses(checks)).toContain('wechat fail');
    expect(JSON.stringify(checks)).not.toContain('s3cretWord');
  });

  it('shows of an address of WeChat only the host', async () => {
    const url = 'http://relay:s3cretWord@127.0.0.1:1/s3cretPath?key=s3cretKey';

    const { checks } = await ask(operator, { WECHAT_API_URL: url, WECHAT_OPEN_URL: url, WECHAT_MP_URL: url });

    expect(statuses(checks)).toEqual(expect.arrayContaining(['settings fail', 'wechat fail', 'wechat warn']));
    expect(JSON.stringify(checks)).toContain('127.0.0.1:1 does not answer');
    expect(JSON.stringify(checks)).not.toContain('s3cret');
  });

  it.each([
    [{ DATABASE_URL: undefined }, 'database fail', 'DATABASE_URL is not set'],
    [{ DATABASE_URL: 'postgres://app:secret@127.0.0.1:1/app' }, 'database fail', 'does not answer'],
    [{ IAM_KEYS: undefined }, 'settings fail', 'IAM_KEYS is not set'],
    [{ PUBLIC_URL: undefined }, 'settings warn', 'PUBLIC_URL is not set'],
  ])('goes on when something is missing: %j', async (variables, status, words) => {
    const { checks } = await ask(operator, variables);

    expect(statuses(checks)).toEqual(expect.arrayContaining([status, 'wechat ok']));
    expect(checks.find((check) => `${check.id} ${check.status}` === status)?.detail).toContain(words);
    expect(JSON.stringify(checks)).not.toContain('secret@');
  });

  it('is read by people in either language, one line for each', async () => {
    const given = { variables: { ...operator.variables, ...settings } };
    const english = await command(['doctor', '--lang', 'en'], given);
    const chinese = await command(['doctor', '--lang', 'zh-CN'], given);

    expect(english.stdout).toMatch(
      /^ok {4}settings {4}https:\/\/app\.example\.com\nok {4}database {4}PostgreSQL /,
    );
    expect(english.stdout).toMatch(/warn {2}webhook {5}WeChat has pushed nothing yet\n +→ register/);
    expect(chinese.stdout).toContain('还没有收到过微信的推送');
    expect([english.exitCode, chinese.exitCode]).toEqual([0, 0]);
  });
});
