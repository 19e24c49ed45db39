import type { Browser } from 'playwright-core';
import { launchBrowser } from '../support/browser.js';
import { openShop, type Shop } from '../support/example-app.js';
import { openPage, takePicture } from '../support/shop-pages.js';

describe('the description of the endpoints at /docs', () => {
  let browser: Browser;
  let shop: Shop;

  beforeAll(async () => {
    [browser, shop] = await Promise.all([launchBrowser(), openShop()]);
  }, 120_000);

  it('lists the endpoints of sign-in and administration, from this machine alone', async () => {
    const { page, complaints, close } = await openPage(browser, { locale: 'en-US' });
    const asked: string[] = [];
    page.on('request', (request) => asked.push(new URL(request.url()).origin));

    await page.goto(`${shop.url}/docs`);
    await page.locator('.opblock-tag').first().waitFor();
    await page.locator('[data-tag="IAM: sign-in"]').click();
    await page.locator('[data-tag="IAM: admin users"]').click();
    await page.locator('[data-path="/iam/admin/users/{id}/merge"]').waitFor();
    await page.locator('[data-path="/iam/token"]').click();
    await page.locator('.opblock.is-open .opblock-body').waitFor();
    await takePicture(page, 'docs-pc');

    expect(await page.locator('.authorize').first().isVisible()).toBe(true);
    expect([...new Set(asked.filter((origin) => origin !== 'null'))]).toEqual([shop.url]);
    expect(complaints).toEqual([]);
    await close();
  }, 60_000);

  it('loosens the policy of no other page', async () => {
    const [docs, home] = await Promise.all(['/docs', '/'].map((path) => fetch(shop.url + path)));

    expect(docs?.headers.get('content-security-policy')).toContain("script-src 'self';");
    expect(home?.headers.get('content-security-policy')).toContain("style-src 'self';");
  });
});
