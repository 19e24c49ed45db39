import { createServer } from 'node:net';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import type { Browser } from 'playwright-core';
import { demoProviders } from '../../example/demo/demo-providers.js';
import { launchBrowser } from '../support/browser.js';
import { createDatabase } from '../support/database.js';
import {
  type ExampleApp,
  failToStart,
  openShop,
  type Shop,
  startExample,
  waitUntil,
} from '../support/example-app.js';
import { openFollowPage, openPage, openPhone, scanAndAllow, signedInUser } from '../support/shop-pages.js';

const leavesNothing = async (shop: ExampleApp): Promise<void> => {
  expect(await shop.leftovers()).toEqual([]);
  await waitUntil(async () => (await shop.processes()).length === 0);
};

describe('starting and stopping the example', () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await launchBrowser();
  }, 60_000);
  afterAll(() => browser.close());

  describe('with nothing set', () => {
    let shop: ExampleApp;
    beforeAll(async () => {
      shop = await startExample();
    }, 60_000);
    afterAll(() => shop.clean());

    it('makes up an admin token, which standard error tells and no page', async () => {
      const [, token = ''] = /opens with: (\S+)$/m.exec(shop.errors()) ?? [];
      const headers = { authorization: `Bearer ${token}` };
      const { status } = await fetch(`${shop.url}/iam/admin/keys`, { headers });
      const paths = ['/', '/iam/ui/admin', '/demo.json', '/docs', '/docs-json'];
      const pages = await Promise.all(paths.map(async (path) => (await fetch(shop.url + path)).text()));

      expect(status).toBe(200);
      expect(token.length).toBeGreaterThanOrEqual(32);
      expect(pages.filter((page) => page.includes(token))).toEqual([]);
    });

    it('prints one line and leaves no process and no file after Ctrl-C, although a browser waits', async () => {
      const { page, close } = await openPage(browser);
      await openFollowPage(page, shop, 'wechat-follow');
      const during = await shop.processes();
      const before = performance.now();

      const exitCode = await shop.stop('SIGINT');

      expect(exitCode).toBe(0);
      expect(performance.now() - before).toBeLessThan(4_000);
      expect(shop.output()).toEqual([`ready ${shop.url}`]);
      if (process.platform === 'linux') expect(during.length).toBeGreaterThan(0);
      await leavesNothing(shop);
      await close();
    }, 60_000);
  });

  it('leaves nothing behind when it is killed', async () => {
    const shop = await startExample();

    await shop.stop('SIGKILL');

    await waitUntil(async () => (await shop.leftovers()).length === 0);
    await leavesNothing(shop);
    await shop.clean();
  }, 60_000);

  describe('with a DATA_DIR', () => {
    let folder: string;
    let first: ExampleApp;
    let before: Awaited<ReturnType<typeof signIn>>;
    const start = () => startExample({ DATA_DIR: join(folder, 'data') });
    beforeAll(async () => {
      folder = await mkdtemp(join(tmpdir(), 'kept-'));
      first = await start();
      before = await signIn(browser, first);
    }, 60_000);
    afterAll(async () => {
      await first.clean();
      await rm(folder, { recursive: true });
    });

    it('takes the Ctrl-C that npm passes on for the one the terminal has sent', async () => {
      const exitCodes = await Promise.all([first.stop('SIGINT'), first.stop('SIGINT')]);

      expect(exitCodes).toEqual([0, 0]);
      await leavesNothing(first);
    }, 60_000);

    it('keeps the users for the next start', async () => {
      await first.clean();
      const second = await start();
      const after = await signIn(browser, second);
      await second.clean();

      expect(after).toEqual(before);
      expect(first.errors()).not.toContain('Warning');
    }, 60_000);
  });

  it('starts twice at once on one new database, of which both are replicas', async () => {
    const database = await createDatabase();

    const replicas = await Promise.all([1, 2].map(() => startExample({ DATABASE_URL: database.url })));
    const client = new pg.Client({ connectionString: database.url });
    await client.connect();
    const { rows } = await client.query(`
      SELECT (SELECT count(*)::int FROM iam.identity_providers) AS providers,
             (SELECT count(*)::int - count(DISTINCT name)::int FROM migrations) AS repeated`);
    await client.end();
    const exitCodes = await Promise.all(replicas.map((replica) => replica.stop('SIGTERM')));

    expect(rows).toEqual([{ providers: demoProviders.length, repeated: 0 }]);
    expect(exitCodes).toEqual([0, 0]);
    await Promise.all(replicas.map((replica) => replica.clean()));
    await database.drop();
  }, 60_000);

  it('replaces the demo’s row by those of IAM_PROVIDERS, whose apps the emulator then knows', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'rows-'));
    const row = {
      slug: 'staff',
      name: 'Staff',
      open_app_id: 'wxstaff000000open',
      open_app_secret: 'staff-secret',
    };
    await writeFile(join(folder, 'rows.json'), JSON.stringify([row]));

    const shop = await openShop({ IAM_PROVIDERS: join(folder, 'rows.json') });
    const user = await signIn(browser, shop);
    const list = await (await fetch(`${shop.url}/iam/providers`)).text();

    expect(user.nickname).toBe('小兰');
    expect(list).toContain('"staff"');
    expect(list).not.toContain('"wechat"');
    await rm(folder, { recursive: true });
  }, 120_000);
});

describe('a start that cannot succeed', () => {
  const bad = (name: string): string => join(import.meta.dirname, `does-not-exist-${name}`);

  it.each([
    ['an unreadable IAM_PROVIDERS', { IAM_PROVIDERS: bad('rows.json') }, bad('rows.json')],
    ['an unreachable database', { DATABASE_URL: 'postgresql://me:hidden@127.0.0.1:1/db' }, 'ECONNREFUSED'],
    ['a wrong port', { PORT: '3000x' }, 'PORT'],
    ['a wrong key', { IAM_KEY: 'short' }, '32 random bytes'],
    ['a DATA_DIR that is a file', { DATA_DIR: import.meta.filename }, import.meta.filename],
  ])('says why in one line and exits with 1: %s', (_, variables: Record<string, string>, reason) =>
    expectComplaint(variables, reason),
  );

  it.each([
    ['a short admin token', { IAM_ADMIN_TOKEN: 'hidden' }, 'IAM_ADMIN_TOKEN'],
    ['a wrong address of WeChat', { WECHAT_API_URL: 'http://example.com' }, 'wechat.endpoints.api'],
  ])(
    'says why in one line and exits with 1, its database open: %s',
    async (_, variables: Record<string, string>, reason) => {
      const database = await createDatabase();

      await expectComplaint({ DATABASE_URL: database.url, ...variables }, reason);

      await database.drop();
    },
  );

  it.each(['PORT', 'EMULATOR_PORT'])('says that the port is in use: %s', async (variable) => {
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
    const address = other.address();
    const port = typeof address === 'object' && address !== null ? String(address.port) : '';

    const database = await createDatabase();
    const variables = { DATABASE_URL: database.url, IAM_KEY: demoKey, [variable]: port };

    const { exitCode, output, errors, leftovers } = await failToStart(variables);

    expect({ exitCode, output, leftovers }).toEqual({ exitCode: 1, output: '', leftovers: [] });
    expect(errors.trim()).toBe(`Port ${port} is in use: stop what listens there or set ${variable}.`);
    await new Promise((resolve) => other.close(resolve));
    await database.drop();
  });

  it('does not repeat the secrets of a file that is not JSON', async () => {
    const file = join(await mkdtemp(join(tmpdir(), 'rows-')), 'rows.json');
    await writeFile(file, '[{"slug":"wechat","mp_app_secret":canary}]');

    const { exitCode, errors } = await failToStart({ IAM_PROVIDERS: file });

    expect(exitCode).toBe(1);
    expect(errors).toContain('it is not valid JSON');
    expect(errors).not.toContain('canary');
    await rm(join(file, '..'), { recursive: true });
  });
});

async function expectComplaint(variables: Record<string, string>, reason: string): Promise<void> {
  const { exitCode, output, errors, leftovers } = await failToStart({ IAM_KEY: demoKey, ...variables });

  expect(exitCode).toBe(1);
  expect(output).toBe('');
  expect(errors.trim().split('\n')).toHaveLength(1);
  expect(errors).toContain(reason);
  expect(errors).not.toContain('hidden');
  expect(leftovers).toEqual([]);
}

const demoKey = Buffer.alloc(32, 7).toString('base64');

async function signIn(browser: Browser, shop: Shop): Promise<{ id: string; nickname: string }> {
  const { page, close } = await openPage(browser);
  await page.goto(shop.url);
  await page.locator('[data-go=sign-in]').click();
  await page.frameLocator('iframe').locator('[data-status=waiting]').waitFor();
  await scanAndAllow(await openPhone(page, shop.url, 'lan'));
  const user = await signedInUser(page);
  await close();
  return user;
}
