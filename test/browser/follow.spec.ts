import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import type { Browser, Page } from 'playwright-core';
import { demoProviders } from '../../example/demo/demo-providers.js';
import { launchBrowser } from '../support/browser.js';
import { openShop, type Shop } from '../support/example-app.js';
import { askForQrCode, pollUntilSettled } from '../support/follow.js';
import {
  openConfirmPage,
  openFollowPage,
  openPage,
  openPhone,
  scanAndAllow,
  scanAndFollow,
  signedInUser,
  takePicture,
} from '../support/shop-pages.js';

/** Clicks from the shop to the page on which people choose, and there to the QR code of a row. */
async function chooseRow(page: Page, shop: Shop, name: string): Promise<void> {
  await page.goto(shop.url);
  await page.locator('[data-go=sign-in]').click();
  await page.locator('main .others button', { hasText: name }).first().click();
  await page.locator('.code[data-state=ready]').waitFor();
}

describe('following on a PC, the phone beside it', () => {
  let browser: Browser;
  let shop: Shop;
  let client: pg.Client;
  let folder: string;

  /** The demo's rows, and their like with each confirmation. */
  beforeAll(async () => {
    const rows = demoProviders.flatMap((row) => [
      row,
      ...(['tap', 'number', 'none'] as const)
        .filter(() => row.qr_enabled === true && row.qr_with === undefined)
        .map((confirmation) => {
          const slug = `${confirmation}-${row.qr_login_with ?? ''}`;
          return { ...row, slug, name: slug, qr_confirmation: confirmation };
        }),
    ]);
    folder = await mkdtemp(join(tmpdir(), 'rows-'));
    await writeFile(join(folder, 'rows.json'), JSON.stringify(rows));
    const variables = { IAM_PROVIDERS: join(folder, 'rows.json') };
    const [launched, opened] = await Promise.all([launchBrowser(), openShop(variables)]);
    [browser, shop] = [launched, opened];
    client = new pg.Client({ connectionString: opened.databaseUrl });
    await client.connect();
  }, 120_000);
  afterAll(async () => {
    await client.end();
    await rm(folder, { recursive: true });
  });

  /** What the phone does after the scan; the number is on the PC's screen. */
  const confirmations = {
    tap: async (phone: Page, page: Page, picture: string) => {
      await page.locator('[data-state=scanned]').waitFor();
      await takePicture(page, `follow-${picture}-scanned-pc`);
      await takePicture(phone, `follow-${picture}-chat`);
      const confirm = await openConfirmPage(phone);
      await takePicture(phone, `follow-${picture}-confirm`);
      const shown = await confirm.locator('.number').textContent();
      expect(shown).toBe(await page.locator('#number').textContent());
      await confirm.locator('[value=confirm]').click();
      await confirm.locator('form').waitFor({ state: 'detached' });
      await takePicture(phone, `follow-${picture}-confirmed`);
    },
    number: async (phone: Page, page: Page, picture: string) => {
      await page.locator('[data-state=scanned]').waitFor();
      await takePicture(page, `follow-${picture}-scanned-pc`);
      const number = (await page.locator('#number').textContent()) ?? '';
      await phone.getByTestId('chat-input').fill(number === '0000' ? '0001' : '0000');
      await phone.getByTestId('chat-input').press('Enter');
      await phone.getByTestId('message').filter({ hasText: '数字不正确' }).waitFor();
      await phone.getByTestId('chat-input').fill(number);
      await phone.getByTestId('chat-input').press('Enter');
      await phone.getByTestId('message').filter({ hasText: '已确认' }).last().waitFor();
      await takePicture(phone, `follow-${picture}-chat`);
    },
    numberOnPage: async (phone: Page, page: Page, picture: string) => {
      await page.locator('[data-state=scanned]').waitFor();
      const confirm = await openConfirmPage(phone);
      await takePicture(phone, `follow-${picture}-number`);
      const number = (await page.locator('#number').textContent()) ?? '';
      await confirm.locator('#number').fill(number === '0000' ? '0001' : '0000');
      await confirm.locator('[value=confirm]').click();
      await confirm.locator('[role=alert]').waitFor();
      await takePicture(phone, `follow-${picture}-wrong-number`);
      await confirm.locator('#number').fill(number);
      await confirm.locator('[value=confirm]').click();
    },
    none: async (phone: Page, _: Page, picture: string) => {
      await phone.getByTestId('message').filter({ hasText: '已确认登录' }).last().waitFor();
      await takePicture(phone, `follow-${picture}-chat`);
    },
  };

  it.each(['tap', 'number', 'none'] as const)(
    'signs in as the follower: %s',
    async (confirmation) => {
      const { page, complaints, close } = await openPage(browser);
      await openFollowPage(page, shop, `${confirmation}-mp`);
      await takePicture(page, 'follow-pending-pc-zh');
      const phone = await openPhone(page, shop.url, 'lan');

      await scanAndFollow(phone);
      await confirmations[confirmation](phone, page, `${confirmation}-mp-zh`);
      await signedInUser(page);

      expect(await page.locator('#identities li').allTextContents()).toContain('公众号');
      expect(complaints).toEqual([]);
      await close();
    },
    120_000,
  );

  it.each(['tap', 'numberOnPage', 'none'] as const)(
    'goes on to the Open Platform’s QR code after the follow: %s',
    async (confirmation) => {
      const { page, complaints, close } = await openPage(browser);
      await openFollowPage(page, shop, `${confirmation.replace('OnPage', '')}-open`);
      const phone = await openPhone(page, shop.url, 'wei');

      await scanAndFollow(phone);
      await confirmations[confirmation](phone, page, `${confirmation}-open-zh`);
      await page.locator('[data-status=waiting]').waitFor();
      await phone.reload();
      await scanAndAllow(phone);

      expect(await signedInUser(page)).toMatchObject({ nickname: '阿伟' });
      expect(complaints).toEqual([]);
      await close();
    },
    120_000,
  );

  it('is one user by following, by the Open Platform’s QR code and inside WeChat', async () => {
    const { page, close } = await openPage(browser);
    await openFollowPage(page, shop, 'none-mp');
    const phone = await openPhone(page, shop.url, 'grace');

    await scanAndFollow(phone);
    const byFollowing = await signedInUser(page);
    await page.locator('#sign-out').click();
    await page.locator('[data-go=sign-in]').waitFor();
    await page.goto(`${shop.url}/?provider=wechat`);
    await page.locator('[data-go=sign-in]').click();
    await page.locator('[data-status=waiting]').waitFor();
    await scanAndAllow(phone);
    const byQrCode = await signedInUser(page);
    await phone.goto(
      phone
        .url()
        .replace(/\?.*/, `?person=grace&open=${encodeURIComponent(`${shop.url}/?provider=none-open`)}`),
    );
    const inside = phone.frameLocator('#frame');
    await inside.locator('[data-go=sign-in]').waitFor();
    await takePicture(phone, 'sign-in-inside-wechat-zh');
    await inside.locator('[data-go=sign-in]').click();
    await inside.getByTestId('allow').click();
    const insideWechat = await signedInUser(inside);

    expect(new Set([byFollowing.id, byQrCode.id, insideWechat.id]).size).toBe(1);
    expect(insideWechat.nickname).toBe('Grace 🌸');
    await close();
  }, 120_000);

  it('is told on the PC that the phone denied, and may try again', async () => {
    const { page, complaints, close } = await openPage(browser, { locale: 'en-US' });
    await openFollowPage(page, shop, 'tap-mp');
    await takePicture(page, 'follow-pending-pc-en');
    const phone = await openPhone(page, shop.url, 'lan');

    await scanAndFollow(phone);
    const confirm = await openConfirmPage(phone);
    await takePicture(phone, 'follow-confirm-en');
    await confirm.locator('[value=deny]').click();
    await page.locator('main[data-state=denied]').waitFor();
    await takePicture(page, 'follow-denied-pc-en');
    await page.locator('#again').click();
    await page.locator('main[data-state=pending]').waitFor();

    expect(complaints).toEqual([]);
    await close();
  }, 120_000);

  const letCodesExpire = () =>
    client.query(
      `UPDATE iam.logins SET redeem_before = now() - interval '1 second' WHERE status = 'pending'`,
    );

  it('shows on the module’s page that the code has expired, and a new one at a click', async () => {
    const { page, complaints, close } = await openPage(browser, { colorScheme: 'dark' });
    await openFollowPage(page, shop, 'wechat-follow');
    const first = await page.locator('#qr').getAttribute('src');

    await letCodesExpire();
    await page.locator('main[data-state=expired]').waitFor();
    await page.setViewportSize({ width: 390, height: 844 });
    await takePicture(page, 'follow-expired-phone-zh-dark');
    await page.locator('#again').click();
    await page.locator('main[data-state=pending]').waitFor();

    expect(await page.locator('#qr').getAttribute('src')).not.toBe(first);
    expect(complaints).toEqual([]);
    await close();
  }, 60_000);

  it('lets a television in on its page: the code typed, a sign-in by QR code, and the question answered', async () => {
    const { page, complaints, close } = await openPage(browser);
    const device = await askForQrCode(shop.url, undefined, 'wechat-follow');

    await page.goto(`${shop.url}/iam/device`);
    await takePicture(page, 'device-form-zh');
    await page.locator('#user_code').fill(device.typedCode.toLowerCase().replace('-', ' '));
    await page.locator('button.yes').click();
    await page.locator('a.button.yes').click();
    await page.locator('main[data-state=pending]').waitFor();
    const phone = await openPhone(page, shop.url, 'lan');
    await scanAndFollow(phone);
    await (await openConfirmPage(phone)).locator('[value=confirm]').click();
    await page.locator('#device [value=confirm]').waitFor();
    await takePicture(page, 'device-question-zh');
    const asked = await page.locator('#device .code').textContent();
    await page.locator('#device [value=confirm]').click();
    await page.locator('#device form').waitFor({ state: 'detached' });
    await takePicture(page, 'device-done-zh');
    await page.goBack();
    const afterBack = await page.locator('#device h1').textContent();
    const { error, access_token } = (await pollUntilSettled(shop.url, device)).json();

    expect(asked).toBe(device.typedCode);
    expect([error, typeof access_token]).toEqual([undefined, 'string']);
    expect(afterBack).toBe('已完成');
    expect(complaints.filter(isNotAPoll)).toEqual([]);
    await close();
  }, 120_000);

  it('goes on from the page of the ways to the Open Platform’s QR code where the row says so', async () => {
    const { page, complaints, close } = await openPage(browser, { locale: 'en-US' });
    await chooseRow(page, shop, '公众号 + 开放平台');
    const phone = await openPhone(page, shop.url, 'grace');

    await scanAndFollow(phone);
    await (await openConfirmPage(phone)).locator('[value=confirm]').click();
    await page.locator('[data-status=waiting]').waitFor();
    await phone.getByTestId('web-close').click();
    await scanAndAllow(phone);

    expect(await signedInUser(page)).toMatchObject({ nickname: 'Grace 🌸' });
    expect(complaints.filter(isNotAPoll)).toEqual([]);
    await close();
  }, 120_000);
});

/** A browser reports the 400 of a poll that has to go on as an error. */
const isNotAPoll = (complaint: string): boolean => !complaint.includes('status of 400');
