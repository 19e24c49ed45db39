import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import { IamPagesModule } from '../../pages/server/index.js';
import { launchBrowser } from '../support/browser.js';
import { adminOptions } from '../support/admin.js';
import { decideOnPhone, scanAndFollow, startFollowWorld } from '../support/follow.js';
import type { World } from '../support/iam-app.js';
import { axeFindings, inAllLooks, newestQrCode, storyTime } from '../support/pages.js';
import { userAgents } from '../support/pc-browser.js';
import { rowsOf } from '../support/rows.js';
import { authorizeUrl, pkce } from '../support/sign-in.js';
import { registerSso } from '../support/single-sign-on.js';

const siteName = { 'zh-CN': '山茶小铺', en: 'مرحبا & Camellia 🌸 '.repeat(3).trim() };
const looks: BrowserContextOptions[] = [
  { locale: 'zh-CN', colorScheme: 'light', viewport: { width: 1280, height: 800 } },
  { locale: 'en-US', colorScheme: 'dark', viewport: { width: 390, height: 700 } },
];

describe('the page on which people choose how to sign in', () => {
  let world: World;
  let browser: Browser;
  const opened: Page[] = [];

  beforeAll(async () => {
    browser = await launchBrowser();
    world = await startFollowWorld(
      { qr_confirmation: 'tap', name: '公众号' },
      {
        imports: [
          IamPagesModule.forRoot({
            siteName,
            terms: '/terms',
            privacy: { 'zh-CN': '/yinsi', en: '/privacy' },
          }),
        ],
        options: { ...adminOptions, rateLimits: 'off' },
      },
    );
    const { appid: open_app_id, secret: open_app_secret } = world.site;
    const { appid: mp_app_id, secret: mp_app_secret } = world.oa;
    const apps = { open_app_id, open_app_secret, mp_app_id, mp_app_secret };
    await world.saveProvider({ slug: 'plain', name: '微信', ...apps });
  });
  afterEach(async () => {
    await Promise.all(opened.splice(0).map((page) => page.context().close()));
  });
  afterAll(async () => {
    await browser.close();
    await world.close();
  });

  /** Opens the address by which a client starts a sign-in that leaves the choice to the page. */
  async function start(look: BrowserContextOptions, changes: Record<string, string | undefined> = {}) {
    const context = await browser.newContext({ userAgent: userAgents.pc, ...look });
    context.setDefaultTimeout(20_000);
    const page = await context.newPage();
    opened.push(page);
    await page.goto(authorizeUrl(world.url, pkce().challenge, { provider: undefined, ...changes }));
    await page.locator('main h1').waitFor();
    return page;
  }

  const consent = (page: Page) => page.getByRole('checkbox');
  const isBack = (page: Page) => page.waitForURL(/\/signed-in\?code=[^&]+&state=client-state&iss=/);
  const consents = () =>
    rowsOf(
      world.dataSource,
      `SELECT detail -> 'consent' ->> 'privacy' AS privacy FROM iam.audit_log WHERE detail ? 'consent' ORDER BY at, id`,
    );

  it.each(looks)(
    'shows the code of WeChat once the box is ticked: %j',
    async (look) => {
      const page = await start(look, { provider: 'plain' });
      await page.locator('.lock').waitFor();
      expect(await axeFindings(page)).toEqual([]);
      await page.locator('.lock').click();
      expect(await page.evaluate('document.activeElement.type')).toBe('checkbox');
      expect(await page.getByText(/请先阅读并勾选同意|Tick the box to go on/).getAttribute('role')).toBe(
        'status',
      );
      expect(await page.locator('iframe').count()).toBe(0);

      await page.keyboard.press('Space');
      await page.frameLocator('iframe').locator('img').first().waitFor();
      expect(await axeFindings(page)).toEqual([]);
      expect(await page.evaluate('document.documentElement.scrollWidth <= innerWidth')).toBe(true);
      await consent(page).uncheck();
      await page.locator('.lock').waitFor();
      await consent(page).check();
      await page.frameLocator('iframe').locator('img').first().waitFor();
      const person = world.wechat.person({ nickname: '甲' });
      await person.scan(await newestQrCode(world));
      await person.confirm();

      await isBack(page);
      expect((await consents()).at(-1)).toEqual({ privacy: look.locale === 'zh-CN' ? '/yinsi' : '/privacy' });
    },
    storyTime(60_000),
  );

  it.each(looks)(
    'follows a scan of the Official Account, also after a refusal: %j',
    async (look) => {
      const client_id = await registerSso(world, { name: 'مرحبا 订购 Camellia Orders', sso: false });
      const page = await start(look, { provider: 'wechat', client_id });
      expect(await page.locator('h1').innerText()).toMatch(
        /^(登录|Sign in to )\u2068مرحبا 订购 Camellia Orders\u2069$/,
      );
      await consent(page).check();
      const code = page.locator('.code img');
      await code.waitFor();
      expect(await axeFindings(page)).toEqual([]);
      const person = world.wechat.person({ nickname: '乙' });
      const scan = async () => scanAndFollow(world, person, await newestQrCode(world, 'scene'));

      await scan();
      await page.locator('.code[data-state=done]').waitFor();
      expect(await page.locator('.number').innerText()).toMatch(/^\d{4}$/);
      await decideOnPhone(world, person, 'deny');
      await page.locator('.code[data-state=over]').waitFor();
      await page.getByText(/您在手机上取消了登录|You declined on your phone/).waitFor();
      expect(await axeFindings(page)).toEqual([]);
      await page.getByRole('button', { name: /换一个二维码|Get a new code/ }).click();
      await page.locator('.code[data-state=ready]').waitFor();
      await scan();
      await decideOnPhone(world, person, 'confirm');

      await isBack(page);
      expect((await consents()).at(-1)?.['privacy']).toBeDefined();
    },
    storyTime(60_000),
  );

  it('offers the other ways, takes a lost connection back, and says why a sign-in failed', async () => {
    const page = await start({ locale: 'zh-CN' });
    await consent(page).check();
    await page.frameLocator('iframe').locator('img').first().waitFor();
    await page.getByRole('button', { name: '公众号', exact: true }).click();
    await page.locator('.code img').waitFor();
    await page.getByRole('button', { name: '微信', exact: true }).click();
    await page.frameLocator('iframe').locator('img').first().waitFor();
    const person = world.wechat.person({ nickname: '丙' });
    await person.scan(await newestQrCode(world));
    await person.deny();
    await page
      .frameLocator('iframe')
      .getByText(/取消|拒绝/)
      .first()
      .waitFor();
    await page.getByRole('link', { name: /^返回.*山茶小铺/ }).click();
    await page.waitForURL(/\/signed-in\?error=access_denied&/);

    const failed = await start({ locale: 'en-US' }, { from: 'chooser', error: 'user_disabled' });
    await failed.getByRole('alert').getByText('This account is disabled.').waitFor();
    await failed.route('**/iam/providers?*', (route) => route.abort());
    await failed.reload();
    await failed.getByText('No connection. Check your network and try again').waitFor();
    expect(await axeFindings(failed)).toEqual([]);
    await failed.unroute('**/iam/providers?*');
    await failed.getByRole('button', { name: 'Try again' }).click();
    await failed.locator('.lock').waitFor();
  }, 60_000);

  it.each(looks)(
    'asks for consent inside of WeChat and then goes on by a tap: %j',
    async (look) => {
      const page = await start({ ...look, userAgent: userAgents.wechat });
      const goOn = page.getByRole('button', { name: /微信 登录|Continue with 微信/ });
      await goOn.click();
      await page.getByText(/请先阅读并勾选同意|Tick the box to go on/).waitFor();
      expect(await axeFindings(page)).toEqual([]);
      await consent(page).check();

      await goOn.click();

      await page.waitForURL(/\/connect\/oauth2\/authorize/);
    },
    storyTime(60_000),
  );

  it.each(looks)(
    'gives a phone outside of WeChat the link to open there: %j',
    async (look) => {
      const page = await start({ ...look, userAgent: userAgents.phone });

      const link = page.getByRole('textbox');
      expect(await link.inputValue()).toBe(world.url);
      await page.getByRole('button', { name: /复制链接|Copy the link/ }).click();
      await page.getByText(/已复制|Copied|手动复制|Press and hold/).waitFor();
      expect(await axeFindings(page)).toEqual([]);
      if (!inAllLooks) return;
      const failed = await start(look, { from: 'chooser', error: 'user_disabled' });
      await failed.locator('.lock').waitFor();
      expect(await axeFindings(failed)).toEqual([]);
      await failed.route('**/iam/providers?*', (route) => route.abort());
      await failed.reload();
      await failed.getByRole('button', { name: /重试|Try again/ }).waitFor();
      expect(await axeFindings(failed)).toEqual([]);
    },
    storyTime(60_000),
  );

  it.each(looks)(
    'gives another code for one that has expired, and says where no way is left: %j',
    async (look) => {
      const page = await start(look, { provider: 'wechat' });
      await consent(page).check();
      await page.locator('.code[data-state=ready]').waitFor();

      await world.dataSource.query(
        `UPDATE iam.logins SET redeem_before = now(), attempt_ends_at = now() WHERE status = 'pending'`,
      );
      await page.getByText(/二维码已过期|This code has expired/).waitFor();
      expect(await axeFindings(page)).toEqual([]);
      await page.getByRole('button', { name: /换一个二维码|Get a new code/ }).click();
      await page.locator('.code[data-state=ready]').waitFor();

      for (const slug of ['wechat', 'plain']) await world.saveProvider({ slug, enabled: false });
      await page.reload();
      const none = page.getByRole('alert').getByText(/还没有设置登录方式|No way of signing in is set up/);
      await none.waitFor();
      expect(await axeFindings(page)).toEqual([]);
      for (const slug of ['wechat', 'plain']) await world.saveProvider({ slug, enabled: true });
      await page.getByRole('button', { name: /重试|Try again/ }).click();
      await page.locator('.code[data-state=ready]').waitFor();
    },
    storyTime(60_000),
  );
});
