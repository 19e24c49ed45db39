import type { Browser, Page } from 'playwright-core';
import {
  adminVariables,
  confirmDialog,
  createApps,
  emulate,
  enterAsAdmin,
  openView,
  signInAtShop,
} from '../support/admin-page.js';
import { AdminClient } from '../support/admin.js';
import { launchBrowser } from '../support/browser.js';
import { type ExampleApp, startShop } from '../support/example-app.js';
import { openPage, takePicture } from '../support/shop-pages.js';

/** Fills the form that is open and sends it; ends at what the server answered. */
async function save(page: Page, values: Readonly<Record<string, string>>): Promise<void> {
  for (const [column, value] of Object.entries(values))
    await page.locator(`#provider [name=${column}]`).fill(value);
  await page.locator('#provider > [type=submit]').click();
  await page.locator('#done:not(:empty), #failure .problem, .notice:not([hidden])').first().waitFor();
}

async function runCheck(page: Page): Promise<void> {
  await page.getByRole('button', { name: /运行检查|Run the check/ }).click();
  await page.locator('#check .verdict').waitFor();
}

describe('setting up identity providers on the admin page', () => {
  let browser: Browser;
  let shop: ExampleApp;

  beforeAll(async () => {
    [browser, shop] = await Promise.all([launchBrowser(), startShop(adminVariables)]);
  }, 120_000);

  it('makes one from nothing, by which a person then signs in', async () => {
    const { page, complaints, close } = await openPage(browser);
    const { open, mp } = await createApps(shop);
    await openView(page, shop, 'access');
    await takePicture(page, 'admin-access-pc-zh');
    await enterAsAdmin(page, shop);
    await takePicture(page, 'admin-providers-pc-zh');

    await page.getByRole('link', { name: '新建登录入口' }).click();
    await page.locator('#provider').waitFor();
    await takePicture(page, 'admin-provider-new-pc-zh');
    await save(page, {
      slug: 'tea-house',
      name: '茶馆',
      open_app_id: open.appid,
      open_app_secret: open.secret,
      mp_app_id: mp.appid,
      mp_app_secret: mp.secret,
    });
    const registered = await page.locator('.copyable code').allTextContents();
    await runCheck(page);
    await takePicture(page, 'admin-provider-pc-zh');
    const errors = await page.locator('[data-status=error]').allTextContents();
    const user = await signInAtShop(page, shop, 'wei', 'tea-house');

    expect(registered).toEqual([
      'localhost',
      `${shop.url}/iam/callback/tea-house`,
      `${shop.url}/iam/webhook/tea-house`,
    ]);
    expect(errors).toEqual([]);
    expect(await page.locator('body').innerText()).not.toContain(open.secret);
    expect(user.nickname).toBe('阿伟');
    expect(complaints).toEqual([]);
    await close();
  }, 120_000);

  it('says which secret is wrong and where to mend it, and that it is mended', async () => {
    const { page, complaints, close } = await openPage(browser, { locale: 'en-US' });
    const { mp } = await createApps(shop);
    await enterAsAdmin(page, shop);
    await openView(page, shop, 'providers/+');

    await save(page, {
      slug: 'mistyped',
      name: 'Mistyped',
      mp_app_id: mp.appid,
      mp_app_secret: 'f'.repeat(32),
    });
    await runCheck(page);
    const found = page.locator('[data-item="mp.credentials"]');
    const before = { status: await found.getAttribute('data-status'), text: await found.innerText() };
    await takePicture(page, 'admin-check-wrong-secret-pc-en');
    await page.getByRole('button', { name: 'Replace: AppSecret of the Official Account' }).click();
    await save(page, { mp_app_secret: mp.secret });
    await runCheck(page);

    expect(before.status).toBe('error');
    expect(before.text).toContain('40125');
    expect(before.text).toContain('mp.weixin.qq.com');
    expect(await found.getAttribute('data-status')).toBe('ok');
    expect(complaints).toEqual([]);
    await close();
  }, 120_000);

  it('names the address that WeChat does not know yet', async () => {
    const { page, close } = await openPage(browser);
    const { mp } = await createApps(shop);
    await emulate(shop, `apps/${mp.appid}`, { ipWhitelist: ['203.0.113.7'] });
    await enterAsAdmin(page, shop);
    await openView(page, shop, 'providers/+');
    await save(page, { slug: 'walled', name: '围墙', mp_app_id: mp.appid, mp_app_secret: mp.secret });

    await runCheck(page);

    const found = page.locator('[data-item="mp.ip_whitelist"]');
    expect(await found.getAttribute('data-status')).toBe('error');
    expect(await found.innerText()).toMatch(/127\.0\.0\.1.*IP白名单/s);
    await close();
  }, 60_000);

  it('shows the second of two editors what the first has changed, and keeps what they wrote', async () => {
    const [first, second] = await Promise.all([openPage(browser), openPage(browser)]);
    for (const { page } of [first, second]) {
      await enterAsAdmin(page, shop);
      await openView(page, shop, 'providers/wechat-members');
    }
    await save(first.page, { name: '第一位' });

    await save(second.page, { union_scope: 'second' });
    const notice = await second.page.locator('.notice').innerText();
    await takePicture(second.page, 'admin-conflict-pc-zh');
    const shown = await second.page.locator('[name=name]').inputValue();
    await second.page.locator('.notice [type=submit]').click();
    await second.page.locator('#done:not(:empty)').waitFor();

    expect(notice).toContain('内容已被他人修改');
    expect(notice).toContain('名称: 第一位');
    expect(shown).toBe('第一位');
    await openView(first.page, shop, 'providers');
    await openView(first.page, shop, 'providers/wechat-members');
    expect(await first.page.locator('[name=name]').inputValue()).toBe('第一位');
    expect(await first.page.locator('[name=union_scope]').inputValue()).toBe('second');
    expect(second.complaints.filter((line) => !line.includes('412'))).toEqual([]);
    await Promise.all([first.close(), second.close()]);
  }, 60_000);

  it('generates a Token, shows it once with the URL, and drops the old one', async () => {
    const { page, complaints, close } = await openPage(browser, { locale: 'en-US' });
    await enterAsAdmin(page, shop);
    await openView(page, shop, 'providers/wechat-follow');
    const row = page.locator('[data-rotate=mp_token]');

    await row.getByRole('button', { name: 'Generate a new one' }).click();
    await confirmDialog(page);
    await page.locator('#dialog .copyable').first().waitFor();
    const [token = '', url] = await page.locator('#dialog .copyable code').allTextContents();
    await takePicture(page, 'admin-rotated-pc-en');
    await confirmDialog(page);
    await row.getByRole('button', { name: 'Drop the old value' }).waitFor();
    const after = await page.content();
    await emulate(shop, 'apps/wxde00000000000002', { server: { token } });
    // The other row of the same account needs the new Token before this one may drop the old.
    const other = await new AdminClient(shop.url).post(
      'providers/wechat-follow-open/rotate',
      { secret: 'mp_token', value: token },
      '*',
    );
    await row.getByRole('button', { name: 'Drop the old value' }).click();
    await confirmDialog(page);
    await row.getByRole('button', { name: 'Generate a new one' }).waitFor();

    expect(token).toMatch(/^[A-Za-z0-9]{32}$/);
    expect(url).toBe(`${shop.url}/iam/webhook/wechat-follow`);
    expect(after).not.toContain(token);
    expect(other.status).toBe(200);
    expect(await emulate(shop, 'apps/wxde00000000000002/verify')).toMatchObject({ ok: true });
    expect(complaints).toEqual([]);
    await close();
  }, 60_000);

  it('switches one off, and deletes one that nobody has used once its slug is typed', async () => {
    const { page, close } = await openPage(browser);
    await enterAsAdmin(page, shop);
    await openView(page, shop, 'providers/+');
    await save(page, {
      slug: 'spare',
      name: '备用',
      open_app_id: 'wx00000000000000aa',
      open_app_secret: 'x',
    });
    await page.locator('[name=enabled]').uncheck();
    await save(page, {});
    const offered = await (await fetch(`${shop.url}/iam/providers`)).text();

    await page.getByRole('button', { name: '删除登录入口' }).click();
    const submit = page.locator('#dialog [type=submit]');
    const isReadyUntyped = await submit.isEnabled();
    await confirmDialog(page, 'spare');
    await page.locator('table').waitFor();

    expect(offered).not.toContain('"spare"');
    expect(isReadyUntyped).toBe(false);
    expect(await page.locator('table').innerText()).not.toContain('spare');
    await close();
  }, 60_000);
});
