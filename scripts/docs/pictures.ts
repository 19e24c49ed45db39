// `npm run docs:pictures`: takes the pictures of the README anew, from the built example.
import { mkdir, writeFile } from 'node:fs/promises';
import type { Browser, Page } from 'playwright-core';
import { launchBrowser } from '../../test/support/browser.js';
import { startExample } from '../../test/support/example-app.js';
import { openConfirmPage, openPage, openPhone, scanAndFollow } from '../../test/support/shop-pages.js';
import { root, type Language } from './markdown.js';

const locales: Readonly<Record<Language, string>> = { en: 'en-US', zh: 'zh-CN' };
const desk = { width: 820, height: 640 };

/** Follow-to-login: the QR code on the PC, and the phone that is asked. */
async function takeSignIn(browser: Browser, url: string, language: Language): Promise<Buffer> {
  const { page, close } = await openPage(browser, { locale: locales[language], viewport: desk });
  await page.goto(url);
  await page.locator('[data-provider=wechat-follow][data-method=follow]').click();
  await page.locator('main[data-state=pending]').waitFor();
  const pc = await page.screenshot();
  const phone = await openPhone(page, url, 'lan');
  await phone.setViewportSize({ width: 340, height: 700 });
  await scanAndFollow(phone);
  await page.locator('main[data-state=scanned]').waitFor();
  await openConfirmPage(phone);
  const asked = await phone.screenshot();
  await close();
  return join(browser, pc, asked);
}

/** The phone before the corner of the PC's window. */
async function join(browser: Browser, pc: Buffer, phone: Buffer): Promise<Buffer> {
  const page: Page = await browser.newPage({
    viewport: { width: 1060, height: 740 },
    deviceScaleFactor: 1.5,
  });
  const source = (picture: Buffer) => `data:image/png;base64,${picture.toString('base64')}`;
  await page.setContent(`<style>
    body { margin: 0; background: #eef1ee; }
    img { position: absolute; box-shadow: 0 12px 40px #0003; }
    .pc { left: 30px; top: 30px; width: ${desk.width}px; border-radius: 10px; }
    .phone { right: 30px; top: 60px; width: 310px; border: 9px solid #1d2320; border-radius: 34px; }
  </style><img class="pc" src="${source(pc)}"><img class="phone" src="${source(phone)}">`);
  const joined = await page.screenshot();
  await page.close();
  return joined;
}

const browser = await launchBrowser();
const example = await startExample();
try {
  await mkdir(`${root}docs/images`, { recursive: true });
  for (const language of ['en', 'zh'] as const)
    await writeFile(
      `${root}docs/images/sign-in.${language}.png`,
      await takeSignIn(browser, example.url, language),
    );
} finally {
  await example.clean();
  await browser.close();
}
