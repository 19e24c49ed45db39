import type { Browser, BrowserContextOptions, FrameLocator, Page } from 'playwright-core';
import type { World } from './iam-app.js';
import { userAgents } from './pc-browser.js';
import { picturePath } from './tab.js';

/** Where elements are looked for: a page, or the web view of the emulated phone. */
export type View = Page | FrameLocator;

/** A phone's screen and User-Agent outside WeChat. */
export const phoneOutsideWechat: BrowserContextOptions = {
  userAgent: userAgents.phone,
  viewport: { width: 390, height: 844 },
};

/** A page in a fresh browser profile, whose person wants no motion. What it complains about on its console is in `complaints`. */
export async function openPage(
  browser: Browser,
  options: BrowserContextOptions = {},
): Promise<{ page: Page; complaints: string[]; close: () => Promise<void> }> {
  const usual = { locale: 'zh-CN', userAgent: userAgents.pc, reducedMotion: 'reduce' } as const;
  const context = await browser.newContext({ ...usual, ...options });
  const page = await context.newPage();
  const complaints: string[] = [];
  page.on('pageerror', (error) => complaints.push(error.message));
  page.on('console', (message) => {
    if (message.type() === 'error') complaints.push(message.text());
  });
  return { page, complaints, close: () => context.close() };
}

/** A picture of the whole page; see `picturePath`. */
export async function takePicture(page: Page, name: string): Promise<void> {
  const path = picturePath(name);
  if (path !== undefined) await page.screenshot({ path, fullPage: true });
}

/** The emulated phone of a person, beside the page under test. */
export async function openPhone(page: Page, base: string, person: string, more = ''): Promise<Page> {
  const demo: unknown = await (await fetch(`${base}/demo.json`)).json();
  if (!isDemo(demo)) throw new Error('no emulator runs');
  const phone = await page.context().newPage();
  await phone.setViewportSize({ width: 390, height: 844 });
  await phone.goto(`${demo.phone.home}?person=${person}${more}`);
  return phone;
}

const isDemo = (value: unknown): value is { phone: { home: string } } =>
  typeof value === 'object' && value !== null && 'phone' in value && value.phone !== null;

/** Clicks from the shop to the module's own page of a row and waits for its QR code. */
export async function openFollowPage(page: Page, { url }: Pick<World, 'url'>, slug: string): Promise<void> {
  await page.goto(`${url}/?provider=${slug}&method=follow`);
  await page.locator('[data-go=sign-in]').click();
  await page.locator('main[data-state=pending]').waitFor();
}

/** Scans the newest QR code of the Open Platform on a screen and presses 允许: a page just closed may still be listed. */
export async function scanAndAllow(phone: Page): Promise<void> {
  await phone.getByTestId('tab-scan').click();
  await phone.locator('[data-testid=code][data-kind=login]').first().click();
  await phone.frameLocator('#frame').getByTestId('allow').click();
}

/** Waits for the signed-in page and reads whose it is. */
export async function signedInUser(view: View): Promise<{ id: string; nickname: string }> {
  await view.locator('#home').waitFor();
  const id = (await view.locator('#user-id').textContent()) ?? '';
  return { id, nickname: (await view.locator('#nickname').textContent()) ?? '' };
}

/** Scans the newest QR code of an Official Account and, where the phone shows its profile, follows; ends in the chat. */
export async function scanAndFollow(phone: Page): Promise<void> {
  await phone.getByTestId('tab-scan').click();
  await phone.locator('[data-testid=code][data-kind=scene]').first().click();
  const follow = phone.getByTestId('follow');
  const chat = phone.locator('.chat');
  await follow.or(chat).first().waitFor();
  if (await follow.isVisible()) await follow.click();
  await chat.waitFor();
}

/** Opens the newest confirm link of the chat. */
export async function openConfirmPage(phone: Page): Promise<FrameLocator> {
  await phone.getByTestId('link').last().click();
  const page = phone.frameLocator('#frame');
  await page.locator('form').waitFor();
  return page;
}

/** Opens a page of the shop inside the emulated WeChat. */
export async function openInsideWechat(phone: Page, person: string, url: string): Promise<FrameLocator> {
  await phone.goto(phone.url().replace(/\?.*/, `?person=${person}&open=${encodeURIComponent(url)}`));
  return phone.frameLocator('#frame');
}

/** Types a member's account into the form of `/members` and sends it. */
export async function fillAccount(view: View, account: { login: string; password: string }): Promise<void> {
  await view.locator('#account [name=login]').fill(account.login);
  await view.locator('#account [name=password]').fill(account.password);
  await view.locator('#account-submit').click();
}
