import { once } from 'node:events';
import { naming } from '../../cli/commands/client-members.js';
import { WechatEmulator } from '../../emulator/index.js';
import { wrongMember } from '../../src/errors/iam.error.js';
import { OutgoingError } from '../../src/http/outgoing-calls.service.js';
import { AdminClient } from '../support/admin.js';
import { createDatabase, type TestDatabase } from '../support/database.js';
import { freePort } from '../../example/postgres/free-port.js';
import { type IamApp, startIamApp, testKey } from '../support/iam-app.js';
import { migrated } from '../support/templates.js';
import { PcBrowser } from '../support/pc-browser.js';
import { onPc } from '../support/signed-in.js';
import { rowsOf } from '../support/rows.js';
import { until } from '../support/until.js';
import { type Operator, recordOf, startOperator } from './support/operator.js';
import { command, spawnCommand } from './support/run-command.js';

/** From an empty database to somebody who may open the admin API, by the command line alone. */
describe('the first administrator', () => {
  let wechat: WechatEmulator;
  let operator: Operator;
  let iam: IamApp;

  beforeAll(async () => {
    wechat = await WechatEmulator.start();
    const site = wechat.openPlatformAccount().websiteApp({ callbackDomain: 'localhost' });
    operator = await startOperator();
    await operator.json(
      ['provider', 'add', 'wechat', '--open-app-id', site.appid, '--open-app-secret-from', '-'],
      {
        input: site.secret,
      },
    );
    iam = await startIamApp({
      databaseUrl: operator.database.url,
      endpoints: wechat.endpoints,
      key: operator.key,
    });
  });
  afterAll(async () => {
    await iam.close();
    await wechat.stop();
    await operator.close();
  });

  it('is told of an application by the names of the options', async () => {
    const of = (...given: string[]) => operator.run(['client', ...given]);

    const added = await of('add', 'shop');
    const whole = await of('add', 'shop', '--redirect-uri', 'https://shop.example.com/');
    const named = await of('set', 'shop', '--name', 'true', '--enabled', 'false', '--json');
    const cleared = await of('set', 'shop', '--clear', 'redirect-uri');
    const sector = await of(
      ...['set', 'shop', '--first-party', 'false', '--subject-type', 'pairwise'],
      ...['--sector-identifier-uri', 'https://localhost/sector.json'],
    );
    await operator.query(`DELETE FROM iam.clients WHERE id = 'shop'`);

    expect([added, whole, cleared].map(({ exitCode }) => exitCode === 0)).toEqual([false, true, false]);
    expect(named.json()).toMatchObject({ name: 'true', enabled: false });
    expect(sector).toMatchObject({ exitCode: 2 });
    expect(sector.stderr).toContain('--sector-identifier-uri: the command line reads it from a public https');
    expect(added.stderr).toContain('--redirect-uri: expected at least one');
    expect(cleared.stderr).toContain('--redirect-uri: expected at least one');
  });

  it('has called a command rightly where the document of a sector does not come in time', async () => {
    const late = new OutgoingError('no response in time');

    const told = naming(Promise.reject(wrongMember('sector_identifier_uri', late.message, late)));

    await expect(told).rejects.toMatchObject({
      code: 'sector_document_unread',
      message: expect.stringMatching(/^--sector-identifier-uri: no response in time /) as string,
    });
  });

  it('makes API keys for services, lists and ends them', async () => {
    await operator.query(`INSERT INTO iam.roles (name, permissions) VALUES ('reporter', '{orders:read}')`);
    await operator.query(
      `INSERT INTO iam.clients (id, name, type, grants, roles) VALUES ('nightly', 'n', 'service', '{client_credentials}', '{reporter}')`,
    );
    const add = (...given: string[]) => ['api-key', 'add', 'nightly', '--name', 'cron', ...given];

    const beyond = await operator.run(add('--permission', 'orders:*'));
    const past = await operator.run(add('--expires-at', 'tomorrow'));
    const made = await operator.json(add('--permission', 'orders:read'));
    const { id } = recordOf(made['api_key']);
    const listed = await operator.json(['api-key', 'list', '--service', 'nightly']);
    const ended = await operator.json(['api-key', 'end', String(id)]);
    const left = await operator.json(['api-key', 'list', '--service', 'nightly']);

    expect([beyond.exitCode === 0, past.exitCode === 0]).toEqual([false, false]);
    expect(past.stderr).toContain('--expires-at');
    expect(made['key']).toMatch(/^iamk_/);
    expect(listed['api_keys']).toMatchObject([{ id, client_id: 'nightly', permissions: ['orders:read'] }]);
    expect([ended, left]).toEqual([{ ended: id }, { api_keys: [] }]);
    const sql = `SELECT actor FROM iam.audit_log WHERE action LIKE 'api_key.%' ORDER BY id`;
    expect(await operator.query(sql)).toEqual([{ actor: 'cli' }, { actor: 'cli' }]);
  });

  it('is made of a role, a person who has signed in, and one command', async () => {
    const person = wechat.person({ nickname: '站长' });
    const before = await onPc({ url: iam.url, wechat }, person);
    expect((await new AdminClient(iam.url, before.accessToken).get('users')).status).toBe(403);

    await operator.json(['role', 'add', 'admin', '--permission', 'iam:*', '--description', '站长']);
    const found = await operator.json(['user', 'find', '站']);
    const [user] = Array.isArray(found['users']) ? found['users'].map(recordOf) : [];
    const roles = await operator.json(['user', 'roles', String(user?.['id']), '--add', 'admin']);

    expect(roles).toEqual({ id: before.id, nickname: '站长', roles: ['admin'] });
    const after = await onPc({ url: iam.url, wechat }, person);
    expect((await new AdminClient(iam.url, after.accessToken).get('users')).status).toBe(200);
    const audited = await operator.query(
      `SELECT action, actor FROM iam.audit_log WHERE actor = 'cli' AND action LIKE '%role%' ORDER BY id`,
    );
    expect(audited).toEqual([
      { action: 'role.created', actor: 'cli' },
      { action: 'user.role_assigned', actor: 'cli' },
    ]);
  });

  it('is found by nickname, id, openid, unionid and external id', async () => {
    const { id } = await onPc({ url: iam.url, wechat }, wechat.person({ nickname: '小兰' }));
    await operator.query('UPDATE iam.users SET external_id = $2 WHERE id = $1', [id, 'shop-7']);
    const [identity] = await operator.query('SELECT openid, unionid FROM iam.identities WHERE user_id = $1', [
      id,
    ]);

    for (const query of ['小', id, identity?.['openid'], identity?.['unionid'], 'shop-7']) {
      const { users } = await operator.json(['user', 'find', String(query)]);
      expect(users).toMatchObject([{ id, nickname: '小兰', identity_count: 1 }]);
    }
    expect(await operator.json(['user', 'find', '小_'])).toEqual({ users: [], has_more: false });
    expect((await operator.run(['user', 'find', 'nobody'])).stdout).toBe('No such user.\n');
  });

  it('is told when there are more than were asked for', async () => {
    await operator.query(
      `INSERT INTO iam.users (id, nickname) SELECT gen_random_uuid(), '多' || n FROM generate_series(1, 60) n`,
    );

    const text = await operator.run(['user', 'find', '多']);
    expect(text.stdout.trimEnd().split('\n')).toHaveLength(52);
    expect(text.stdout).toContain('There are more');
    expect(await operator.json(['user', 'find', '多', '--limit', '100'])).toMatchObject({ has_more: false });
    expect((await operator.run(['user', 'find', '多', '--limit', '0'])).exitCode).toBe(2);
  });

  it('gives and takes roles all at once or not at all', async () => {
    const { id } = await onPc({ url: iam.url, wechat }, wechat.person({ nickname: '小竹' }));
    await operator.json([
      'role',
      'add',
      'support',
      '--permission',
      'iam:users:read',
      '--permission',
      'orders:*',
    ]);

    const failed = await operator.run([
      'user',
      'roles',
      id,
      '--add',
      'support',
      '--add',
      'no-such-role',
      '--json',
    ]);
    expect([failed.exitCode, failed.json()]).toMatchObject([1, { error: { code: 'not_found' } }]);
    expect(await operator.json(['user', 'roles', id])).toMatchObject({ roles: [] });

    await operator.json(['user', 'roles', id, '--add', 'support']);
    expect(await operator.json(['user', 'roles', id, '--add', 'admin', '--remove', 'support'])).toMatchObject(
      {
        roles: ['admin'],
      },
    );
    for (const nobody of ['01939a3c-4c10-7bbb-8d2f-1a2b3c4d5e6f', 'not-an-id'])
      expect((await operator.run(['user', 'roles', nobody, '--add', 'admin'])).exitCode).toBe(1);
  });

  it('changes what a role permits', async () => {
    await operator.json(['role', 'add', 'editor', '--permission', 'posts:*']);

    expect(
      await operator.json(['role', 'set', 'editor', '--permission', 'posts:write', '--default', 'true']),
    ).toMatchObject({
      name: 'editor',
      permissions: ['posts:write'],
      is_default: true,
    });

    const { roles } = await operator.json(['role', 'list']);
    expect(roles).toEqual(expect.arrayContaining([expect.objectContaining({ name: 'editor' })]));
    expect((await operator.run(['role', 'list'])).stdout).toMatch(
      /^role +permissions +default +description\n/,
    );
    expect((await operator.run(['role', 'add', 'editor', '--json'])).json()).toMatchObject({
      error: { code: 'already_exists' },
    });
    for (const wrong of [['--permission', 'Posts Write'], ['--default', 'maybe'], []])
      expect((await operator.run(['role', 'set', 'editor', ...wrong])).exitCode).toBe(2);
    expect((await operator.run(['role', 'add', 'Two Words'])).stderr).toContain('<name>');
  });
});

describe('emulator --demo', () => {
  let database: TestDatabase;
  let host: IamApp;
  const key = testKey();
  let wechat: string;
  let lines: string[];

  beforeAll(async () => {
    database = await createDatabase(migrated);
    const port = String(await freePort());
    wechat = `http://127.0.0.1:${port}`;
    const endpoints = { api: wechat, open: wechat, mp: wechat };
    host = await startIamApp({ databaseUrl: database.url, endpoints, key });
    const child = await spawnCommand(['emulator', '--demo', '--port', port, '--app', host.url]);
    let printed = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => (printed += text));
    await until('it prints its steps', () => printed.includes('/iam/token\n'));
    lines = printed.split('\n').map((line) => line.trim());
  });
  afterAll(async () => {
    await host.close();
    await database.drop();
  });

  const lineWith = (text: string) => lines.find((line) => line.includes(text)) ?? `(no line with ${text})`;
  const ask = (path: string, body: unknown) => new PcBrowser().visit(`${wechat}/_emulator${path}`, { body });

  it('begins with the line of an empty emulator, and names its people and their phone', () => {
    expect(lines[0]).toBe(`emulator ${wechat}`);
    expect(lines[1]).toContain('小兰');
    expect(lines).toContain(`${wechat}/phone`);
    expect(lineWith('endpoints')).toBe(
      `wechat: { endpoints: { api: '${wechat}', open: '${wechat}', mp: '${wechat}' } }`,
    );
  });

  it('is a world in which its own steps, done as they are printed, sign somebody in', async () => {
    const [, input = '', rest = ''] =
      /^echo '(.+)' \| npx nestjs-wechat-iam (.+)$/.exec(lineWith('provider add')) ?? [];
    const variables = { DATABASE_URL: database.url, IAM_KEY: key };
    expect(await command(rest.split(' '), { variables, input })).toMatchObject({ exitCode: 0 });
    const signIn = lineWith('/iam/authorize');
    await until('the row is known', async () => (await new PcBrowser().visit(signIn)).status === 302);

    await ask('/people/lan/open', { url: signIn });
    const page = await ask('/people/lan/confirm', {});
    const [, code = ''] = /\/signed-in\?code=([\w.-]+)/.exec(page.text) ?? [];
    const [, ...exchange] = lineWith('curl')
      .replace('=CODE', `=${code}`)
      .split(/ (?:-d )?/);
    const response = await fetch(exchange.at(-1) ?? '', {
      method: 'POST',
      body: new URLSearchParams(exchange.slice(0, -1).join('&')),
    });

    expect(await response.json()).toMatchObject({ token_type: 'Bearer', expires_in: 900 });
  });

  it('has the same row as SQL', async () => {
    await host.dataSource.query('DELETE FROM iam.identity_providers');
    await host.dataSource.query(lineWith('INSERT INTO'));

    const rows = await rowsOf(
      host.dataSource,
      'SELECT slug, open_app_secret, mp_token FROM iam.identity_providers',
    );
    expect(rows).toEqual([
      {
        slug: 'wechat',
        open_app_secret: 'plain:demo-secret-of-the-website-app-1',
        mp_token: 'plain:demoToken',
      },
    ]);
  });

  it.each([
    [['--app', 'http://localhost:1'], '--demo'],
    [['--demo', '--app', 'localhost:1'], 'expected the address'],
    [['--demo', '--app', 'http://localhost:1/path'], 'expected the address'],
  ])('refuses %j', async (more, reason) => {
    const { exitCode, stderr } = await command(['emulator', '--port', '0', ...more]);

    expect([exitCode, stderr]).toEqual([2, expect.stringContaining(reason)]);
  });

  it('is not what programs get: without the switch the world is empty', async () => {
    const child = await spawnCommand(['emulator', '--port', '0']);
    const [line] = (await once(child.stdout.setEncoding('utf8'), 'data')) as [string];
    const url = line.trim().replace('emulator ', '');

    const world = (await new PcBrowser().visit(`${url}/_emulator/`)).json();

    expect(world).toMatchObject({ people: [], apps: [] });
  });
});
