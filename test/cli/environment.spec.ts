import { createHash, randomBytes } from 'node:crypto';
import { Environment } from '../../cli/environment.js';
import { EnvironmentError } from '../../cli/errors.js';
import { iamMigrations } from '../../migrations/index.js';
import { freePort } from '../../example/postgres/free-port.js';
import { testKey } from '../support/iam-app.js';
import { TcpProxy } from '../support/tcp-proxy.js';
import { type Operator, startOperator } from './support/operator.js';
import { command } from './support/run-command.js';

const everyCommand = [
  ['provider', 'list'],
  ['provider', 'add', 'wechat'],
  ['provider', 'set', 'wechat', '--name', 'x'],
  ['provider', 'check', 'wechat'],
  ['provider', 'rotate', 'wechat', 'mp_token'],
  ['user', 'find', 'x'],
  ['user', 'roles', '01939a3c-4c10-7bbb-8d2f-1a2b3c4d5e6f', '--add', 'admin'],
  ['role', 'list'],
  ['role', 'add', 'admin'],
  ['role', 'set', 'admin', '--permission', '*'],
  ['client', 'list'],
  ['client', 'add', 'shop', '--redirect-uri', 'https://shop.example.com/'],
  ['client', 'set', 'shop', '--name', 'x'],
  ['client', 'rotate', 'shop'],
  ['keys', 'list'],
  ['keys', 'rotate'],
  ['keys', 'reseal'],
];

const publicUrl = { PUBLIC_URL: 'http://localhost:3000' };

describe('a command and what surrounds it', () => {
  let operator: Operator;

  beforeAll(async () => {
    operator = await startOperator({ isEmpty: true, variables: publicUrl });
  });
  afterAll(() => operator.close());

  it.each(everyCommand)('%s %s says to migrate first where the tables are missing', async (...args) => {
    const text = await operator.run(args);
    expect(text).toMatchObject({ exitCode: 1, stdout: '' });
    expect(text.stderr).toContain('run `nestjs-wechat-iam migrate` first');

    const json = await operator.run([...args, '--json']);
    expect(json).toMatchObject({ exitCode: 1, stderr: '' });
    expect(json.json()).toMatchObject({ error: { code: 'migrations_pending' } });
  });

  it.each([['migrate'], ...everyCommand])('%s %s names the variable that is missing', async (...args) => {
    const outcome = await operator.run([...args, '--json'], { variables: { DATABASE_URL: ' ' } });

    expect(outcome.exitCode).toBe(2);
    expect(outcome.json()).toMatchObject({ error: { code: 'environment' } });
    expect(outcome.stdout).toContain('"DATABASE_URL is not set');
  });

  it('asks for what a command needs, and for no more', async () => {
    const without = (...names: string[]) => ({
      variables: Object.fromEntries(names.map((name) => [name, undefined])),
    });

    expect((await operator.run(['provider', 'list'], without('IAM_KEYS'))).stderr).toMatch(
      /^IAM_KEYS is not set.* Try: nestjs-wechat-iam provider list --help\n$/,
    );
    expect((await operator.run(['provider', 'check', 'wechat'], without('PUBLIC_URL'))).exitCode).toBe(2);
    expect((await operator.run(['role', 'list'], without('IAM_KEYS', 'PUBLIC_URL'))).exitCode).toBe(1);
  });

  it('says when PostgreSQL is down, and gives the password to nobody', async () => {
    const password = 'pa55word-of-the-database';
    const DATABASE_URL = `postgres://app:${password}@127.0.0.1:${await freePort()}/app`;

    for (const args of [['migrate'], ...everyCommand]) {
      const { exitCode, stdout, stderr } = await operator.run(args, { variables: { DATABASE_URL } });
      expect([exitCode, stdout]).toEqual([1, '']);
      expect(stderr).toMatch(/^PostgreSQL does not answer: .*ECONNREFUSED/);
      expect(stderr).not.toContain(password);
    }
  });

  it('says when PostgreSQL goes away in the middle', async () => {
    const proxy = await TcpProxy.start(operator.database.url);
    proxy.loseAnswerTo('pg_advisory_xact_lock');

    const outcome = await operator.run(['migrate', '--json'], { variables: { DATABASE_URL: proxy.url } });

    await proxy.cut();
    expect(outcome.exitCode).toBe(1);
    expect(outcome.json()).toMatchObject({ error: { code: 'database_unavailable' } });
    expect(await operator.json(['migrate', '--dry-run'])).toMatchObject({
      pending: iamMigrations.map((Migration) => new Migration().name),
    });
  });

  it('says that the database in DATABASE_URL is not there', async () => {
    const url = new URL(operator.database.url);
    url.pathname = '/no_such_database';

    const { exitCode, stderr } = await operator.run(['migrate'], { variables: { DATABASE_URL: url.href } });

    expect(exitCode).toBe(2);
    expect(stderr).toMatch(/^DATABASE_URL: there is no such database/);
  });
});

describe('keys that are not those of the database', () => {
  let operator: Operator;
  const foreign = { variables: { IAM_KEYS: testKey() } };

  beforeAll(async () => {
    operator = await startOperator({ variables: publicUrl });
    await operator.json(['provider', 'add', 'wechat', '--mp-token-from', '-'], { input: 'TheToken' });
  });
  afterAll(() => operator.close());

  it.each([
    [['provider', 'add', 'other']],
    [['provider', 'set', 'wechat', '--mp-token-from', '-']],
    [['provider', 'rotate', 'wechat', 'mp_token']],
    [['keys', 'rotate']],
    [['keys', 'reseal']],
  ])('stop %j before anything is sealed with them', async (args) => {
    const outcome = await operator.run([...args, '--json'], { ...foreign, input: 'AnotherToken' });

    expect(outcome.exitCode).toBe(1);
    expect(outcome.json()).toMatchObject({ error: { code: 'wrong_key' } });
    expect(outcome.stdout).toMatch(/IAM_KEYS \([0-9a-f]{8}\) are not the keys/);
    const rows = await operator.query('SELECT slug, mp_token, mp_token_previous FROM iam.identity_providers');
    expect(rows).toMatchObject([{ slug: 'wechat', mp_token_previous: null }]);
    expect(rows[0]?.['mp_token']).toContain(`:${ownKeyId()}:`);
  });

  it('show in lists what they do not open', async () => {
    const list = await operator.run(['provider', 'list'], foreign);
    expect(list.exitCode).toBe(0);
    expect(list.stdout).toContain('mp_token cannot be opened');

    const keys = await operator.json(['keys', 'list'], foreign);
    expect(keys['sealing_keys']).toEqual(
      expect.arrayContaining([
        {
          key_id: ownKeyId(),
          is_configured: false,
          is_current: false,
          provider_secrets: 1,
          signing_keys: 0,
          session_keys: 0,
          subject_secrets: 0,
        },
      ]),
    );
    expect((await operator.run(['provider', 'check', 'wechat'], foreign)).stdout).toContain('ERROR');
  });

  function ownKeyId(): string {
    return createHash('sha256').update(Buffer.from(operator.key, 'base64')).digest('hex').slice(0, 8);
  }
});

it('explains a command without any variable', async () => {
  for (const args of [['migrate'], ...everyCommand]) {
    const { exitCode, stdout } = await command([...args.slice(0, 2), '--help']);
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(/^Usage: nestjs-wechat-iam .*\n[^]*\nExample:\n {2}\S/);
  }
});

describe('the environment of a command', () => {
  const key = randomBytes(32).toString('base64');

  const publicUrl = 'https://app.example.com';

  const optionsOf = (values: Record<string, string>) =>
    new Environment(values).options({ needsPublicUrl: true });

  it('becomes the options of the module', () => {
    const other = randomBytes(32).toString('base64');

    const options = optionsOf({ IAM_KEYS: ` ${key}, ${other} `, PUBLIC_URL: publicUrl, IAM_PATH: 'api/iam' });

    expect(options.keyRing.ids).toHaveLength(2);
    expect(options.publicUrl).toBe(publicUrl);
    expect(options.path).toBe('api/iam');
    expect(options.wechat).toMatchObject({
      allowLoopback: false,
      endpoints: { api: 'https://api.weixin.qq.com' },
    });
    expect(options.tokens.accessToken).toBe(3600);
  });

  it('takes the one key of an application by its usual name', () => {
    const { keyRing } = optionsOf({ IAM_KEY: key, PUBLIC_URL: publicUrl });

    expect(keyRing.ids).toEqual(optionsOf({ IAM_KEYS: key, PUBLIC_URL: publicUrl }).keyRing.ids);
  });

  it('takes an emulator on this machine, also for an https address', () => {
    const emulator = { WECHAT_API_URL: 'http://127.0.0.1:3001', WECHAT_OPEN_URL: 'http://127.0.0.1:3001' };

    const { wechat } = optionsOf({ IAM_KEY: key, PUBLIC_URL: publicUrl, ...emulator });

    expect(wechat.endpoints).toMatchObject({ api: 'http://127.0.0.1:3001', mp: 'https://mp.weixin.qq.com' });
  });

  it.each([
    ['DATABASE_URL', {}, 'is not set'],
    ['DATABASE_URL', { DATABASE_URL: 'not-a-url-s3cret' }, 'expected'],
    ['DATABASE_URL', { DATABASE_URL: 'mysql://root:s3cret@localhost/app' }, 'expected'],
    ['IAM_KEYS', { DATABASE_URL: 'postgres://localhost/app' }, 'is not set'],
    ['IAM_KEYS', { IAM_KEYS: 's3cret', PUBLIC_URL: publicUrl }, '32 random bytes'],
    ['IAM_KEYS', { IAM_KEYS: `${key},s3cret`, PUBLIC_URL: publicUrl }, '32 random bytes'],
    ['PUBLIC_URL', { IAM_KEYS: key }, 'is not set'],
    ['PUBLIC_URL', { IAM_KEYS: key, PUBLIC_URL: 's3cret' }, 'absolute'],
    ['IAM_PATH', { IAM_KEYS: key, PUBLIC_URL: publicUrl, IAM_PATH: '/?s3cret' }, 'a path'],
    ['WECHAT_API_URL', { IAM_KEYS: key, PUBLIC_URL: publicUrl, WECHAT_API_URL: 'ftp://s3cret' }, 'https'],
    ['WECHAT_MP_URL', { IAM_KEYS: key, PUBLIC_URL: publicUrl, WECHAT_MP_URL: 's3cret' }, 'absolute URL'],
  ])('names %s, and what was expected, and quotes nothing: %j', (name, values, expected) => {
    const environment = new Environment({ DATABASE_URL: 'postgres://localhost/app', ...values });
    const read = () => [
      name === 'DATABASE_URL' ? new Environment(values).databaseUrl : environment.databaseUrl,
      environment.options({ needsPublicUrl: true }),
    ];

    expect(read).toThrow(EnvironmentError);
    expect(read).toThrow(new RegExp(`^${name}.*${expected}`));
    expect(read).not.toThrow(/s3cret/);
  });

  it('knows what must not be seen in any output', () => {
    const environment = new Environment({
      DATABASE_URL: 'postgres://app:p%40ssword@localhost/app',
      IAM_KEYS: `${key},${key}`,
    });

    expect(environment.secrets).toEqual(expect.arrayContaining(['p%40ssword', 'p@ssword', key]));
  });
});
