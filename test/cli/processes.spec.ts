import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';
import { DataSource } from 'typeorm';
import { commandList } from '../../cli/command-list.js';
import { WechatEmulator } from '../../emulator/index.js';
import { iamMigrations } from '../../migrations/index.js';
import { type IamApp, startIamApp, testKey } from '../support/iam-app.js';
import { earlySchemas, migrationsOf } from '../support/old-migrations/states.js';
import { getWith } from '../support/sign-in.js';
import { onPc, refresh } from '../support/signed-in.js';
import { BackgroundLoop } from '../../src/runtime/background-loop.js';
import { until } from '../support/until.js';
import { type Operator, recordOf, startOperator } from './support/operator.js';
import { commandProcess, spawnCommand } from './support/run-command.js';

const withoutExpress = new URL('support/without-express.mjs', import.meta.url).pathname;

describe('a command in a process of its own', () => {
  let operator: Operator;
  let other: DataSource;

  beforeAll(async () => {
    operator = await startOperator();
    other = await new DataSource({ type: 'postgres', url: operator.database.url }).initialize();
  });
  afterAll(async () => {
    await other.destroy();
    await operator.close();
  });

  it('reads its variables and its standard input, prints, ends by itself, and needs no HTTP platform', async () => {
    const outcome = await commandProcess(['provider', 'add', 'wechat', '--mp-token-from', '-', '--json'], {
      variables: operator.variables,
      input: 'TheTokenOfTheServer\n',
      nodeArguments: ['--import', withoutExpress],
    });

    expect(outcome).toMatchObject({ exitCode: 0, stderr: '' });
    expect(outcome.json()).toMatchObject({ slug: 'wechat', secrets: { mp_token: true } });
  });

  it.each([
    [['role', 'lits'], 2],
    [['role', 'list'], 2],
  ])('exits with what it came to: %j', async (args, exitCode) => {
    expect((await commandProcess(args)).exitCode).toBe(exitCode);
  });

  it('prints megabytes to a slow reader, to the last line', async () => {
    await operator.query(
      `INSERT INTO iam.roles (name, description) SELECT 'r' || n, repeat('长', 1000) FROM generate_series(1, 1000) n`,
    );
    const child = await spawnCommand(['role', 'list', '--json'], { variables: operator.variables });
    await once(child.stdout, 'readable');
    await delay(200);

    const printed: unknown = JSON.parse(await text(child.stdout));

    expect(printed).toMatchObject({ roles: { length: 1000 } });
  });

  it('does its work quietly when its reader has gone', async () => {
    const child = await spawnCommand(['role', 'add', 'unread'], { variables: operator.variables });
    child.stdout.destroy();
    const ended = once(child, 'close');

    expect(await text(child.stderr)).toBe('');
    expect(await ended).toEqual([0, null]);
    expect(await operator.query(`SELECT name FROM iam.roles WHERE name = 'unread'`)).toHaveLength(1);
  });

  it('fails when nobody reads what is shown once', async () => {
    const child = await spawnCommand(['provider', 'rotate', 'wechat', 'mp_token'], {
      variables: operator.variables,
    });
    child.stdout.destroy();
    const ended = once(child, 'close');

    expect(await text(child.stderr)).toContain('Standard output was closed');
    expect(await ended).toEqual([1, null]);
  });

  it('leaves nothing half done when it is interrupted', async () => {
    await operator.query(`INSERT INTO iam.users (id) VALUES ('01939a3c-4c10-7bbb-8d2f-1a2b3c4d5e6f')`);
    const runner = other.createQueryRunner();
    await runner.startTransaction();
    await runner.query(`SELECT name FROM iam.roles WHERE name = 'r2' FOR UPDATE`);
    const give = ['user', 'roles', '01939a3c-4c10-7bbb-8d2f-1a2b3c4d5e6f', '--add', 'r1', '--add', 'r2'];
    const child = await spawnCommand(give, { variables: operator.variables });
    await waitsForLock(operator);

    child.kill('SIGINT');
    const ended = await once(child, 'close');
    await runner.commitTransaction();
    await runner.release();

    expect(ended).toEqual([null, 'SIGINT']);
    await nobodyIsConnected(operator);
    expect(await operator.query('SELECT role FROM iam.user_roles')).toEqual([]);
    expect(await operator.query(`SELECT 1 FROM iam.audit_log WHERE action = 'user.role_assigned'`)).toEqual(
      [],
    );
  });

  it('is one of two that migrate an empty database at once', async () => {
    const fresh = await startOperator({ isEmpty: true });

    const outcomes = await Promise.all(
      [1, 2].map(() => commandProcess(['migrate', '--json'], { variables: fresh.variables })),
    );

    expect(outcomes.map(({ exitCode, stderr }) => [exitCode, stderr])).toEqual([
      [0, ''],
      [0, ''],
    ]);
    expect(await fresh.json(['migrate', '--dry-run'])).toEqual({ pending: [] });
    await fresh.close();
  });
});

const ours = `application_name = 'nestjs-wechat-iam' AND datname = current_database()`;

function waitsForLock(operator: Operator): Promise<void> {
  const sql = `SELECT 1 FROM pg_stat_activity WHERE ${ours} AND wait_event_type = 'Lock'`;
  return until('the command waits for a lock', async () => (await operator.query(sql)).length > 0);
}

/** PostgreSQL has noticed that the process is gone. */
function nobodyIsConnected(operator: Operator): Promise<void> {
  const sql = `SELECT 1 FROM pg_stat_activity WHERE ${ours}`;
  return until('the command is gone', async () => (await operator.query(sql)).length === 0);
}

const user = '01939a3c-4c10-7bbb-8d2f-1a2b3c4d5e6f';
const apiKey = '01939a3c-4c10-7bbb-8d2f-1a2b3c4d5e70';

/** A call of each command that opens the database; {old} and {new} are Official Accounts. */
const calls = [
  'migrate',
  // Before the rows that come next, which lack something.
  'doctor',
  'provider list',
  'provider add second',
  'provider set second --name Second',
  'provider check wechat',
  'provider rotate wechat mp_token',
  'provider migrate wechat --from-app-id {old} --to-app-id {new} --dry-run',
  `user find ${user}`,
  `user roles ${user} --add reader`,
  'role list',
  'role add writer',
  'role set writer --description writes',
  'client add shop --type confidential --redirect-uri https://shop.example.com/',
  'client list',
  'client set shop --name Shop',
  'client rotate shop',
  'client add nightly --type service --role reader',
  'api-key add nightly --name cron',
  'api-key list --service nightly',
  `api-key end ${apiKey}`,
  'keys list',
  'keys rotate',
  'keys reseal',
];

describe('background work', () => {
  const { start } = BackgroundLoop.prototype;
  let wechat: WechatEmulator;
  let operator: Operator;
  let accounts: { old: string; new: string };

  beforeAll(async () => {
    wechat = await WechatEmulator.start();
    const old = wechat.officialAccount({ oauthDomain: 'localhost' });
    const account = wechat.officialAccount({ oauthDomain: 'localhost' });
    const person = wechat.person({ nickname: '小兰' });
    await person.follow(old);
    old.migrateTo(account);
    old.confirmMigration();
    accounts = { old: old.appid, new: account.appid };
    const { open, api, mp } = wechat.endpoints;
    operator = await startOperator({
      variables: {
        PUBLIC_URL: 'http://localhost:3000',
        WECHAT_OPEN_URL: open,
        WECHAT_API_URL: api,
        WECHAT_MP_URL: mp,
      },
    });
    const add = ['provider', 'add', 'wechat', '--mp-app-id', account.appid, '--mp-app-secret-from', '-'];
    await operator.json(add, { input: account.secret });
    await operator.json(['role', 'add', 'reader']);
    await operator.query('INSERT INTO iam.users (id) VALUES ($1)', [user]);
    await operator.query(
      `INSERT INTO iam.identities (id, user_id, provider, app_kind, appid, openid, union_scope)
       VALUES (gen_random_uuid(), $1, 'wechat', 'mp', $2, $3, 'wechat')`,
      [user, old.appid, person.openid(old)],
    );
    await operator.query(
      `INSERT INTO iam.api_keys (id, user_id, name, prefix, hash) VALUES ($1, $2, 'cron', 'iamk_0123', 'hash')`,
      [apiKey, user],
    );
    await operator.query(
      `INSERT INTO iam.webhook_events (id, provider, dedupe_key, event, event_at, message, status, lease_until)
       VALUES (gen_random_uuid(), 'wechat', 'due', 'text', now(), '{}', 'pending', now() - interval '1 minute')`,
    );
    // A loop begins somewhere in its first interval: here, at its start.
    jest.spyOn(BackgroundLoop.prototype, 'start').mockImplementation(function (this: BackgroundLoop) {
      start.call(this, 0);
    });
  });
  afterAll(async () => {
    jest.restoreAllMocks();
    await operator.close();
    await wechat.stop();
  });

  it.each(calls)('is none of `%s`, which leaves a push that is due to the replicas', async (call) => {
    const pushes = () => operator.query('SELECT * FROM iam.webhook_events');
    const before = await pushes();

    const args = call.replace('{old}', accounts.old).replace('{new}', accounts.new).split(' ');
    const outcome = await operator.run(args);

    expect(outcome.exitCode).toBe(0);

    expect(await pushes()).toEqual(before);
  });

  it('is asked about for every command but the emulator’s', () => {
    const names = commandList.map(({ name }) => name);

    expect(names.filter((name) => !calls.some((call) => call.startsWith(name)))).toEqual(['emulator']);
  });
});

const names = iamMigrations.map((Migration) => new Migration().name);

describe('nestjs-wechat-iam migrate', () => {
  let operator: Operator;

  beforeEach(async () => {
    operator = await startOperator({ isEmpty: true });
  });
  afterEach(() => operator.close());

  it('lists what it would run without touching the database, runs it, and then has nothing to do', async () => {
    expect(await operator.json(['migrate', '--dry-run'])).toEqual({ pending: names });
    expect(await operator.query(`SELECT 1 FROM pg_class WHERE relname IN ('migrations', 'users')`)).toEqual(
      [],
    );

    const first = await operator.run(['migrate']);
    expect(first).toMatchObject({ exitCode: 0, stderr: '' });
    expect(first.stdout).toBe(`Ran:\n${names.map((name) => `  ${name}\n`).join('')}`);

    expect(await operator.json(['migrate', '--dry-run'])).toEqual({ pending: [] });
    expect(await operator.json(['migrate'])).toEqual({ executed: [] });
  });

  it('is safe when it is started several times at once: one run does the work, the others find it done', async () => {
    const outcomes = await Promise.all([1, 2, 3].map(() => operator.run(['migrate', '--json'])));

    expect(outcomes.map(({ exitCode }) => exitCode)).toEqual([0, 0, 0]);
    const ran = outcomes.flatMap((outcome) => recordOf(outcome.json())['executed']);
    expect(ran).toEqual(names);
    expect(await operator.query('SELECT name FROM migrations ORDER BY timestamp')).toEqual(
      names.map((name) => ({ name })),
    );
  });

  it('keeps its books in the table of a host that has named another', async () => {
    await operator.json(['migrate', '--migrations-table', 'host_migrations']);

    expect(await operator.query('SELECT count(*)::int AS n FROM host_migrations')).toEqual([
      { n: names.length },
    ]);
    expect(await operator.json(['migrate', '--dry-run', '--migrations-table', 'host_migrations'])).toEqual({
      pending: [],
    });
    expect((await operator.run(['migrate', '--migrations-table', 'a"; DROP'])).exitCode).toBe(2);
  });

  it('keeps its books inside the schema iam for the option `database`, and finds them there by itself', async () => {
    expect(await operator.json(['migrate', '--migrations-table', 'iam.migrations'])).toEqual({
      executed: names,
    });

    expect(await operator.query(`SELECT to_regclass('public.migrations')::text AS other`)).toEqual([
      { other: null },
    ]);
    expect(await operator.json(['migrate', '--dry-run'])).toEqual({ pending: [] });
    expect(await operator.json(['migrate'])).toEqual({ executed: [] });
  });

  it('moves its books into the schema iam without running anything twice', async () => {
    await operator.json(['migrate', '--migrations-table', 'host_migrations']);
    const move = ['migrate', '--migrations-table', 'iam.migrations'];

    expect((await operator.run(move)).exitCode).toBe(1);
    expect(await operator.json([...move, '--moved-from', 'host_migrations'])).toEqual({ executed: [] });

    expect(await operator.query('SELECT name FROM iam.migrations ORDER BY "timestamp"')).toEqual(
      names.map((name) => ({ name })),
    );
  });

  it('says what is missing though no migration is pending, since no run brings it back', async () => {
    await operator.json(['migrate']);
    await operator.query('DROP TRIGGER users_bar_or_lift ON iam.users');
    await operator.query('DROP FUNCTION iam.subject_hash');

    for (const args of [['migrate'], ['migrate', '--dry-run']]) {
      const outcome = await operator.run([...args, '--json']);
      expect(outcome.exitCode).toBe(1);
      expect(outcome.json()).toEqual({
        error: {
          code: 'schema_incomplete',
          message: expect.stringMatching(
            /function iam\.subject_hash\(text,text,text\)\n {2}trigger users\.users_bar_or_lift\n/,
          ) as string,
        },
      });
    }
  });

  it.each(earlySchemas)('brings a database of early migrations up to date: %s', async (_name, versions) => {
    const early = migrationsOf(versions);
    const options = { type: 'postgres', url: operator.database.url, migrations: early } as const;
    const source = await new DataSource(options).initialize();
    await source.runMigrations();
    await source.destroy();
    const ran = early.map((Migration) => new Migration().name);
    const pending = names.filter((name) => !ran.includes(name));

    const refused = await operator.run(['provider', 'list', '--json']);
    const listed = await operator.json(['migrate', '--dry-run']);
    const executed = await operator.json(['migrate']);

    expect([refused.exitCode, refused.json()]).toEqual([
      1,
      { error: { code: 'migrations_pending', message: expect.stringContaining('migrate') as string } },
    ]);
    expect([listed, executed]).toEqual([{ pending }, { executed: pending }]);
    expect(await operator.json(['migrate', '--dry-run'])).toEqual({ pending: [] });
    expect((await operator.run(['provider', 'list'])).exitCode).toBe(0);
  });

  it('leaves nothing behind when a migration fails', async () => {
    await operator.query('CREATE SCHEMA iam CREATE TABLE users (id int)');

    const outcome = await commandProcess(['migrate', '--json'], { variables: operator.variables });

    expect(outcome).toMatchObject({ exitCode: 1, stderr: '' });
    expect(outcome.json()).toMatchObject({ error: { code: 'internal_error' } });
    expect(await operator.query(`SELECT 1 FROM pg_class WHERE relname = 'identities'`)).toEqual([]);
    expect(await operator.json(['migrate', '--dry-run'])).toEqual({ pending: names });
  });
});

describe('nestjs-wechat-iam keys', () => {
  let wechat: WechatEmulator;
  let operator: Operator;
  let iam: IamApp;

  beforeEach(async () => {
    wechat = await WechatEmulator.start();
    const site = wechat.openPlatformAccount().websiteApp({ callbackDomain: 'localhost' });
    operator = await startOperator();
    await operator.json(
      ['provider', 'add', 'wechat', '--open-app-id', site.appid, '--open-app-secret-from', '-'],
      {
        input: site.secret,
      },
    );
    iam = await start(operator.key);
  });
  afterEach(async () => {
    await iam.close();
    await wechat.stop();
    await operator.close();
  });

  const start = (key: string) =>
    startIamApp({ databaseUrl: operator.database.url, endpoints: wechat.endpoints, key });
  const signingKeys = async () => {
    const { signing_keys: keys } = await operator.json(['keys', 'list']);
    return Array.isArray(keys) ? keys.map(recordOf) : [];
  };

  it('publishes a new signing key that waits, and signs nobody out', async () => {
    const { accessToken, refreshToken } = await onPc(
      { url: iam.url, wechat },
      wechat.person({ nickname: '钥' }),
    );

    const rotated = await operator.json(['keys', 'rotate', '--activate-in', '30']);

    expect(rotated).toMatchObject({ state: 'next', is_new: true });
    expect(await operator.json(['keys', 'rotate'])).toMatchObject({ kid: rotated['kid'], is_new: false });
    const keys = await signingKeys();
    expect(keys.map(({ state }) => state)).toEqual(['next', 'signing']);
    expect((await getWith(`${iam.url}/iam/me`, accessToken)).status).toBe(200);
    expect((await refresh(iam.url, refreshToken)).status).toBe(200);
    expect((await operator.run(['keys', 'list'])).stdout).toContain(String(rotated['kid']));
  });

  it('keeps the old key for the longest life that an access token can have', async () => {
    await operator.json(['keys', 'rotate', '--activate-in', '0']);

    const [, old] = await signingKeys();

    const rest = Date.parse(String(old?.['retires_at'])) - Date.now();
    expect(rest).toBeGreaterThan(3_600_000);
    expect((await operator.run(['keys', 'rotate', '--activate-in', '-1'])).exitCode).toBe(2);
    expect((await operator.run(['keys', 'rotate', '--activate-in', '604801'])).exitCode).toBe(2);
  });

  it('seals everything anew, tells how far it is, and leaves the old key with nothing', async () => {
    const next = testKey();
    const both = { variables: { IAM_KEYS: `${next},${operator.key}` } };

    const { exitCode, stdout, stderr } = await operator.run(['keys', 'reseal'], both);

    expect([exitCode, stderr]).toEqual([0, '2 of 2\n']);
    expect(stdout).toContain(
      'Sealed anew: 1 provider secrets, 1 signing keys, 0 session keys, 0 subject secrets.',
    );
    const { sealing_keys: sealing } = await operator.json(['keys', 'list'], both);
    expect(sealing).toMatchObject([
      { is_current: true, provider_secrets: 1, signing_keys: 1 },
      { is_current: false, provider_secrets: 0, signing_keys: 0 },
    ]);
    const renewed = await start(next);
    await onPc({ url: renewed.url, wechat }, wechat.person({ nickname: '封' }));
    await renewed.close();
    const again = await operator.run(['keys', 'reseal', '--json'], { variables: { IAM_KEYS: next } });
    expect(again).toMatchObject({ exitCode: 0, stderr: '2 of 2\n' });
    expect(again.json()).toEqual({
      provider_secrets: 0,
      signing_keys: 0,
      session_keys: 0,
      subject_secrets: 0,
      left: 0,
    });
  });

  it('says what a lost key leaves behind', async () => {
    const lost = testKey();
    await operator.json(['provider', 'add', 'old', '--mp-token-from', '-'], {
      input: 'TheToken',
      variables: { IAM_KEYS: `${lost},${operator.key}` },
    });

    const { exitCode, stdout } = await operator.run(['keys', 'reseal']);

    expect(exitCode).toBe(1);
    expect(stdout).toContain('1 are left that IAM_KEYS does not open');
  });

  it('shows no key', async () => {
    const outputs = [await operator.run(['keys', 'list']), await operator.run(['keys', 'list', '--json'])];

    for (const { stdout } of outputs) {
      expect(stdout).not.toContain(operator.key);
      expect(stdout).not.toMatch(/sealed:|"d":/);
    }
  });
});
