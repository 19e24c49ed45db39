import pg from 'pg';
import type { Browser, Page } from 'playwright-core';
import { z } from 'zod';
import { launchBrowser } from '../support/browser.js';
import { openShop, type Shop } from '../support/example-app.js';
import {
  fillAccount,
  openInsideWechat,
  openPage,
  openPhone,
  phoneOutsideWechat,
  scanAndAllow,
  signedInUser,
  takePicture,
  type View,
} from '../support/shop-pages.js';

const afang = { login: 'afang', password: 'tea-and-rice' };
/** What the browser's console says of `binding_required`, an HTTP 400 (RFC 6749 §5.2). */
const bindingRequired = [expect.stringContaining('400')];
const laochen = { login: 'laochen', password: 'pu-er-cake' };

describe('the accounts that the shop had before WeChat', () => {
  let browser: Browser;
  let shop: Shop;
  let sql: pg.Client;

  beforeAll(async () => {
    const [launched, opened] = await Promise.all([launchBrowser(), openShop()]);
    [browser, shop] = [launched, opened];
    sql = new pg.Client({ connectionString: opened.databaseUrl });
    await sql.connect();
  }, 120_000);
  afterAll(() => sql.end());

  /** Every story begins with members who have no WeChat. */
  beforeEach(async () => {
    await sql.query(`DELETE FROM members WHERE login IS NULL; UPDATE members SET disabled = false`);
    await sql.query(`UPDATE iam.users SET external_id = NULL WHERE external_id IS NOT NULL`);
    await sql.query(`DELETE FROM iam.identities`);
    await sql.query(`DELETE FROM iam.unions`);
  });

  const count = async (table: string): Promise<unknown> => {
    const { rows } = await sql.query<{ count: number }>(`SELECT count(*)::int AS count FROM ${table}`);
    return rows[0]?.count;
  };

  /** Signs in with WeChat on the PC, as far as the shop's question who this is. */
  async function beAsked(page: Page, person: string): Promise<Page> {
    await page.goto(`${shop.url}/members`);
    await page.locator('[data-method=open]').click();
    await page.locator('[data-status=waiting]').waitFor();
    const phone = await openPhone(page, shop.url, person);
    await scanAndAllow(phone);
    await page.locator('#choices button', { hasText: /我有账号|I have an account/ }).waitFor();
    return phone;
  }

  const haveAccount = async (view: View, credentials: { login: string; password: string }) => {
    await view.locator('#choices button', { hasText: /我有账号|I have an account/ }).click();
    await fillAccount(view, credentials);
  };
  const amNew = async (view: View, name: string) => {
    await view.locator('#choices button', { hasText: /我是新客|I am new here/ }).click();
    await view.locator('#newcomer input').fill(name);
    await view.locator('#newcomer button').click();
  };
  const problemOf = async (view: View) => {
    await view.locator('#problem').waitFor();
    return view.locator('#problem').textContent();
  };

  it('“I have an account”: one scan and one password, and WeChat alone from then on, inside WeChat too', async () => {
    const { page, complaints, close } = await openPage(browser);
    await page.goto(`${shop.url}/members`);
    await page.locator('[data-method=open]').waitFor();
    await takePicture(page, 'members-pc-zh');
    const phone = await beAsked(page, 'lan');
    await takePicture(page, 'members-choice-pc-zh');

    await page.locator('#choices button', { hasText: '我有账号' }).click();
    await takePicture(page, 'members-account-pc-zh');
    await fillAccount(page, afang);
    const connected = await signedInUser(page);
    await takePicture(page, 'members-signed-in-pc-zh');
    const inside = await openInsideWechat(phone, 'lan', `${shop.url}/members`);
    await inside.locator('[data-method=mp]').click();
    await inside.getByTestId('allow').click();
    const insideWechat = await signedInUser(inside);

    expect(await page.locator('#member').textContent()).toBe('阿芳');
    expect(insideWechat).toEqual(connected);
    expect(await inside.locator('#member').textContent()).toBe('阿芳');
    expect(await inside.locator('#identities li').allTextContents()).toEqual(['网站扫码', '公众号']);
    expect(complaints).toEqual(bindingRequired);
    await close();
  }, 120_000);

  it('“I am new here”: gets an account of the shop’s, inside WeChat', async () => {
    const { page, close } = await openPage(browser);
    const phone = await openPhone(page, shop.url, 'wei');
    const inside = await openInsideWechat(phone, 'wei', `${shop.url}/members`);
    await inside.locator('[data-method=mp]').waitFor();
    await takePicture(phone, 'members-inside-wechat-zh');
    await inside.locator('[data-method=mp]').click();
    await inside.getByTestId('allow').click();
    await inside.locator('#choices button', { hasText: '我是新客' }).waitFor();
    await takePicture(phone, 'members-choice-inside-wechat-zh');

    await amNew(inside, '伟哥');
    await signedInUser(inside);
    await takePicture(phone, 'members-signed-in-inside-wechat-zh');

    expect(await inside.locator('#member').textContent()).toBe('伟哥');
    const { rows } = await sql.query(`
      SELECT m.login, m.password_hash, m.name, count(i.id)::int AS identities FROM members m
      JOIN iam.users u ON u.external_id = m.id::text JOIN iam.identities i ON i.user_id = u.id GROUP BY m.id`);
    expect(rows).toEqual([{ login: null, password_hash: null, name: '伟哥', identities: 1 }]);
    await close();
  }, 120_000);

  it('asks again for a wrong password, and another try connects with the same scan', async () => {
    const { page, close } = await openPage(browser, { locale: 'en-US' });
    await beAsked(page, 'grace');
    await takePicture(page, 'members-choice-pc-en');

    await haveAccount(page, { login: 'afang', password: 'guess' });
    const wrong = await problemOf(page);
    await takePicture(page, 'members-wrong-password-pc-en');
    await fillAccount(page, { login: 'nobody', password: 'guess' });
    await page.locator('body:not([aria-busy=true])').waitFor();
    const unknown = await problemOf(page);
    await page.locator('#ways-out button').click();
    await haveAccount(page, afang);
    await signedInUser(page);

    expect(wrong).toBe('Account and password do not match.');
    expect(unknown).toBe(wrong);
    expect(await page.locator('#member').textContent()).toBe('阿芳');
    await page.setViewportSize({ width: 390, height: 844 });
    await takePicture(page, 'members-signed-in-phone-en');
    await close();
  }, 120_000);

  it('refuses a token of more than ten minutes ago, and leaves no account behind', async () => {
    const { page, close } = await openPage(browser);
    await beAsked(page, 'lan');
    await sql.query(`UPDATE iam.logins SET redeem_before = now() WHERE status = 'binding'`);

    await amNew(page, '小兰');
    const problem = await problemOf(page);
    await takePicture(page, 'members-expired-pc-zh');

    expect(problem).toBe('时间太久，或已经关联过了。请重新用微信登录。');
    expect(await page.locator('[data-method=open]').count()).toBe(1);
    expect(await count(`members WHERE login IS NULL`)).toBe(0);
    await close();
  }, 120_000);

  it('connects once, whatever else is sent with the same token', async () => {
    const { page, close } = await openPage(browser);
    const [asked] = await Promise.all([
      page.waitForResponse((response) => response.url().endsWith('/iam/token')),
      beAsked(page, 'lan'),
    ]);
    const { binding_token: token } = z.object({ binding_token: z.string() }).parse(await asked.json());

    await haveAccount(page, afang);
    await signedInUser(page);
    const body = JSON.stringify({ name: '又一个', binding_token: token });
    const late = await page.evaluate(
      `fetch('/members', { method: 'POST', headers: { 'content-type': 'application/json' }, body: ${JSON.stringify(body)} }).then((response) => response.json())`,
    );

    expect(late).toMatchObject({ error: 'binding_token_invalid' });
    expect(await count(`members WHERE login IS NULL`)).toBe(0);
    await close();
  }, 120_000);

  it('warns that an account has a WeChat already; connected anyway, both sign in and the first is signed out', async () => {
    const first = await openPage(browser, { locale: 'en-US' });
    await beAsked(first.page, 'lan');
    await haveAccount(first.page, laochen);
    const before = await signedInUser(first.page);
    const second = await openPage(browser, { locale: 'en-US' });
    await beAsked(second.page, 'wei');

    await haveAccount(second.page, laochen);
    await second.page.locator('#choices button.danger').waitFor();
    await takePicture(second.page, 'members-already-pc-en');
    const title = await second.page.locator('#title').textContent();
    await second.page.locator('#choices button.danger').click();
    const after = await signedInUser(second.page);
    await first.page.locator('#refresh').click();
    await first.page.locator('#failed').waitFor();
    const again = await openPage(browser);
    await again.page.goto(`${shop.url}/members`);
    await again.page.locator('[data-method=open]').click();
    await again.page.locator('[data-status=waiting]').waitFor();
    await scanAndAllow(await openPhone(again.page, shop.url, 'lan'));

    expect(title).toBe('老陈 has a WeChat already');
    expect(after.id).toBe(before.id);
    expect((await signedInUser(again.page)).id).toBe(before.id);
    await Promise.all([first.close(), second.close(), again.close()]);
  }, 180_000);

  it('turns a disabled member away, with the right password only', async () => {
    await sql.query(`UPDATE members SET disabled = true WHERE login = 'laochen'`);
    const { page, close } = await openPage(browser);
    await beAsked(page, 'lan');

    await haveAccount(page, { ...laochen, password: 'guess' });
    const wrong = await problemOf(page);
    await fillAccount(page, laochen);
    await page.locator('#problem', { hasText: '停用' }).waitFor();

    expect(wrong).toBe('账号或密码不对。');
    expect(await count(`iam.identities`)).toBe(0);
    await close();
  }, 120_000);

  it('signs in by password as ever, and connects WeChat from there', async () => {
    const { page, complaints, close } = await openPage(browser);
    await page.goto(`${shop.url}/members`);
    await page.locator('#samples button', { hasText: 'laochen' }).click();
    await page.locator('#account-submit').click();
    await page.locator('#title', { hasText: '老陈' }).waitFor();
    await takePicture(page, 'members-by-password-pc-zh');
    const cookies = await page.context().cookies(`${shop.url}/members`);
    const own = cookies.find(({ name }) => name === 'shop-member');

    await page.locator('[data-method=open]').click();
    await page.locator('[data-status=waiting]').waitFor();
    await scanAndAllow(await openPhone(page, shop.url, 'grace'));
    await haveAccount(page, laochen);
    await signedInUser(page);

    expect(own).toMatchObject({ httpOnly: true, sameSite: 'Lax' });
    expect(await page.locator('#member').textContent()).toBe('老陈');
    expect(await count('member_sessions')).toBe(0);
    expect(complaints).toEqual(bindingRequired);
    await close();
  }, 120_000);

  it('gives up without an account or a session', async () => {
    const { page, close } = await openPage(browser);
    await beAsked(page, 'lan');

    await page.locator('#ways-out button').click();
    await page.locator('[data-method=open]').waitFor();
    await page.reload();

    await page.locator('[data-method=open]').waitFor();
    expect(await count('iam.identities')).toBe(0);
    await close();
  }, 120_000);

  it('fits a phone outside WeChat, where the password still works', async () => {
    const { page, close } = await openPage(browser, { ...phoneOutsideWechat, locale: 'en-US' });
    await page.goto(`${shop.url}/members`);
    await page.locator('#account').waitFor();
    await takePicture(page, 'members-phone-en');
    const width = await page.evaluate<number>('document.documentElement.scrollWidth');

    await fillAccount(page, afang);
    await page.locator('#title', { hasText: '阿芳' }).waitFor();

    expect(width).toBe(390);
    expect(await page.locator('[data-method]').count()).toBe(0);
    await close();
  }, 60_000);

  it.each(['POST /members', 'POST /members/session', 'POST /members/wechat', 'DELETE /members/session'])(
    'refuses %s from another site',
    async (route) => {
      const [method = '', path = ''] = route.split(' ');
      const body = method === 'POST' ? JSON.stringify({ ...afang, binding_token: 'x', name: 'x' }) : null;
      const headers = { 'content-type': 'application/json', origin: 'https://evil.example' };

      const answers = await Promise.all(
        [headers, { 'content-type': 'application/json' }].map((each) =>
          fetch(`${shop.url}${path}`, { method, body, headers: each }),
        ),
      );

      expect(answers.map(({ status }) => status)).toEqual([403, 403]);
    },
  );
});
