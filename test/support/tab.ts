import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { launchBrowser } from './browser.js';
import { userAgents } from './pc-browser.js';

/** What a person does in one tab of a browser. Selectors are CSS; with `frame` they are looked for in the page's first frame. */
export interface Tab {
  open(url: string): Promise<void>;
  reload(): Promise<void>;
  back(): Promise<void>;
  address(): Promise<string>;
  /** Clicks an element once it is there. */
  click(selector: string, place?: Place): Promise<void>;
  /** The text of an element, once it has one. */
  text(selector: string, place?: Place): Promise<string>;
  /** What the expression gives in the page; a promise is awaited. */
  run(expression: string): Promise<unknown>;
  /** See `picturePath`. */
  picture(name: string): Promise<void>;
  close(): Promise<void>;
}

export type Place = 'page' | 'frame';

/** A browser with cookies of its own, whose person reads one language. */
export interface Profile {
  /** Of the browser. */
  readonly version: string;
  tab(): Promise<Tab>;
  /** Forgets the cookies of the page's host, of all its ports. */
  forget(url: string): Promise<void>;
  close(): Promise<void>;
}

export interface ProfileSettings {
  readonly language: 'zh-CN' | 'en-US';
  /** It says that it is WeChat on a phone. */
  readonly insideWechat?: boolean;
}

/** A kind of browser, ready to be opened. */
export interface Engine {
  profile(settings: ProfileSettings): Promise<Profile>;
  close(): Promise<void>;
}

/** Where pictures are kept for people to look at, with IAM_TEST_PICTURES set: they take a third of a story's time. */
export function picturePath(name: string): string | undefined {
  if (process.env['IAM_TEST_PICTURES'] === undefined) return undefined;
  const folder = join(import.meta.dirname, '../output');
  mkdirSync(folder, { recursive: true });
  return join(folder, `${name}.png`);
}

/** Chromium, by Playwright. */
export async function chromiumEngine(): Promise<Engine> {
  const browser = await launchBrowser();
  return {
    profile: (settings) => openContext(browser, settings),
    close: () => browser.close(),
  };
}

async function openContext(
  browser: Browser,
  { language, insideWechat = false }: ProfileSettings,
): Promise<Profile> {
  const context = await browser.newContext({
    locale: language,
    userAgent: userAgents[insideWechat ? 'wechat' : 'pc'],
    viewport: { width: 800, height: 600 },
  });
  context.setDefaultTimeout(45_000);
  return {
    version: browser.version(),
    tab: () => openTab(context),
    forget: () => context.clearCookies(),
    close: () => context.close(),
  };
}

async function openTab(context: BrowserContext): Promise<Tab> {
  const page: Page = await context.newPage();
  const find = (selector: string, place: Place = 'page') =>
    (place === 'frame' ? page.frameLocator('iframe') : page).locator(selector);
  return {
    open: async (url) => {
      await page.goto(url);
    },
    reload: async () => {
      await page.reload();
    },
    back: async () => {
      await page.goBack();
    },
    address: () => Promise.resolve(page.url()),
    click: (selector, place) => find(selector, place).click(),
    text: (selector, place) => find(selector, place).filter({ hasText: /./ }).innerText(),
    run: (expression) => page.evaluate(expression),
    picture: async (name) => {
      const path = picturePath(name);
      if (path !== undefined) await page.screenshot({ path });
    },
    close: () => page.close(),
  };
}
