import { once } from 'node:events';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import type { Person } from '../../emulator/index.js';
import { IamPagesModule } from '../../pages/server/index.js';
import { AdminClient, adminOptions, adminToken } from '../support/admin.js';
import { launchBrowser } from '../support/browser.js';
import { startWorld, type World } from '../support/iam-app.js';
import {
  answerQuestion,
  beyond,
  findBarriers,
  openStory,
  type Story,
  tabTo,
  turnTo,
  untilRead,
} from '../support/administration.js';
import { foreign, names, prepareOperation, searchOperation } from '../support/operation.js';
import { axeFindings, inAllLooks, storyTime } from '../support/pages.js';
import { giveUp, valueOf } from '../support/rows.js';
import { openPage } from '../support/shop-pages.js';
import { callbackAfterScan } from '../support/sign-in.js';
import { onPc } from '../support/signed-in.js';
import { until } from '../support/until.js';

let world: World;
let browser: Browser;
let admin: AdminClient;
let deadEvent: string;
let boss: Person;
/** Views that only the search in all looks opens. */
let more: readonly string[] = [];

beforeAll(async () => {
  const pages = IamPagesModule.forRoot({
    admin: true,
    siteName: { 'zh-CN': '山茶小铺', en: 'Camellia Tea' },
  });
  [browser, world] = await Promise.all([
    launchBrowser(),
    startWorld({ options: adminOptions, imports: [pages] }),
  ]);
  admin = new AdminClient(world.url);
  for (const nickname of names) await onPc(world, world.wechat.person({ nickname }));
  boss = world.wechat.person({ nickname: '掌柜' });
  const { id } = await onPc(world, boss);
  await admin.post('roles', { name: 'chief', description: '🍵 all', permissions: ['iam:*', 'orders:*'] });
  await admin.request('PUT', `users/${id}/roles/chief`);
  await admin.patch('providers/wechat', { name: '微信登录' });
  await world.dataSource.query(
    `INSERT INTO iam.audit_log (id, action, provider, client_id, ip, detail)
     VALUES (iam.audit_id(), 'login.failed', 'wechat', 'web', '203.0.113.7', '{"method":"mp","error":"snapshot_user"}')`,
  );
  deadEvent = await giveUp(world, id);
  if (inAllLooks) more = await prepareOperation(world, admin);
}, 120_000);
afterAll(() => world.close());

const at = (view: string) => `${world.url}/iam/ui/admin${view}`;
/** Signs the administrator in, by the way of the website's QR code. */
async function enterByWechat(page: Page, person = boss): Promise<void> {
  await page.goto(at(''));
  await signInHere(page, person);
}

/** As `enterByWechat`, on the page that offers it. */
async function signInHere(page: Page, person: Person): Promise<void> {
  await page.locator('[data-provider=wechat][data-method=open]').click();
  await page.waitForURL((url) => !url.href.startsWith(world.url));
  await page.goto(await callbackAfterScan(world.wechat, new URL(page.url()), person));
  await page.locator('.sections').waitFor({ state: 'attached' });
}

let signedIn: Awaited<ReturnType<BrowserContext['cookies']>> | undefined;

/** Opens a view as the administrator, who has signed in once for all tests that leave them signed in. */
async function seeAsBoss(page: Page, view: string): Promise<void> {
  if (signedIn === undefined) {
    await enterByWechat(page);
    signedIn = await page.context().cookies();
  } else await page.context().addCookies(signedIn);
  await see(page, view);
}

/** Opens a view and waits until it has read what it shows. */
async function see(page: Page, view: string): Promise<void> {
  await page.goto(at(view));
  await untilRead(page);
}

describe('every view of the operation', () => {
  const [pc, phone] = [
    { width: 1280, height: 900 },
    { width: 390, height: 844 },
  ];
  const light = { colorScheme: 'light', viewport: pc } as const;
  const dark = { colorScheme: 'dark', viewport: pc } as const;
  const zoomed = { ...light, viewport: { width: 640, height: 450 } };
  const inChinese = { locale: 'zh-CN', looks: [light, { ...dark, viewport: phone }, zoomed] } as const;
  const inEnglish = { locale: 'en-US', looks: [dark, { ...light, viewport: phone }] } as const;

  it.each<Story>([inChinese, inEnglish])(
    'has no barrier and fits the window: $locale',
    async (story) => {
      const { page, complaints, close } = await openStory(browser, story);
      await page.goto(at(''));
      await page.locator('[data-provider=wechat]').first().waitFor();
      const { looks, locale } = story;
      const found: Record<string, unknown> = {
        entry: await findBarriers(page, looks, `pages-entry-${locale}`),
      };
      await signInHere(page, boss);

      const views = [
        'overview',
        'logins',
        'audit',
        'events',
        'events/logouts?status=dead',
        `events/${deadEvent}`,
        'keys',
        'roles',
        'roles/+',
        'roles/chief',
        'bans',
        'nowhere',
        ...more,
      ];
      for (const view of views) {
        // One language by the addresses, the other by links.
        await (locale === 'zh-CN' ? see : turnTo)(page, `/${view}`);
        if (view === 'audit') await page.locator('.unfold button').first().click();
        const picture = `pages-${view.replaceAll('/', '-').slice(0, 16)}-${locale}`;
        found[view] = await findBarriers(page, looks, picture);
      }

      if (inAllLooks) Object.assign(found, await searchOperation(page, world, boss));
      expect(Object.entries(found).filter(([, barriers]) => JSON.stringify(barriers) !== '[]')).toEqual([]);
      // The browser says that nobody was signed in yet.
      expect(beyond(complaints, ...(inAllLooks ? ['Failed to load resource'] : []))).toEqual([]);
      await close();
    },
    storyTime(120_000),
  );
});

describe('the operation by hand', () => {
  let page: Page;
  let close: () => Promise<void>;

  beforeEach(async () => {
    ({ page, close } = await openPage(browser, { locale: 'en-US', viewport: { width: 1280, height: 700 } }));
  });
  afterEach(() => close());

  it('lets the keyboard alone enter, make a role and delete it', async () => {
    await page.goto(at('/roles/+'));
    await page.locator('#token').waitFor();
    await tabTo(page, '#token');
    await page.keyboard.type('wrong');
    await page.keyboard.press('Enter');
    await page.locator('#token-wrong').waitFor();
    await page.keyboard.press('Control+A');
    await page.keyboard.type(adminToken);
    await page.keyboard.press('Enter');
    await page.locator('#role-name').waitFor();

    await tabTo(page, '#role-name');
    await page.keyboard.type('Cashier!');
    await page.keyboard.press('Enter');
    await page.locator('.wrong').waitFor();
    expect(await page.evaluate('document.activeElement.id')).toBe('role-name');
    await page.keyboard.press('Control+A');
    await page.keyboard.type('cashier');
    await tabTo(page, 'input[value="iam:logins:read"]');
    await page.keyboard.press('Space');
    await tabTo(page, '#role-permissions');
    await page.keyboard.type('a'.repeat(129));
    await tabTo(page, '#role [type=submit]');
    await page.keyboard.press('Enter');
    await page.locator('#role-permissions-help.wrong', { hasText: 'aaa' }).waitFor();
    expect(await page.evaluate('document.activeElement.id')).toBe('role-permissions');
    await page.keyboard.press('Control+A');
    await page.keyboard.type('orders:read');
    await tabTo(page, '#role [type=submit]');
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'Role: cashier' }).waitFor();
    expect((await admin.get('roles/cashier')).json()['permissions']).toEqual([
      'iam:logins:read',
      'orders:read',
    ]);
    // Focus has gone to the new view, past the navigation.
    expect(await page.evaluate('document.activeElement.id')).toBe('main');

    await tabTo(page, '.head .el-button--danger');
    await page.keyboard.press('Enter');
    await page.locator('#question-word').waitFor();
    await page.keyboard.press('Escape');
    await page.locator('#question-word').waitFor({ state: 'hidden' });
    await page.keyboard.press('Enter');
    await tabTo(page, '#question-word');
    await page.keyboard.type('cashier');
    await page.keyboard.press('Enter');
    await page.waitForURL(at('/roles'));
    expect((await admin.get('roles/cashier')).status).toBe(404);
  }, 60_000);

  it('changes language and theme at a click, for the next visit too, and signs out', async () => {
    await enterByWechat(page);
    await see(page, '/keys');
    await page.getByRole('button', { name: '中文' }).click();
    await page.getByRole('heading', { name: '签名密钥' }).waitFor();
    await page.getByRole('button', { name: '切换到深色' }).click();
    await see(page, '/keys');
    expect(await page.title()).toBe('服务器密钥 · 山茶小铺');
    expect(await page.locator('html').getAttribute('lang')).toBe('zh-CN');
    expect(await page.locator('html').getAttribute('class')).toBe('dark');

    const tab = await page.context().newPage();
    await tab.goto(at('/roles'));
    await tab.locator('.sections').waitFor();
    const late = await page.context().newPage();
    const signedOut = new AbortController();
    let isHeld = false;
    await late.route('**/iam/me', async (route) => {
      const response = await route.fetch();
      isHeld = response.ok();
      await once(signedOut.signal, 'abort');
      await route.fulfill({ response });
    });
    await late.goto(at('/roles'));
    await until('it is known who asks', () => isHeld);
    await page.getByRole('button', { name: '退出' }).click();
    await page.locator('#token').waitFor();
    signedOut.abort();
    for (const each of [tab, late]) await each.locator('#token').waitFor();
    for (const each of [tab, late]) await each.close();
    await page.reload();
    await page.locator('#token').waitFor();
    const cookies = (await page.context().cookies()).map(({ name }) => name);
    expect(cookies.filter((name) => /access|refresh/.test(name))).toEqual([]);
  }, 60_000);

  it('shows a list again as it was left, when the person comes back', async () => {
    for (let index = 0; index < 55; index += 1) await admin.post('roles', { name: `role-${index}` });
    await seeAsBoss(page, '/roles');
    const rows = page.locator('tbody tr');
    const first = await rows.count();
    await page.getByRole('button', { name: 'Show more' }).click();
    await rows.nth(first).waitFor();
    const all = await rows.count();
    const third = rows.nth(first + 2);
    await third.getByRole('link').click();
    await page.locator('#role').waitFor();
    const requests: string[] = [];
    page.on('request', (request) => requests.push(request.url()));
    await page.goBack();
    await rows.nth(first).waitFor();

    expect(all).toBeGreaterThan(first);
    expect(await rows.count()).toBe(all);
    expect(await page.evaluate<number>('scrollY')).toBeGreaterThan(0);
    expect(requests.filter((url) => url.includes('/admin/roles?'))).toEqual([]);
  }, 60_000);

  it('says that nothing is found, that the server is away or fails, and tries again', async () => {
    await seeAsBoss(page, '/audit');
    await page.locator('[data-filter=user]').fill('00000000-0000-7000-8000-000000000000');
    await page.keyboard.press('Enter');
    await page.locator('.nothing').waitFor();
    expect(new URL(page.url()).searchParams.get('user')).toBe('00000000-0000-7000-8000-000000000000');

    await page.context().setOffline(true);
    await page.getByRole('button', { name: 'Clear' }).click();
    await page.locator('[data-code=offline]').waitFor();
    await page.context().setOffline(false);
    await page.getByRole('button', { name: 'Try again' }).click();
    await page.locator('tbody tr').first().waitFor();
    expect(await page.locator('[data-code=offline]').count()).toBe(0);

    await page.locator('[data-filter=user]').fill('nobody');
    await page.keyboard.press('Enter');
    await page.locator('[data-code=invalid_request]').waitFor();
  }, 60_000);

  it('believes no sign-in that this page has not begun, and keeps nothing of it in the address', async () => {
    await page.goto(at(foreign + encodeURIComponent(world.url)));
    await page.locator('[data-code=state_mismatch]').waitFor();

    expect(await page.locator('#main').textContent()).not.toContain('555-0100');
    expect(page.url()).toBe(at('/'));
  }, 60_000);

  it('leads from a problem of the overview to what was given up, and has it tried again', async () => {
    await seeAsBoss(page, '/overview');
    expect(await page.locator('[data-outcome=signed_up] .number').textContent()).toBe(inAllLooks ? '6' : '5');
    const tryAgain = async (problem: string, where: RegExp, name: string) => {
      await page.locator(`[data-problem=${problem}] a`).click();
      await page.waitForURL(where);
      await page.getByRole('button', { name }).click();
      await page.locator('.done.shown').waitFor();
    };
    await tryAgain('inbox_dead', /events\?status=dead$/, 'Try again');
    await see(page, '/overview');
    await tryAgain('backchannel_dead', /events\/logouts\?status=dead$/, 'Send again');

    const areOpen = `SELECT (SELECT status FROM iam.webhook_events WHERE id = $1) <> 'dead' AND attempts = 0 FROM iam.backchannel_logouts`;
    expect(await valueOf(world.dataSource, areOpen, [deadEvent])).toBe(true);
  }, 60_000);

  it('tells in the audit log what a column was and is, and hides what one may not see', async () => {
    await seeAsBoss(page, '/audit?action=provider.updated');
    const change = page.locator('.change').first();
    expect(await change.locator('del').textContent()).toBe('微信');
    expect(await change.locator('ins').textContent()).toBe('微信登录');

    const clerk = world.wechat.person({ nickname: 'Clerk' });
    const { id } = await onPc(world, clerk);
    await admin.post('roles', { name: 'clerk', permissions: ['iam:logins:read'] });
    await admin.request('PUT', `users/${id}/roles/clerk`);
    const other = await openPage(browser, { locale: 'en-US' });
    await enterByWechat(other.page, clerk);
    await other.page.waitForURL(at('/logins'));
    expect(await other.page.locator('.sections a').count()).toBe(1);
    await see(other.page, '/audit');
    expect(await other.page.locator('#main h1').textContent()).toBe('You may not see this page');
    if (inAllLooks) expect(await axeFindings(other.page)).toEqual([]);
    await other.close();
  }, 60_000);

  it('leaves nobody signed in in the browser when somebody with the admin token signs out', async () => {
    await page.goto(at('/keys'));
    await page.locator('#token').fill(adminToken);
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'Signing keys' }).waitFor();
    const tab = await page.context().newPage();
    await enterByWechat(tab);

    await page.getByRole('button', { name: 'Sign out' }).click();

    await page.locator('#token').waitFor();
    await tab.locator('#token').waitFor();
    await page.reload();
    await page.locator('#token').waitFor();
  }, 60_000);

  it('shows why an erased user stays barred, finds the ban by an identity, and lifts it', async () => {
    const person = world.wechat.person({ nickname: '抹除' });
    const { id } = await onPc(world, person);
    const query = 'SELECT openid FROM iam.identities WHERE user_id = $1';
    const openid = String(await valueOf(world.dataSource, query, [id]));
    await admin.post(`users/${id}/disable`, { reason: '发布广告' });
    await admin.delete(`users/${id}`);
    await seeAsBoss(page, '/bans');
    const asked: string[] = [];
    page.on('request', (request) => asked.push(request.url()));
    await page.locator('[data-filter=appid]').fill(world.site.appid);
    await page.keyboard.press('Enter');
    expect(asked).toEqual([]);
    await page.locator('[data-filter=openid]').fill(openid);
    await page.keyboard.press('Enter');
    const row = page.locator(`[data-row="${id}"]`);
    await row.waitFor();
    await row.getByRole('button', { name: 'Details' }).click();
    await page.getByText('Reason: 发布广告').waitFor();

    await row.getByRole('button', { name: /^Lift/ }).click();
    await answerQuestion(page);
    await page.getByText('No lasting bans.').waitFor();

    expect((await onPc(world, person)).id).not.toBe(id);
  }, 60_000);
});
