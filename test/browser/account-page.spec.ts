import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import type { Person } from '../../emulator/index.js';
import { IamPagesModule } from '../../pages/server/index.js';
import { AccessTokens } from '../../src/index.js';
import { launchBrowser } from '../support/browser.js';
import { FakeClock } from '../support/fake-clock.js';
import { startWorld, type World } from '../support/iam-app.js';
import { axeFindings, inAllLooks, newestQrCode, storyTime } from '../support/pages.js';
import { userAgents } from '../support/pc-browser.js';
import { getWith } from '../support/sign-in.js';
import { valueOf } from '../support/rows.js';
import { until } from '../support/until.js';

const looks: BrowserContextOptions[] = [
  { locale: 'zh-CN', colorScheme: 'dark', viewport: { width: 1280, height: 800 } },
  { locale: 'en-US', colorScheme: 'light', viewport: { width: 390, height: 700 } },
];
/** Right-to-left, with emoji, longer than any line. */
const longName = `مرحبا 🌸 ${'长'.repeat(50)}`;

/** Lets the person into the administration, and a third party's application in with all that it may ask for. */
const lettingIn = [
  `INSERT INTO iam.roles (name, permissions) VALUES ('chief', '{iam:*,orders:*}') ON CONFLICT DO NOTHING`,
  `INSERT INTO iam.user_roles (user_id, role) SELECT id, 'chief' FROM iam.users WHERE nickname = '小兰 <b>' ON CONFLICT DO NOTHING`,
  `INSERT INTO iam.clients (id, name, client_uri, first_party) VALUES ('tea', '${longName}', 'https://tea.example/', false)
   ON CONFLICT DO NOTHING`,
  `INSERT INTO iam.consents (user_id, client_id, scopes)
   SELECT id, 'tea', '{openid,profile,phone,roles,offline_access}' FROM iam.users WHERE nickname = '小兰 <b>' ON CONFLICT DO NOTHING`,
];

describe('the account page', () => {
  const clock = new FakeClock();
  let world: World;
  let browser: Browser;
  const opened: Page[] = [];

  beforeAll(async () => {
    browser = await launchBrowser();
    world = await startWorld({
      clock,
      imports: [IamPagesModule.forRoot({ account: true, siteName: '山茶小铺' })],
      options: { rateLimits: 'off', recentSignIn: 60, admin: { crossDeviceSessions: 'refuse' } },
    });
  });
  afterEach(async () => {
    await Promise.all(opened.splice(0).map((page) => page.context().close()));
  });
  afterAll(async () => {
    await browser.close();
    await world.close();
  });

  /** Scans the code that the page of the chooser, or WeChat's own page, shows now. */
  async function scan(page: Page, person: Person): Promise<void> {
    const shown = page.url().startsWith(world.wechat.endpoints.open) ? page : page.frameLocator('iframe');
    await shown.locator('img').first().waitFor();
    await person.scan(await newestQrCode(world));
    await person.confirm();
    await page.waitForURL(/\/ui\/account$/);
  }

  /** A person at the page in a browser of their own, who has signed in by the chooser. */
  async function signedIn(look: BrowserContextOptions, person: Person): Promise<Page> {
    const context = await browser.newContext({ userAgent: userAgents.pc, ...look });
    context.setDefaultTimeout(20_000);
    const page = await context.newPage();
    opened.push(page);
    await page.goto(`${world.url}/iam/ui/account`);
    await page.waitForURL(/\/ui\/sign-in\?/);
    await scan(page, person);
    await page.locator('.profile').waitFor();
    return page;
  }

  /** What stands in the way in the dialogs and states that one person comes to; ends signed out. */
  async function searchEveryState(page: Page, look: BrowserContextOptions, person: Person) {
    const found: Record<string, readonly string[]> = {};
    const dialog = page.locator('dialog[open]');
    const search = async (name: string) => {
      found[name] = await axeFindings(page);
    };
    const searchDialog = async (name: string, opener: RegExp) => {
      await button(page, opener).last().click();
      await dialog.waitFor();
      await search(name);
      await page.keyboard.press('Escape');
      await dialog.waitFor({ state: 'detached' });
    };
    await signedIn(look, person);
    const known = `UPDATE iam.users SET phone_number = '+8613800000000', phone_verified_at = now() WHERE nickname = $1`;
    await world.dataSource.query(known, ['小兰 <b>']);
    for (const sql of lettingIn) await world.dataSource.query(sql);
    await page.reload();
    await page.getByText('+8613800000000').waitFor();
    await search('phone number, application and API keys');
    await searchDialog('withdraw', /^撤回：|^Withdraw from/);
    await button(page, /^新建密钥$|^New key$/).click();
    await dialog.waitFor();
    await search('make a key');
    await page.locator('#key-name').fill(longName);
    await answer(page);
    await dialog.locator('code', { hasText: '_' }).waitFor();
    await search('key made');
    await answer(page);
    await searchDialog('end a key', /^停用密钥：|^End the key/);
    await searchDialog('remove the phone number', /^删除手机号|^Remove/);
    await searchDialog('end a device', /^退出设备：|^Sign out (?!all)/);
    await searchDialog('end all others', /^退出其他所有设备$|^Sign out all other devices$/);
    clock.advance(600);
    await button(page, /^绑定其他微信$|^Link another WeChat$/).click();
    await search('link');
    await answer(page);
    await page.getByRole('heading', { name: /请再次登录确认身份|Sign in again to confirm/ }).waitFor();
    await search('sign in again');
    clock.advance(-600);
    await page.keyboard.press('Escape');
    await button(page, /^绑定其他微信$|^Link another WeChat$/).click();
    await answer(page);
    await page.waitForURL(/\/connect\/qrconnect/);
    await scan(page, world.wechat.person({ nickname: longName }));
    await page
      .getByRole('status')
      .getByText(/绑定成功|^Linked$/)
      .waitFor();
    await search('linked');
    await searchDialog('unlink', /^解除绑定：|^Unlink /);
    await page.route('**/iam/me', (route) => route.abort());
    await page.reload();
    await page.getByRole('alert').filter({ visible: true }).first().waitFor();
    await search('offline');
    await page.unroute('**/iam/me');
    await page.reload();
    await button(page, /^退出登录$|^Sign out$/)
      .first()
      .click();
    await page.getByRole('heading', { name: /您已退出登录|You are signed out/ }).waitFor();
    await search('signed out');
    return Object.entries(found).filter(([, barriers]) => barriers.length > 0);
  }

  const button = (page: Page, name: RegExp) => page.getByRole('button', { name });
  const answer = (page: Page) => page.locator('dialog [type=submit]').click();

  it.each(looks)(
    'shows who one is, and keeps a nickname: %j',
    async (look) => {
      const person = world.wechat.person({ nickname: longName });
      const page = await signedIn(look, person);
      expect(await axeFindings(page)).toEqual([]);
      expect(await page.evaluate('document.documentElement.scrollWidth <= innerWidth')).toBe(true);
      await page.getByText(/唯一的登录方式不能解除|The only way to sign in cannot be removed/).waitFor();

      await button(page, /修改昵称|Change nickname/).click();
      await page.keyboard.press('Control+A');
      await page.keyboard.type('\u200b');
      await page.keyboard.press('Enter');
      await page
        .getByRole('alert')
        .getByText(/没有可见的字符|nothing visible/)
        .waitFor();
      expect(await axeFindings(page)).toEqual([]);
      await page.keyboard.press('Control+A');
      await page.keyboard.type('小兰 <b>');
      await page.keyboard.press('Enter');

      await page
        .getByRole('status')
        .getByText(/昵称已保存|Nickname saved/)
        .waitFor();
      expect(await page.locator('.name').innerText()).toBe('小兰 <b>');
      expect(await page.evaluate('document.activeElement.textContent.trim()')).toMatch(
        /修改昵称|Change nickname/,
      );
      await page.reload();
      await page.locator('.name', { hasText: '小兰 <b>' }).waitFor();
      if (inAllLooks) expect(await searchEveryState(page, look, person)).toEqual([]);
    },
    storyTime(60_000),
  );

  it('makes an API key for a person with permissions, shows it once, and ends it', async () => {
    const page = await signedIn(looks[1] ?? {}, world.wechat.person({ nickname: '密钥' }));
    const before = await page.getByRole('heading', { name: 'API keys' }).count();
    await world.dataSource.query(`INSERT INTO iam.roles (name, permissions) VALUES ('clerk', '{orders:*}')`);
    await world.dataSource.query(
      `INSERT INTO iam.user_roles (user_id, role) SELECT id, 'clerk' FROM iam.users WHERE nickname = '密钥'`,
    );
    await page.reload();
    await button(page, /^New key$/).click();
    await page.getByLabel('What it is for').fill('daily report');
    await page.getByLabel('orders:*').check();
    const barriers = await axeFindings(page);
    await answer(page);
    const shown = page.locator('dialog code', { hasText: /^iamk_/ });
    const key = await shown.innerText();
    await page.keyboard.press('Escape');
    const isStillShown = await shown.isVisible();
    const works = await getWith(`${world.url}/iam/me`, key);
    await answer(page);
    await shown.waitFor({ state: 'detached' });
    const isGone = !(await page.content()).includes(key);
    await button(page, /^End the key daily report$/).click();
    await answer(page);
    await page.getByRole('status').getByText('The key is ended').waitFor();

    expect([before, barriers, isStillShown, isGone]).toEqual([0, [], true, true]);
    expect(works.json()['code']).toBe('person_required');
    expect((await getWith(`${world.url}/iam/me`, key)).json()['code']).toBe('invalid_token');
  });

  it('links another WeChat and unlinks it, after a new sign-in where the last one is too old', async () => {
    const [person, other] = [
      world.wechat.person({ nickname: '甲' }),
      world.wechat.person({ nickname: '乙' }),
    ];
    const page = await signedIn({ locale: 'zh-CN' }, person);
    await button(page, /^修改昵称$/).click();
    await page.locator('#nickname').fill('写到一半');
    clock.advance(600);

    await button(page, /^绑定其他微信$/).click();
    expect(await axeFindings(page)).toEqual([]);
    await answer(page);
    await page.getByRole('heading', { name: '请再次登录确认身份' }).waitFor();
    expect(await axeFindings(page)).toEqual([]);
    clock.advance(-600);
    await answer(page);
    await page.waitForURL(/\/ui\/sign-in\?/);
    await page.getByRole('link', { name: /^返回/ }).click();
    await page.getByRole('status').getByText('您在微信里取消了').waitFor();
    clock.advance(600);
    await answer(page);
    await page.getByRole('heading', { name: '请再次登录确认身份' }).waitFor();
    clock.advance(-600);
    await answer(page);
    await page.waitForURL(/\/ui\/sign-in\?/);
    await scan(page, person);
    await page.getByRole('heading', { name: '绑定其他微信' }).waitFor();
    expect(await page.locator('#nickname').inputValue()).toBe('写到一半');
    await answer(page);
    await page.waitForURL(/\/connect\/qrconnect/);
    await scan(page, other);

    await page.getByRole('status').getByText('绑定成功').waitFor();
    expect(await page.locator('section[aria-labelledby=identities] li').count()).toBe(2);
    await button(page, /^解除绑定：/)
      .last()
      .click();
    expect(await axeFindings(page)).toEqual([]);
    await answer(page);
    await page.getByRole('status').getByText('已解除绑定').waitFor();
    expect(await page.locator('section[aria-labelledby=identities] li').count()).toBe(1);

    await signedIn({ locale: 'zh-CN' }, other);
    await button(page, /^绑定其他微信$/).click();
    await answer(page);
    await page.waitForURL(/\/connect\/qrconnect/);
    await scan(page, other);
    await page.getByRole('status').getByText('这个微信已属于另一个账号').waitFor();
  }, 60_000);

  it('says why a session of a scan links no WeChat to an account that may administer', async () => {
    const page = await signedIn({ locale: 'zh-CN' }, world.wechat.person({ nickname: '管' }));
    await world.dataSource.query(
      `WITH keeper AS (INSERT INTO iam.roles (name, permissions) VALUES ('keeper', '{iam:users:read}') RETURNING name)
       INSERT INTO iam.user_roles (user_id, role) SELECT u.id, keeper.name FROM iam.users u, keeper WHERE nickname = '管'`,
    );
    const tokens = world.app.get(AccessTokens);
    const [access] = (await page.context().cookies()).filter(({ name }) => name === 'iam-access');
    const claims = await tokens.verify(access?.value ?? '');
    const scanned = await tokens.issue({ ...claims, roles: ['keeper'], method: 'follow' });
    await page.context().addCookies([{ ...access, name: 'iam-access', value: scanned }]);

    await button(page, /^绑定其他微信$/).click();
    await answer(page);

    await page.locator('dialog[open]').getByText('请在微信内登录后再绑定').waitFor();
    expect(await axeFindings(page)).toEqual([]);
  });

  it('does not continue for another person what one has begun', async () => {
    const [person, other] = [
      world.wechat.person({ nickname: '丙' }),
      world.wechat.person({ nickname: '丁' }),
    ];
    const page = await signedIn({ locale: 'en-US' }, person);
    clock.advance(600);
    await button(page, /^Delete…$/).click();
    await page.getByRole('checkbox').check();
    await answer(page);
    await page.getByRole('heading', { name: 'Sign in again to confirm it is you' }).waitFor();
    clock.advance(-600);

    await answer(page);
    await page.waitForURL(/\/ui\/sign-in\?/);
    await scan(page, other);

    await page.getByRole('status').getByText('Another account has signed in just now').waitFor();
    expect(await page.locator('dialog[open]').count()).toBe(0);
    expect(
      await valueOf(world.dataSource, 'SELECT count(*)::int FROM iam.users WHERE deletion_at IS NOT NULL'),
    ).toBe(0);
  }, 60_000);

  it('ends one device and all others, and signs out', async () => {
    const person = world.wechat.person({ nickname: '戊' });
    const phones = [await signedIn(looks[1] ?? {}, person), await signedIn(looks[1] ?? {}, person)];
    const page = await signedIn({ locale: 'zh-CN' }, person);
    const devices = page.locator('section[aria-labelledby=devices] li');
    expect(await devices.count()).toBe(3);
    expect(await devices.first().innerText()).toContain('当前设备');

    await button(page, /^退出设备：/)
      .first()
      .click();
    await answer(page);
    await page.getByRole('status').getByText('该设备已退出').waitFor();
    expect(await devices.count()).toBe(2);
    await button(page, /^退出其他所有设备$/).click();
    await answer(page);
    await page.getByRole('status').getByText('已退出 1 台设备').waitFor();
    expect(await devices.count()).toBe(1);

    const tab = await page.context().newPage();
    await tab.goto(page.url());
    await button(tab, /^退出登录$/).waitFor();
    const refreshes: string[] = [];
    page.context().on('request', (request) => {
      if (request.url().endsWith('/iam/token')) refreshes.push(request.postData() ?? '');
    });
    clock.advance(1_000);
    await Promise.all([page, tab].map((each) => each.reload()));
    await Promise.all([page, tab].map((each) => button(each, /^退出登录$/).waitFor()));
    clock.advance(-1_000);
    expect(refreshes).toEqual([expect.stringContaining('grant_type=refresh_token')]);

    await tab.route('**/iam/revoke', (route) => route.abort());
    await button(tab, /^退出登录$/).click();
    await tab.getByRole('status').getByText('无法连接').waitFor();
    expect(await button(page, /^退出登录$/).count()).toBe(1);
    const late = await page.context().newPage();
    const signedOut = new AbortController();
    let held = 0;
    await late.route(/\/iam\/(me|providers)/, async (route) => {
      const response = await route.fetch();
      if (response.ok()) held += 1;
      if (response.ok()) await once(signedOut.signal, 'abort');
      await route.fulfill({ response });
    });
    await late.goto(page.url());
    await until('all has been read', () => held === 6);
    await button(page, /^退出登录$/).click();
    for (const each of [page, tab]) await each.getByRole('heading', { name: '您已退出登录' }).waitFor();
    signedOut.abort();
    await late.waitForURL(/\/ui\/sign-in\?/);
    expect(await tab.locator('.profile').count()).toBe(0);
    expect(await axeFindings(page)).toEqual([]);
    clock.advance(1_000);
    for (const phone of phones) {
      await phone.goto(`${world.url}/iam/ui/account`);
      await phone.waitForURL(/\/ui\/sign-in\?/);
    }
    clock.advance(-1_000);
  }, 60_000);

  it.each(looks)(
    'hands out all data, and takes a deletion back: %j',
    async (look) => {
      const page = await signedIn(look, world.wechat.person({ nickname: '己' }));
      const download = page.waitForEvent('download');
      await button(page, /^下载$|^Download$/).click();
      const document: unknown = JSON.parse(await readFile(await (await download).path(), 'utf8'));
      expect(document).toMatchObject({ profile: { nickname: '己' } });

      await button(page, /^删除…$|^Delete…$/).click();
      expect(await page.locator('dialog [type=submit]').isDisabled()).toBe(true);
      await page.keyboard.press('Escape');
      expect(await page.locator('dialog[open]').count()).toBe(0);
      await button(page, /^删除…$|^Delete…$/).click();
      await page.getByRole('checkbox').check();
      expect(await axeFindings(page)).toEqual([]);
      await answer(page);
      await page.getByText(/您的账号将于|Your account will be deleted on/).waitFor();
      expect(await axeFindings(page)).toEqual([]);
      await button(page, /保留我的账号|Keep my account/).click();

      await page
        .getByRole('status')
        .getByText(/您的账号将保留|Your account stays/)
        .waitFor();
      await button(page, /^删除…$|^Delete…$/).waitFor();
    },
    storyTime(60_000),
  );

  it('says in its own language why a sign-in failed, whatever the browser speaks', async () => {
    const gone = world.wechat.person({ nickname: '辛' });
    const page = await signedIn({ locale: 'en-US' }, gone);
    await page.getByRole('button', { name: '中文' }).click();
    await button(page, /^退出登录$/).click();
    await page.route('**/iam/token', async (route) => {
      await world.dataSource.query(`UPDATE iam.users SET status = 'disabled' WHERE nickname = '辛'`);
      await route.continue();
    });
    await button(page, /^登录$/).click();
    await page.waitForURL(/\/ui\/sign-in\?/);
    await scan(page, gone);
    await page.getByText('该账号已被停用').waitFor();

    await page.getByRole('button', { name: 'English' }).click();

    await page.getByText('This account is disabled.').waitFor();
  }, 60_000);

  it('runs no other file of the host, and makes no HTML of strings', async () => {
    const page = await signedIn({ locale: 'en-US' }, world.wechat.person({ nickname: '壬' }));

    const refused = await page.evaluate(`new Promise((resolve) => {
      document.addEventListener('securitypolicyviolation', ({ effectiveDirective, blockedURI }) =>
        resolve([effectiveDirective, new URL(blockedURI).pathname]));
      import('/uploads/evil.js').catch(() => undefined);
    })`);
    const made = await page.evaluate(`new Promise((resolve) => {
      try { document.body.innerHTML = '<b>x</b>'; resolve('made'); } catch ({ name }) { resolve(name); }
    })`);

    expect([refused, made]).toEqual([['script-src-elem', '/uploads/evil.js'], 'TypeError']);
  }, 60_000);

  it('says what is wrong and tries again where nothing can be loaded', async () => {
    const page = await signedIn({ locale: 'zh-CN' }, world.wechat.person({ nickname: '庚' }));
    await page.route('**/iam/me', (route) => route.abort());

    await page.reload();

    await page.getByRole('alert').getByText('无法连接，请检查网络后重试').waitFor();
    expect(await axeFindings(page)).toEqual([]);
    await page.unroute('**/iam/me');
    await button(page, /^重试$/).click();
    await page.locator('.name', { hasText: '庚' }).waitFor();
  }, 60_000);
});
