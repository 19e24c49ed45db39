import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { Page } from 'playwright-core';
import { z } from 'zod';
import type { World } from './iam-app.js';

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

const findings = z.array(
  z.object({ id: z.string(), nodes: z.array(z.object({ html: z.string(), failureSummary: z.string() })) }),
);

/** With IAM_TEST_ALL_LOOKS set, each page that is searched for barriers takes on every theme and window. */
export const inAllLooks = process.env['IAM_TEST_ALL_LOOKS'] !== undefined;

const themes = ['light', 'dark'] as const;
/** A PC, a phone, and a PC at 200 %. */
const windows = [
  { width: 1280, height: 800 },
  { width: 390, height: 844 },
  { width: 640, height: 400 },
] as const;

/** The time limit of a story that searches for barriers. */
export const storyTime = (usual: number): number => (inAllLooks ? 900_000 : usual);

/** A theme and a window. */
export interface Look {
  readonly colorScheme: (typeof themes)[number];
  readonly viewport: { readonly width: number; readonly height: number };
}

/** What there is to see on an open page in each look, the first of which it has; ends in that one. */
export async function inLooks<Seen>(
  page: Page,
  [first, ...others]: readonly Look[],
  see: (look?: Look) => Promise<Seen>,
): Promise<Seen[]> {
  const seen = [await see(first)];
  for (const look of others) {
    await takeOn(page, look);
    seen.push(await see(look));
  }
  if (first !== undefined && others.length > 0) await takeOn(page, first);
  return seen;
}

/** Has an open page take on a look, in which nothing moves. */
async function takeOn(page: Page, { colorScheme, viewport }: Look): Promise<void> {
  await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
  await page.setViewportSize(viewport);
  await settle(page);
}

/** What axe finds on a page, its frames left out; an empty list is what a page should have. */
export const axeFindings = (page: Page): Promise<string[]> =>
  inAllLooks ? findInAllLooks(page) : findAsItIs(page);

/** A dialog does not widen the document: its words run out of it. */
const isTooWide = `document.documentElement.scrollWidth > innerWidth ||
  [...document.querySelectorAll('.el-dialog, dialog[open]')].some((each) => each.scrollWidth > each.clientWidth)`;

async function findInAllLooks(page: Page): Promise<string[]> {
  const [size, isDark] = [
    page.viewportSize(),
    await page.evaluate<boolean>(`matchMedia('(prefers-color-scheme: dark)').matches`),
  ];
  const found: string[] = [];
  for (const colorScheme of themes) {
    for (const viewport of windows) {
      await takeOn(page, { colorScheme, viewport });
      const isWide = await page.evaluate<boolean>(isTooWide);
      const barriers = [...(await findAsItIs(page)), ...(isWide ? ['it is wider than the window'] : [])];
      found.push(...barriers.map((each) => `${colorScheme}, ${viewport.width}: ${page.url()}: ${each}`));
    }
  }
  await page.emulateMedia({ colorScheme: isDark ? 'dark' : 'light' });
  if (size !== null) await page.setViewportSize(size);
  await settle(page);
  return found;
}

/**
 * Vue has drawn after two frames; a colour on its way to another has no contrast to be judged. Where an inherited colour has arrived,
 * those of the elements inside set out.
 */
async function settle(page: Page): Promise<void> {
  await page.evaluate(`(async () => {
    const frame = () => new Promise((drawn) => requestAnimationFrame(() => drawn()));
    await frame();
    for (let running = [0]; running.length > 0;) {
      await frame();
      running = document.getAnimations().filter((each) => each instanceof CSSTransition);
      await Promise.allSettled(running.map(({ finished }) => finished));
    }
  })()`);
}

/** As a script, which Chromium compiles once for a process; what Playwright evaluates, it compiles each time. */
async function loadAxe(page: Page): Promise<void> {
  const session = await page.context().newCDPSession(page);
  await session.send('Runtime.evaluate', { expression: axe });
  await session.detach();
}

async function findAsItIs(page: Page): Promise<string[]> {
  if ((await page.evaluate('typeof axe')) === 'undefined') await loadAxe(page);
  // With all that is right it takes the page twice as long to say what is wrong.
  const violations: unknown = await page.evaluate(
    `axe.run(document, { iframes: false, resultTypes: ['violations'] }).then(({ violations }) => violations)`,
  );
  return findings
    .parse(violations)
    .flatMap(({ id, nodes }) => nodes.map(({ html, failureSummary }) => `${id}: ${html}\n${failureSummary}`));
}

const codes = z.object({ qrCodes: z.array(z.object({ kind: z.string(), content: z.string() })) });

/** What the QR code says that WeChat has shown last on a page of its own (`login`), or made last for an Official Account (`scene`). */
export async function newestQrCode(
  { wechat }: Pick<World, 'wechat'>,
  wanted: 'login' | 'scene' = 'login',
): Promise<string> {
  const response = await fetch(`${wechat.endpoints.open}/_emulator/qr-codes`);
  const newest = codes.parse(await response.json()).qrCodes.find(({ kind }) => kind === wanted);
  if (newest === undefined) throw new Error('WeChat has shown no QR code');
  return newest.content;
}
