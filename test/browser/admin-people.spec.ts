import type { Browser, Page } from 'playwright-core';
import {
  adminVariables,
  confirmDialog,
  emulate,
  enterAsAdmin,
  openView,
  signInAtAdmin,
  signInAtShop,
} from '../support/admin-page.js';
import { launchBrowser } from '../support/browser.js';
import { type ExampleApp, startShop } from '../support/example-app.js';
import { openPage, takePicture } from '../support/shop-pages.js';

/** Presses a button of the view and answers the question that follows. */
async function press(page: Page, name: string, word?: string): Promise<void> {
  await page.locator('#view').getByRole('button', { name, exact: true }).click();
  await confirmDialog(page, word);
  await page.locator('#done:not(:empty)').waitFor();
}

describe('people on the admin page', () => {
  let browser: Browser;
  let shop: ExampleApp;

  beforeAll(async () => {
    [browser, shop] = await Promise.all([launchBrowser(), startShop(adminVariables)]);
  }, 120_000);

  it('ends the session of a person who is disabled', async () => {
    const [admin, person] = await Promise.all([openPage(browser), openPage(browser)]);
    const { id } = await signInAtShop(person.page, shop, 'lan');
    await enterAsAdmin(admin.page, shop);
    await openView(admin.page, shop, 'users');
    await admin.page.locator('[name=q]').fill('小');
    await admin.page.getByRole('button', { name: '查询' }).click();
    await admin.page.getByRole('link', { name: '小兰' }).click();
    await admin.page.getByRole('heading', { name: '小兰' }).waitFor();
    await takePicture(admin.page, 'admin-user-pc-zh');

    await press(admin.page, '停用');
    await person.page.locator('#refresh').click();
    await person.page.locator('#failed').waitFor();
    await admin.page.getByRole('button', { name: '恢复' }).click();
    await admin.page.getByRole('button', { name: '停用' }).waitFor();

    expect(admin.page.url()).toContain(id);
    expect(await person.page.locator('#reason-code').textContent()).toBe('invalid_grant');
    await Promise.all([admin.close(), person.close()]);
  }, 120_000);

  it('shows a hostile nickname as what it is', async () => {
    const { page, complaints, close } = await openPage(browser, { locale: 'en-US' });
    const nickname = '<img src=x onerror="window.hacked=1">';
    await emulate(shop, 'people', { id: 'mallory', nickname });
    const { id } = await signInAtShop(page, shop, 'mallory');
    await enterAsAdmin(page, shop);

    await openView(page, shop, 'users');
    const listed = await page.locator(`a[href="#/users/${id}"]`).first().textContent();
    await openView(page, shop, `users/${id}`);
    await page.getByRole('button', { name: 'Disable' }).click();
    await takePicture(page, 'admin-hostile-nickname-pc-en');
    const question = await page.locator('#dialog p').textContent();
    await openView(page, shop, 'access');
    await openView(page, shop, 'audit');

    expect(listed).toBe(nickname);
    expect(question).toContain(nickname);
    expect(await page.evaluate("typeof window['hacked']")).toBe('undefined');
    expect(await page.locator('main img').count()).toBe(0);
    expect(complaints).toEqual([]);
    await close();
  }, 60_000);

  it('makes a person administrator, who then administers without the token', async () => {
    const { page, complaints, close } = await openPage(browser, { locale: 'en-US' });
    await enterAsAdmin(page, shop);
    await signInAtAdmin(page, shop, 'grace');
    await openView(page, shop, 'access');

    await page.getByRole('button', { name: 'Make Grace 🌸 administrator' }).click();
    await page.locator('#person', { hasText: 'administrator' }).waitFor();
    await page.getByRole('button', { name: 'Forget the token' }).click();
    await page.locator('#token-form').waitFor();
    await takePicture(page, 'admin-access-person-pc-en');
    await openView(page, shop, 'users');

    expect(await page.evaluate("sessionStorage.getItem('admin-token')")).toBeNull();
    expect(await page.locator('tbody tr').count()).toBeGreaterThan(0);
    expect(complaints).toEqual([]);
    await close();
  }, 60_000);

  it('tells somebody whose role does not permit which permission is missing', async () => {
    const { page, close } = await openPage(browser);
    await enterAsAdmin(page, shop);
    await openView(page, shop, 'roles/+');
    await page.locator('#role [name=name]').fill('auditor');
    await page.locator('#role [value="iam:audit:read"]').check();
    await page.locator('#role > [type=submit]').click();
    await page.getByRole('button', { name: '删除角色' }).waitFor();
    const { id } = await signInAtShop(page, shop, 'wei');
    await openView(page, shop, `users/${id}`);
    await page.locator('[name=role]').selectOption('auditor');
    await page.getByRole('button', { name: '授予' }).click();
    await page.getByRole('button', { name: '收回 auditor' }).waitFor();
    await openView(page, shop, 'access');
    await page.getByRole('button', { name: '忘记令牌' }).click();
    await page.locator('#token-form').waitFor();
    await page.getByRole('button', { name: '退出登录' }).click();
    await signInAtAdmin(page, shop, 'wei');

    await openView(page, shop, 'audit');
    const entries = await page.locator('tbody tr').count();
    await openView(page, shop, 'keys');
    const refusal = await page.locator('.problem').innerText();
    await takePicture(page, 'admin-refused-pc-zh');

    expect(entries).toBeGreaterThan(0);
    expect(refusal).toContain('iam:keys:read');
    expect(refusal).toMatch(/insufficient_permissions · [0-9a-f-]{36}/);
    await close();
  }, 120_000);

  it('merges two users and erases one, once the end of an id is typed', async () => {
    const [admin, one, two] = await Promise.all([openPage(browser), openPage(browser), openPage(browser)]);
    for (const id of ['xiao', 'hong']) await emulate(shop, 'people', { id, nickname: id });
    const older = await signInAtShop(one.page, shop, 'xiao');
    const younger = await signInAtShop(two.page, shop, 'hong', 'wechat');
    await enterAsAdmin(admin.page, shop);
    await openView(admin.page, shop, `users/${younger.id}`);

    await admin.page.locator('[name=other]').fill(older.id);
    await admin.page
      .locator('form.inline', { has: admin.page.locator('[name=other]') })
      .getByRole('button')
      .click();
    await confirmDialog(admin.page, older.id.slice(-6));
    await admin.page.locator('#failure .problem').waitFor();
    const refusal = await admin.page.locator('#failure .problem').getAttribute('data-code');
    await press(admin.page, '抹除用户', younger.id.slice(-6));
    await openView(admin.page, shop, 'users');

    expect(refusal).toBe('merge_refused');
    expect(await admin.page.locator('table').innerText()).not.toContain(younger.id);
    await Promise.all([admin.close(), one.close(), two.close()]);
  }, 120_000);

  it('asks for the token again when it is not accepted any more', async () => {
    const { page, close } = await openPage(browser);
    await openView(page, shop, 'access');
    await page.locator('[name=token]').fill('x'.repeat(32));
    await page.locator('#token-form button').click();

    await page.locator('#failure .problem').waitFor();

    expect(await page.locator('#failure').innerText()).toContain('管理令牌不正确');
    expect(await page.locator('#sections').isHidden()).toBe(true);
    await page.evaluate("sessionStorage.setItem('admin-token', 'x'.repeat(32))");
    await openView(page, shop, 'users');
    await page.reload();
    await page.locator('#token-form').waitFor();
    await close();
  }, 60_000);
});
