import type { Browser, BrowserContextOptions } from 'playwright-core';
import { adminVariables, enterAsAdmin, openView, signInAtShop } from '../support/admin-page.js';
import { launchBrowser } from '../support/browser.js';
import { type ExampleApp, startShop } from '../support/example-app.js';
import { openPage, phoneOutsideWechat, takePicture } from '../support/shop-pages.js';

const views = ['providers', 'users', 'roles', 'sessions', 'logins', 'audit', 'events', 'keys', 'access'];

const details = ['providers/+', 'providers/wechat-follow', 'roles/+', 'roles/administrator'];

describe('every view of the admin page', () => {
  let browser: Browser;
  let shop: ExampleApp;

  beforeAll(async () => {
    [browser, shop] = await Promise.all([launchBrowser(), startShop(adminVariables)]);
    const { page, close } = await openPage(browser);
    await signInAtShop(page, shop, 'lan');
    await close();
  }, 120_000);

  const screens: Readonly<Record<string, BrowserContextOptions>> = {
    'pc-zh': {},
    'pc-dark-en': { locale: 'en-US', colorScheme: 'dark' },
    'phone-zh': { ...phoneOutsideWechat, colorScheme: 'dark' },
    'phone-en': { ...phoneOutsideWechat, locale: 'en-US' },
  };

  it.each(Object.entries(screens))(
    'fits the screen, without a complaint: %s',
    async (name, options) => {
      const { page, complaints, close } = await openPage(browser, options);
      await enterAsAdmin(page, shop);
      const width = page.viewportSize()?.width ?? 0;

      for (const view of [...views, ...details]) {
        await openView(page, shop, view);
        await takePicture(page, `admin-${view.replace('/', '-').replace('+', 'new')}-${name}`);
        const size = await page.evaluate<number>('document.documentElement.scrollWidth');
        expect({ view, size }).toEqual({ view, size: width });
        expect(await page.locator('#view .problem').count()).toBe(0);
      }

      expect(complaints).toEqual([]);
      await close();
    },
    120_000,
  );

  it('has a text for everything in both languages, and changes at a click', async () => {
    const { page, close } = await openPage(browser);
    await enterAsAdmin(page, shop);

    await page.locator('#language').click();
    await page.getByRole('heading', { name: 'Identity providers' }).waitFor();
    const words = await page.evaluate<string[][]>(`(async () => {
      const [zh, en, providersZh, providersEn] = await Promise.all(
        ['words-zh', 'words-en', 'provider-words-zh', 'provider-words-en'].map((name) => import('/js/admin/' + name + '.js')),
      );
      return [zh.wordsZh, en.wordsEn, providersZh.providerZh, providersEn.providerEn].map((texts) => Object.keys(texts));
    })()`);

    expect(words[0]).toEqual(words[1]);
    expect(words[2]).toEqual(words[3]);
    expect(await page.locator('html').getAttribute('lang')).toBe('en');
    await close();
  }, 60_000);

  it('goes by the keyboard alone, and names every control', async () => {
    const { page, close } = await openPage(browser, { locale: 'en-US' });
    await enterAsAdmin(page, shop);
    await openView(page, shop, 'providers/wechat-follow');

    const nameless = await page.evaluate<
      string[]
    >(`[...document.querySelectorAll('#view :is(input, select, textarea)')]
      .filter((control) => control.labels.length === 0 && !control.ariaLabel).map((control) => control.outerHTML)`);
    await page.getByRole('button', { name: 'Delete the provider' }).focus();
    await page.keyboard.press('Enter');
    await page.locator('#dialog[open]').waitFor();
    const inside = await page.evaluate<boolean>(
      "document.getElementById('dialog').contains(document.activeElement)",
    );
    await page.keyboard.press('Escape');
    await page.locator('#dialog:not([open])').waitFor({ state: 'attached' });

    expect(nameless).toEqual([]);
    expect(inside).toBe(true);
    expect(await page.evaluate<string>('document.activeElement.textContent')).toBe('Delete the provider');
    await close();
  }, 60_000);

  it('pages through a long list', async () => {
    const { page, close } = await openPage(browser, { locale: 'en-US' });
    await enterAsAdmin(page, shop);
    for (const [index] of Array.from({ length: 21 }).entries())
      await page.evaluate(`fetch('/iam/admin/roles', {
        method: 'POST',
        headers: { authorization: 'Bearer ' + sessionStorage.getItem('admin-token'), 'content-type': 'application/json' },
        body: JSON.stringify({ name: 'role-' + ${index} }),
      })`);
    await openView(page, shop, 'roles');
    const before = await page.locator('tbody tr').count();

    await page.getByRole('button', { name: 'Show more' }).click();
    await page.locator('.more').waitFor({ state: 'hidden' });

    expect(before).toBe(20);
    expect(await page.locator('tbody tr').count()).toBe(22);
    await close();
  }, 60_000);
});

describe('the description of the endpoints at /docs', () => {
  let browser: Browser;
  let shop: ExampleApp;

  beforeAll(async () => {
    [browser, shop] = await Promise.all([launchBrowser(), startShop()]);
  }, 120_000);

  it('lists the endpoints of sign-in and administration, from this machine alone', async () => {
    const { page, complaints, close } = await openPage(browser, { locale: 'en-US' });
    const asked: string[] = [];
    page.on('request', (request) => asked.push(new URL(request.url()).origin));

    await page.goto(`${shop.url}/docs`);
    await page.locator('.opblock-tag').first().waitFor();
    await page.locator('[data-tag="IAM: token"]').click();
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
