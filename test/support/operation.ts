import type { Page } from 'playwright-core';
import type { Person } from '../../emulator/index.js';
import type { AdminClient } from './admin.js';
import { cancel, searchSteps, untilRead } from './administration.js';
import { redirectUri, type World } from './iam-app.js';
import { authorizeUrl, callbackAfterScan, pkce } from './sign-in.js';
import { onPc } from './signed-in.js';

/** Right-to-left, blank, of emoji alone, and long. */
export const names = ['Al-Khwārizmī الخوارزمي مؤسس علم الجبر', '　　', '🍵👩‍👩‍👧‍👦🏳️‍🌈', '长'.repeat(60)];

/** The end of a sign-in that the page has not begun, with words of somebody else. */
export const foreign = '?error=access_denied&error_description=Call%20555-0100&state=iam.foreign&iss=';

const nobody = '00000000-0000-7000-8000-000000000000';
/** Views without a row, or without an answer: for a person and an id that are not there. */
const empty: readonly string[] = [
  `users/${nobody}`,
  `logins?user=${nobody}`,
  `sessions?user=${nobody}`,
  `audit?user=${nobody}`,
  'audit?user=nobody',
  'events?status=processing',
  `events/${nobody}`,
  'roles/nowhere',
  'providers/nowhere',
  'clients/nowhere',
  'api-keys?q=nobody',
  'events/logouts?client=nobody',
];

/**
 * Users who were merged, who have asked to be erased, and who are banned; the ban of one who is gone; applications and an API key:
 * the views of all that, and those without a row.
 */
export async function prepareOperation(world: World, admin: AdminClient): Promise<readonly string[]> {
  const others: string[] = [];
  for (const nickname of names)
    others.push(`users/${String((await admin.post('users', { nickname })).json()['id'])}`);
  const [merged = '', kept = '', leaving = '', banned = ''] = others;
  const erased = `users/${(await onPc(world, world.wechat.person({ nickname: '抹除' }))).id}`;
  await admin.post(`${kept}/merge`, { other: merged.slice(6) });
  const later = `UPDATE iam.users SET deletion_at = now() + interval '3 days' WHERE id = $1`;
  await world.dataSource.query(later, [leaving.slice(6)]);
  for (const user of [banned, erased]) await admin.post(`${user}/disable`, { reason: '长'.repeat(200) });
  await admin.delete(erased);
  const service = { id: 'robot', type: 'service', name: '长'.repeat(60), roles: ['chief'] };
  await admin.post('clients', service);
  await admin.post('api_keys', { client_id: 'robot', name: names[0], permissions: ['orders:read'] });
  const partner = {
    id: 'partner',
    first_party: false,
    redirect_uris: [redirectUri(world.url)],
    name: names[0],
  };
  await admin.post('clients', { ...partner, client_uri: 'https://tea.example/' });
  return [...empty, ...others, 'clients', 'clients/robot', 'clients/+', 'api-keys', 'events/logouts'];
}

/** What stands in the way in the questions and failures of the operation, and where a third party asks for consent; ends signed out. */
export function searchOperation(
  page: Page,
  world: World,
  boss: Person,
): Promise<Record<string, readonly string[]>> {
  const at = (view: string) => `${world.url}/iam/ui/admin${view}`;
  const see = async (view: string) => {
    await page.goto(at(view));
    await untilRead(page);
  };
  const main = page.locator('#main');
  const dialog = page.getByRole('dialog').filter({ visible: true });
  const failures = ['overview', 'logins', 'audit', 'events', 'keys', 'roles', 'roles/chief'].map(
    (view) =>
      [
        `offline ${view}`,
        async () => {
          await page.unroute('**/iam/admin/**');
          await page.goto(at('/nowhere'));
          await page.locator('#main h1').waitFor();
          await page.route('**/iam/admin/**', (route) =>
            route.request().url().endsWith('/access') ? route.continue() : route.abort(),
          );
          await page.goto(at(`/${view}`));
          await page.locator('[data-code=offline]').first().waitFor();
        },
      ] as const,
  );
  return searchSteps(page, {
    rotate: async () => {
      await see('/keys');
      await main.getByRole('button').first().click();
      await dialog.waitFor();
    },
    revoke: async () => {
      await cancel(page);
      await main.locator('tbody .el-button--danger').first().click();
      await dialog.waitFor();
    },
    banDetail: async () => {
      await see('/bans');
      await main.locator('.unfold button').first().click();
      await main.locator('.detail strong').waitFor();
    },
    liftBan: async () => {
      await main.locator('tbody .el-button').first().click();
      await dialog.waitFor();
    },
    newApiKey: async () => {
      await see('/api-keys');
      await page.locator('.head .el-button--primary').click();
      await dialog.waitFor();
    },
    madeApiKey: async () => {
      await dialog.locator('#key-client').fill('robot');
      await dialog.locator('#key-name').fill(names[0] ?? '');
      await dialog.locator('[type=submit]').click();
      await dialog.locator('code').waitFor();
    },
    endApiKey: async () => {
      await dialog.locator('.el-button--primary').click();
      await main.locator('tbody .el-button').first().click();
      await dialog.waitFor();
    },
    deleteRole: async () => {
      await see('/roles/chief');
      await page.locator('.head .el-button--danger').click();
      await dialog.waitFor();
    },
    newRoleWrong: async () => {
      await see('/roles/+');
      await page.locator('#role-name').fill('Cashier!');
      await page.keyboard.press('Enter');
      await page.locator('.wrong').first().waitFor();
    },
    ...Object.fromEntries(failures),
    noAnswer: async () => {
      await page.unroute('**/iam/admin/**');
      await page.route('**/iam/admin/access', (route) => route.fulfill({ status: 502 }));
      await page.reload();
      await page.locator('#main > [data-code]').waitFor();
    },
    refusedSignIn: async () => {
      await page.unroute('**/iam/admin/access');
      await page.context().clearCookies();
      await page.goto(at(foreign + encodeURIComponent(world.url)));
      await page.locator('[data-code=state_mismatch]').waitFor();
    },
    wrongToken: async () => {
      await page.locator('#token').fill('wrong');
      await page.keyboard.press('Enter');
      await page.locator('#token-wrong').waitFor();
    },
    consent: async () => {
      const asked = { client_id: 'partner', scope: 'openid profile phone roles offline_access' };
      await page.goto(authorizeUrl(world.url, pkce().challenge, asked));
      await page.goto(await callbackAfterScan(world.wechat, page.url(), boss));
      await page.locator('button[value=confirm]').waitFor();
    },
  });
}
