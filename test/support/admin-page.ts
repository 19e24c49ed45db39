import { randomBytes } from 'node:crypto';
import type { Page } from 'playwright-core';
import { adminToken } from './admin.js';
import type { ExampleApp } from './example-app.js';
import { openPhone, scanAndAllow, signedInUser } from './shop-pages.js';

/** What `startExample` needs for `enterAsAdmin`. */
export const adminVariables = { IAM_ADMIN_TOKEN: adminToken } as const;

/** A view of the admin page, once it is there: `users`, `providers/wechat`. */
export async function openView(page: Page, shop: ExampleApp, view: string): Promise<void> {
  await page.goto(`${shop.url}/admin#/${view}`);
  await page.locator('#view[aria-busy=false]').waitFor();
}

/** Types the admin token; ends in the list of providers. */
export async function enterAsAdmin(page: Page, shop: ExampleApp): Promise<void> {
  await openView(page, shop, 'access');
  await page.locator('[name=token]').fill(adminToken);
  await page.locator('#token-form button').click();
  await page.locator('#sections [aria-current][href="#/providers"]').waitFor();
  await page.locator('table').waitFor();
}

/** Signs a person in by the shop's page, in the tab of `page`. */
export async function signInAtShop(
  page: Page,
  shop: ExampleApp,
  person: string,
  slug = 'wechat',
): Promise<{ id: string; nickname: string }> {
  await page.goto(`${shop.url}/?provider=${slug}&method=open`);
  await page.locator('[data-go=sign-in]').click();
  await page.locator('[data-status=waiting]').waitFor();
  const phone = await openPhone(page, shop.url, person);
  await scanAndAllow(phone);
  const user = await signedInUser(page);
  await phone.close();
  return user;
}

/** Signs a person in by WeChat on the admin page; ends on the page again. */
export async function signInAtAdmin(page: Page, shop: ExampleApp, person: string): Promise<void> {
  await openView(page, shop, 'access');
  await page.locator('[data-provider=wechat][data-method=open]').click();
  await page.locator('[data-status=waiting]').waitFor();
  const phone = await openPhone(page, shop.url, person);
  await scanAndAllow(phone);
  await page.locator('#sections:not([hidden])').waitFor();
  await phone.close();
}

/** Answers the dialog that is open, by typing what it asks for where it does. */
export async function confirmDialog(page: Page, word?: string): Promise<void> {
  if (word !== undefined) await page.locator('#dialog input').fill(word);
  await page.locator('#dialog [type=submit]').click();
}

/** Drives the emulator of a shop as its control API does: `/_emulator/{path}`. */
export async function emulate(
  shop: ExampleApp,
  path: string,
  body: object = {},
): Promise<Record<string, unknown>> {
  const demo: unknown = await (await fetch(`${shop.url}/demo.json`)).json();
  if (!isDemo(demo)) throw new Error('no emulator runs');
  const url = new URL(`/_emulator/${path}`, demo.phone.home);
  const response = await fetch(url, { method: 'POST', body: JSON.stringify(body) });
  const answer: unknown = await response.json();
  if (!response.ok || typeof answer !== 'object' || answer === null)
    throw new Error(`${path}: ${JSON.stringify(answer)}`);
  return { ...answer };
}

const isDemo = (value: unknown): value is { phone: { home: string } } =>
  typeof value === 'object' && value !== null && 'phone' in value && value.phone !== null;

/** A pair as WeChat's console shows it. */
export interface Pair {
  readonly appid: string;
  readonly secret: string;
}

/** A website app and an Official Account of one Open Platform account, as somebody creates them at WeChat. */
export async function createApps(shop: ExampleApp): Promise<{ open: Pair; mp: Pair }> {
  const { id: account } = await emulate(shop, 'accounts');
  const pair = (): Pair => ({
    appid: `wx${randomBytes(8).toString('hex')}`,
    secret: randomBytes(16).toString('hex'),
  });
  const [open, mp] = [pair(), pair()];
  await emulate(shop, 'apps', { kind: 'website', account, callbackDomain: 'localhost', ...open });
  await emulate(shop, 'apps', { kind: 'official', account, oauthDomain: 'localhost', ...mp });
  return { open, mp };
}
