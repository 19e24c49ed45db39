// `npm run docs:pictures`: takes the pictures of the README anew, from the built example.
import { mkdir, writeFile } from 'node:fs/promises';
import { launchBrowser } from '../../test/support/browser.js';
import { startExample } from '../../test/support/example-app.js';
import {
  openConfirmPage,
  openPage,
  openPhone,
  scanAndAllow,
  scanAndFollow,
} from '../../test/support/shop-pages.js';
import { root, type Language } from './markdown.js';

const locales: Readonly<Record<Language, string>> = { en: 'en-US', zh: 'zh-CN' };
const desk = { width: 820, height: 640 };
const hand = { width: 340, height: 700 };
const adminToken = 'token-of-the-pictures-token-of-the-pictures';

const browser = await launchBrowser();
const example = await startExample({ IAM_ADMIN_TOKEN: adminToken });
const { url } = example;
try {
  await mkdir(`${root}docs/images`, { recursive: true });
  for (const language of ['en', 'zh'] as const) {
    await writeFile(`${root}docs/images/sign-in.${language}.png`, await takeSignIn(language));
    await writeFile(`${root}docs/images/pages.${language}.png`, await takePages(language));
  }
} finally {
  await example.clean();
  await browser.close();
}

/** Follow-to-login: the QR code on the PC, and the phone that is asked. */
async function takeSignIn(language: Language): Promise<Buffer> {
  const { page, close } = await openPage(browser, { locale: locales[language], viewport: desk });
  await page.goto(url);
  await page.locator('[data-go=sign-in]').click();
  await page.locator('main .others button', { hasText: '公众号' }).first().click();
  await page.locator('.code[data-state=ready]').waitFor();
  // The click has scrolled to its button.
  await page.evaluate('scrollTo(0, 0)');
  const pc = await page.screenshot();
  const phone = await openPhone(page, url, 'lan');
  await phone.setViewportSize(hand);
  await scanAndFollow(phone);
  await page.locator('.code[data-state=done]').waitFor();
  await openConfirmPage(phone);
  const asked = await phone.screenshot();
  await close();
  return join(pc, asked);
}

/** The administration, and somebody's account. */
async function takePages(language: Language): Promise<Buffer> {
  for (const person of ['wei', 'grace']) await (await openAccount(language, person)).close();
  const { page, close } = await openAccount(language, 'lan');
  const account = await page.screenshot();
  await close();
  const viewport = { width: 1100, height: 858 };
  const { page: admin, close: leave } = await openPage(browser, { locale: locales[language], viewport });
  await admin.goto(`${url}/iam/ui/admin`);
  await admin.locator('input').first().fill(adminToken);
  await admin.keyboard.press('Enter');
  await admin.locator('nav').first().waitFor();
  await admin.waitForLoadState('networkidle');
  const overview = await admin.screenshot();
  await leave();
  return join(overview, account);
}

/** Signs in by the QR code of the page to choose on. */
async function openAccount(language: Language, person: string): ReturnType<typeof openPage> {
  const opened = await openPage(browser, { locale: locales[language], viewport: desk });
  const { page } = opened;
  await page.goto(`${url}/iam/ui/account`);
  await page.waitForURL('**/ui/sign-in?*');
  const phone = await openPhone(page, url, person);
  await scanAndAllow(phone);
  await page.waitForURL(`${url}/iam/ui/account`);
  await page.setViewportSize(hand);
  await page.waitForLoadState('networkidle');
  await phone.close();
  return opened;
}

/** The phone before the corner of the PC's window. */
async function join(pc: Buffer, phone: Buffer): Promise<Buffer> {
  const page = await browser.newPage({ viewport: { width: 1060, height: 740 }, deviceScaleFactor: 1.5 });
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
