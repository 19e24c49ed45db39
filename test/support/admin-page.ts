import { randomBytes } from 'node:crypto';
import type { Page } from 'playwright-core';
import { adminToken } from './admin.js';
import type { Shop } from './example-app.js';
import { openPhone, scanAndAllow, signedInUser } from './shop-pages.js';

/** What `startShop` needs for the tests' admin token. */
export const adminVariables = { IAM_ADMIN_TOKEN: adminToken } as const;

/** Signs a person in by the shop's page, in the tab of `page`. */
export async function signInAtShop(
  page: Page,
  shop: Shop,
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

/** Drives the emulator of a shop as its control API does: `/_emulator/{path}`. */
export async function emulate(shop: Shop, path: string, body: object = {}): Promise<Record<string, unknown>> {
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
export async function createApps(shop: Shop): Promise<{ open: Pair; mp: Pair }> {
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
