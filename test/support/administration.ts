import type { Browser, Page } from 'playwright-core';
import { adminToken } from './admin.js';
import type { Shop } from './example-app.js';
import { axeFindings, inAllLooks, inLooks, type Look } from './pages.js';
import { openPage, openPhone, scanAndAllow, takePicture } from './shop-pages.js';

/** Opens a view of the administration, such as `/users`, with the admin token; ends once it is shown. */
export async function administer(page: Page, shop: Shop, view: string): Promise<void> {
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
  shop: Shop,
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

/** Secrets and addresses that run out of what holds them, where nobody can read their end. */
const cutTexts = `[...document.querySelectorAll('.el-dialog code, td code')].filter((code) =>
    code.getBoundingClientRect().right > code.closest('.el-dialog, table').getBoundingClientRect().right)
  .map((code) => code.textContent)`;

/**
 * What axe finds wrong with the page, whether it has to be scrolled sideways, and which texts are cut: as it is now and in the other
 * looks of a story. A picture of each has the name that is given.
 */
export async function findBarriers(
  page: Page,
  looks: readonly Look[] = [],
  picture?: string,
): Promise<readonly string[]> {
  const found = await inLooks(page, inAllLooks ? looks.slice(0, 1) : looks, async (look) => {
    const isWide = await page.evaluate('document.documentElement.scrollWidth > innerWidth');
    const cut = await page.evaluate<string[]>(cutTexts);
    const barriers = [
      ...(await axeFindings(page)),
      ...(isWide === true ? [`${page.url()} is wider than the window`] : []),
      ...cut.map((text) => `the end of ${text} is cut`),
    ];
    if (look === undefined) return barriers;
    const name = `${look.colorScheme}-${String(look.viewport.width)}`;
    if (picture !== undefined) await takePicture(page, `${picture}-${name}`);
    return barriers.map((each) => `${name}: ${each}`);
  });
  return found.flat();
}

/** Complaints of the console but those of expected refusals: before anybody is signed in, the API answers 401. */
export const beyond = (complaints: readonly string[], ...expected: readonly string[]) =>
  complaints.filter((line) => !['401', ...expected].some((part) => line.includes(part)));

/** What is told once in a language; each of its pages takes on all its looks. */
export interface Story {
  readonly locale: 'zh-CN' | 'en-US';
  readonly looks: readonly Look[];
}

/** Light in Chinese on a PC; dark in English on a phone, and in a window at 200 %. */
export const stories: readonly Story[] = [
  { locale: 'zh-CN', looks: [{ colorScheme: 'light', viewport: { width: 1280, height: 800 } }] },
  {
    locale: 'en-US',
    looks: [
      { colorScheme: 'dark', viewport: { width: 390, height: 844 } },
      { colorScheme: 'light', viewport: { width: 640, height: 400 } },
    ],
  },
];

/** A page in a story's first look. */
export const openStory = (browser: Browser, { locale, looks }: Story) =>
  openPage(browser, { locale, ...looks[0] });

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
