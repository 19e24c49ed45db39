import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';
import { DataSource } from 'typeorm';
import { until } from '../support/until.js';
import { startOperator, type Operator } from './support/operator.js';
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
    const child = spawnCommand(['role', 'list', '--json'], { variables: operator.variables });
    await once(child.stdout, 'readable');
    await delay(200);

    const printed: unknown = JSON.parse(await text(child.stdout));

    expect(printed).toMatchObject({ roles: { length: 1000 } });
  });

  it('does its work quietly when its reader has gone', async () => {
    const child = spawnCommand(['role', 'add', 'unread'], { variables: operator.variables });
    child.stdout.destroy();
    const ended = once(child, 'close');

    expect(await text(child.stderr)).toBe('');
    expect(await ended).toEqual([0, null]);
    expect(await operator.query(`SELECT name FROM iam.roles WHERE name = 'unread'`)).toHaveLength(1);
  });

  it('fails when nobody reads what is shown once', async () => {
    const child = spawnCommand(['provider', 'rotate', 'wechat', 'mp_token'], {
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
    const child = spawnCommand(give, { variables: operator.variables });
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
