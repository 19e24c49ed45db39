import type { Page } from 'playwright-core';
import { adminToken } from './admin.js';
import type { ExampleApp } from './example-app.js';
import { axeFindings, storyLooks } from './pages.js';
import { openPhone, scanAndAllow } from './shop-pages.js';

/** Opens a view of the administration, such as `/users`, with the admin token; ends once it is shown. */
export async function administer(page: Page, shop: ExampleApp, view: string): Promise<void> {
  await page.goto(`${shop.url}/iam/ui/admin${view}`);
  await page.locator('#token').fill(adminToken);
  await page.locator('#token-form [type=submit]').click();
  await page.locator('#token-form').waitFor({ state: 'detached' });
  await page.locator('#main h1').waitFor();
}

/** Waits until a view has read what it shows. */
export async function untilRead(page: Page): Promise<void> {
  await page.locator('#main h1').waitFor();
  await page.locator('.bone').first().waitFor({ state: 'detached' });
}

/** Goes to another view as a link of the page does, which has loaded its scripts before. */
export async function turnTo(page: Page, view: string): Promise<void> {
  const router = `document.querySelector('#app').__vue_app__.config.globalProperties.$router`;
  await page.evaluate(
    `${router}.push(${JSON.stringify(view)}).then(() => new Promise(requestAnimationFrame))`,
  );
  await untilRead(page);
}

/** Opens a view as somebody who signs in by WeChat on the way. */
export async function administerAs(
  page: Page,
  shop: ExampleApp,
  { person, view }: { readonly person: string; readonly view: string },
): Promise<void> {
  await page.goto(`${shop.url}/iam/ui/admin${view}`);
  await page.locator('[data-provider=wechat][data-method=open]').click();
  await page.locator('[data-status=waiting]').waitFor();
  const phone = await openPhone(page, shop.url, person);
  await scanAndAllow(phone);
  await page.locator('.sections').waitFor();
  await phone.close();
}

/** Answers the question that is open: gives a reason, types what has to be typed, and does it. */
export async function answerQuestion(
  page: Page,
  { reason, word }: { readonly reason?: string; readonly word?: string } = {},
): Promise<void> {
  if (reason !== undefined) await page.locator('#question-reason').fill(reason);
  if (word !== undefined) await page.locator('#question-word').fill(word);
  await page.locator('[form=question][type=submit]').click();
  await page.locator('#question').waitFor({ state: 'hidden' });
}

/** Presses Tab until the focus is where the selector says; fails where it never comes. */
export async function tabTo(page: Page, selector: string): Promise<void> {
  for (let presses = 0; presses < 60; presses += 1) {
    const isThere = `document.activeElement?.matches(${JSON.stringify(selector)}) ?? false`;
    if ((await page.evaluate(isThere)) === true) return;
    await page.keyboard.press('Tab');
  }
  throw new Error(`the keyboard does not reach ${selector}`);
}

/** What axe finds wrong with the page as it is now, and whether it has to be scrolled sideways. */
export async function findBarriers(page: Page): Promise<readonly string[]> {
  const isWide = await page.evaluate('document.documentElement.scrollWidth > innerWidth');
  return [
    ...(await axeFindings(page)),
    ...(isWide === true ? [`${page.url()} is wider than the window`] : []),
  ];
}

/** Complaints of the console but those of expected refusals: before anybody is signed in, the API answers 401. */
export const beyond = (complaints: readonly string[], ...expected: readonly string[]) =>
  complaints.filter((line) => !['401', ...expected].some((part) => line.includes(part)));

/** Light in Chinese on a PC, dark in English on a phone, and a window at 200 %; what fades has no contrast to be judged. */
export const looks = storyLooks([
  { locale: 'zh-CN', colorScheme: 'light', viewport: { width: 1280, height: 800 }, reducedMotion: 'reduce' },
  { locale: 'en-US', colorScheme: 'dark', viewport: { width: 390, height: 844 }, reducedMotion: 'reduce' },
  {
    locale: 'en-US',
    colorScheme: 'light',
    viewport: { width: 640, height: 400 },
    deviceScaleFactor: 2,
    reducedMotion: 'reduce',
  },
] as const);

/** Searches for barriers at each step: the names of the steps, and what a person does to come there. */
export async function searchSteps(
  page: Page,
  steps: Readonly<Record<string, () => Promise<unknown>>>,
): Promise<Record<string, readonly string[]>> {
  const found: Record<string, readonly string[]> = {};
  for (const [name, go] of Object.entries(steps)) {
    await go();
    found[name] = await findBarriers(page);
  }
  return found;
}

/** Closes the dialog that is open by its button, 取消 or Cancel. */
export async function cancel(page: Page): Promise<void> {
  await page
    .getByRole('dialog')
    .getByRole('button', { name: /^(取消|Cancel)$/ })
    .click();
  await page.getByRole('dialog').waitFor({ state: 'hidden' });
}
