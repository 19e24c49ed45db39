import type { Browser } from 'playwright-core';
import { launchBrowser } from '../support/browser.js';
import { type ExampleApp, startShop } from '../support/example-app.js';
import {
  openPage,
  openPhone,
  phoneOutsideWechat,
  scanAndAllow,
  signedInUser,
  takePicture,
} from '../support/shop-pages.js';

describe('signing in on the example, in a real browser', () => {
  let browser: Browser;
  let shop: ExampleApp;

  beforeAll(async () => {
    [browser, shop] = await Promise.all([launchBrowser(), startShop()]);
  }, 120_000);

  it('is one user on the PC page by QR code and inside WeChat on the phone', async () => {
    const { page, complaints, close } = await openPage(browser);
    await page.goto(shop.url);
    await takePicture(page, 'sign-in-pc-zh');
    await page.locator('[data-go=sign-in]').click();
    await page.frameLocator('iframe').locator('[data-status=waiting]').waitFor();
    await takePicture(page, 'chooser-pc-zh');
    const phone = await openPhone(page, shop.url, 'lan');

    await scanAndAllow(phone);
    const onPc = await signedInUser(page);
    await takePicture(page, 'signed-in-pc-zh');
    await phone.goto(phone.url().replace(/\?.*/, `?person=lan&open=${encodeURIComponent(shop.url)}`));
    const inside = phone.frameLocator('#frame');
    await inside.locator('[data-go=sign-in]').click();
    await inside.locator('.sign-in .button.wechat').click();
    await inside.getByTestId('allow').click();
    const insideWechat = await signedInUser(inside);
    await takePicture(phone, 'signed-in-inside-wechat-zh');

    expect(onPc.nickname).toBe('小兰');
    expect(insideWechat).toEqual(onPc);
    expect(await inside.locator('#identities li').allTextContents()).toEqual(['网站扫码', '公众号']);
    expect(new URL(page.url()).search).toBe('');
    expect(complaints).toEqual([]);
    await close();
  }, 120_000);

  it('orders, renews the session, reloads and signs out', async () => {
    const { page, complaints, close } = await openPage(browser, { locale: 'en-US' });
    await page.goto(shop.url);
    await page.locator('[data-go=sign-in]').click();
    await page.frameLocator('iframe').locator('[data-status=waiting]').waitFor();
    await scanAndAllow(await openPhone(page, shop.url, 'grace'));
    await signedInUser(page);

    await page.locator('[data-tea=puer]').click();
    await page.locator('#orders li', { hasText: 'Pu’er' }).waitFor();
    await page.locator('#refresh').click();
    await page.locator('#session', { hasText: 'Renewed' }).waitFor();
    await page.reload();
    await page.locator('#orders li', { hasText: 'Pu’er' }).waitFor();
    await takePicture(page, 'signed-in-pc-en');
    await page.setViewportSize({ width: 390, height: 844 });
    await takePicture(page, 'signed-in-phone-en');
    const { refresh } = await page.evaluate<{ refresh: string }>(
      "JSON.parse(Object.entries(sessionStorage).find(([key]) => key.startsWith('iam '))[1])",
    );
    await page.locator('#sign-out').click();
    await page.locator('[data-go=sign-in]').waitFor();

    const reused = await fetch(`${shop.url}/iam/token`, {
      method: 'POST',
      body: new URLSearchParams({ grant_type: 'refresh_token', client_id: 'web', refresh_token: refresh }),
    });
    expect(reused.status).toBe(400);
    expect(complaints).toEqual([]);
    await close();
  }, 120_000);

  it('says in plain words that the person declined inside WeChat', async () => {
    const { page, close } = await openPage(browser);
    await page.goto(shop.url);
    await page.locator('[data-go=sign-in]').click();
    await page.frameLocator('iframe').locator('[data-status=waiting]').waitFor();
    const phone = await openPhone(page, shop.url, 'wei');
    await phone.getByTestId('tab-scan').click();
    await phone.getByTestId('code').first().click();
    await phone.frameLocator('#frame').getByTestId('refuse').click();

    await page.frameLocator('iframe').locator('[data-status=denied]').waitFor();
    await takePicture(page, 'declined-pc-zh');
    await page.goto(
      `${shop.url}/signed-in?error=access_denied&state=iam.foreign&iss=${encodeURIComponent(shop.url)}&error_description=Pay+here`,
    );

    await page.locator('#failed').waitFor();
    expect(await page.locator('#reason').textContent()).toBe('这次登录不是从当前页面发起的，请重新登录。');
    expect(await page.locator('body').innerText()).not.toContain('Pay here');
    await takePicture(page, 'failed-zh');
    await close();
  }, 120_000);

  it('signs in by a QR code that opens a page in WeChat: it says who asks, and confirms', async () => {
    const { page, complaints, close } = await openPage(browser, { colorScheme: 'dark' });
    await page.goto(shop.url);
    await page.locator('[data-go=sign-in]').click();
    await page.locator('main .others button', { hasText: '扫码确认' }).click();
    await page.locator('.code[data-state=ready]').waitFor();
    await takePicture(page, 'page-chooser-pc-zh-dark');
    const content = (await page.locator('.hint a').getAttribute('href')) ?? '';
    const outside = await openPage(browser, { ...phoneOutsideWechat, locale: 'en-US' });
    await outside.page.goto(content);
    await takePicture(outside.page, 'page-outside-wechat-phone-en');

    const phone = await openPhone(page, shop.url, 'lan', `&scan=${encodeURIComponent(content)}`);
    const inside = phone.frameLocator('#frame');
    await inside.locator('#scan .yes').waitFor();
    await takePicture(phone, 'page-landing-phone-zh-dark');
    await inside.locator('#scan .yes').click();
    await inside.getByTestId('allow').click();
    await inside.locator('.number').waitFor();
    await page.locator('.number').waitFor();
    await takePicture(page, 'page-scanned-pc-zh-dark');
    await takePicture(phone, 'page-question-phone-zh-dark');
    expect(await inside.locator('.number').textContent()).toBe(await page.locator('.number').textContent());
    await inside.locator('.yes').click();

    expect(await signedInUser(page)).toMatchObject({ nickname: '小兰' });
    expect(await outside.page.locator('h1').textContent()).toBe('Scan it with WeChat');
    expect(complaints.filter((text) => !text.includes('status of 400'))).toEqual([]);
    await Promise.all([close(), outside.close()]);
  }, 120_000);

  it('signs in by a mini program code: the phone shows the same number, and confirms', async () => {
    const { page, complaints, close } = await openPage(browser);
    await page.goto(shop.url);
    await page.locator('[data-go=sign-in]').click();
    await page.locator('main .others button', { hasText: '小程序码登录' }).click();
    await page.locator('.code[data-state=ready]').waitFor();
    await takePicture(page, 'mini-chooser-pc-zh');
    const phone = await openPhone(page, shop.url, 'lan');

    await phone.getByTestId('tab-scan').click();
    await phone.locator('[data-testid=code][data-kind=mini]').first().click();
    const approval = phone.getByTestId('approval');
    await approval.waitFor();
    await page.locator('.number').waitFor();
    await takePicture(page, 'mini-scanned-pc-zh');
    await takePicture(phone, 'mini-approval-phone-zh');
    expect(await approval.locator('.number').textContent()).toBe(await page.locator('.number').textContent());
    await phone.getByTestId('mini-confirm').click();
    await phone.locator('[data-testid=mini][data-kind=confirmed]').waitFor();
    await takePicture(phone, 'mini-confirmed-phone-zh');

    await signedInUser(page);
    expect(await page.locator('#identities li').allTextContents()).toContain('小程序');
    expect(complaints.filter((text) => !text.includes('status of 400'))).toEqual([]);
    await close();
  }, 120_000);

  it('signs a phone browser outside WeChat in by a link into the mini program', async () => {
    const { page, close } = await openPage(browser, {
      ...phoneOutsideWechat,
      locale: 'en-US',
      colorScheme: 'dark',
    });
    await page.goto(shop.url);
    await page.locator('[data-go=sign-in]').click();
    await page.locator('.sign-in .button.wechat').waitFor();
    await takePicture(page, 'mini-chooser-phone-en-dark');
    await page.locator('.sign-in .button.wechat').click();
    const open = page.locator('#open');
    await open.waitFor();
    await takePicture(page, 'mini-link-phone-en-dark');
    const number = await page.locator('#number').textContent();
    const width = await page.evaluate<number>('document.documentElement.scrollWidth');
    const link = (await open.getAttribute('href')) ?? '';
    await page.evaluate(
      "document.getElementById('open').addEventListener('click', (event) => event.preventDefault())",
    );
    await open.click();
    const phone = await openPhone(page, shop.url, 'grace', `&scan=${encodeURIComponent(link)}`);
    expect(await phone.getByTestId('approval').locator('.number').textContent()).toBe(number);
    await phone.getByTestId('mini-confirm').click();
    await phone.locator('[data-testid=mini][data-kind=confirmed]').waitFor();
    await page.bringToFront();

    await signedInUser(page);
    expect(await page.locator('#identities li').allTextContents()).toContain('Mini program');
    expect(link).toMatch(/^weixin:\/\/dl\/business\//);
    expect(width).toBe(390);
    await close();
  }, 120_000);

  it('speaks the other language at a click and remembers it', async () => {
    const { page, close } = await openPage(browser);
    await page.goto(shop.url);
    await page.locator('[data-go=sign-in]', { hasText: '微信登录' }).waitFor();

    await page.locator('#language').click();
    await page.locator('[data-go=sign-in]', { hasText: 'Sign in with WeChat' }).waitFor();
    await page.reload();
    await page.locator('[data-go=sign-in]', { hasText: 'Sign in with WeChat' }).waitFor();

    expect(await page.locator('html').getAttribute('lang')).toBe('en');
    await close();
  }, 60_000);

  it('is led from 127.0.0.1 to the public address, where sign-ins return', async () => {
    const { page, close } = await openPage(browser);

    await page.goto(shop.url.replace('localhost', '127.0.0.1'));
    await page.locator('[data-go=sign-in]').waitFor();

    expect(new URL(page.url()).origin).toBe(shop.url);
    await close();
  }, 60_000);
});
