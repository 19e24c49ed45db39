import type { Browser, Page } from 'playwright-core';
import { AdminClient } from '../support/admin.js';
import {
  administer,
  administerAs,
  answerQuestion,
  beyond,
  cancel,
  findBarriers,
  openStory,
  searchSteps,
  stories,
  tabTo,
} from '../support/administration.js';
import { adminVariables, emulate, signInAtShop } from '../support/admin-page.js';
import { launchBrowser } from '../support/browser.js';
import { openShop, type Shop } from '../support/example-app.js';
import { inAllLooks, storyTime } from '../support/pages.js';
import { openPage, takePicture } from '../support/shop-pages.js';

/** Presses a button and answers the question that follows; ends once it is done. */
async function press(page: Page, name: string | RegExp, answer = {}): Promise<void> {
  await page.locator('#main').getByRole('button', { name }).click();
  await answerQuestion(page, answer);
  await page.locator('[role=status].shown').waitFor();
}

const strange = [
  '<img src=x onerror="window.hacked=1">',
  'مرحبا بالعالم',
  '👨‍👩‍👧‍👦🌸',
  'Anna-Maria-van-der-Wolkenstein-Trostberg-zu-Hohenlohe-1234567890',
];

describe('people in the administration', () => {
  let browser: Browser;
  let shop: Shop;
  let api: AdminClient;

  beforeAll(async () => {
    [browser, shop] = await Promise.all([launchBrowser(), openShop(adminVariables)]);
    api = new AdminClient(shop.url);
    for (const nickname of [...strange, null]) await api.post('users', { nickname });
  }, 120_000);

  it('bans by the keyboard alone, with a reason that is shown, and lifts the ban', async () => {
    const [admin, person] = await Promise.all([openPage(browser), openPage(browser)]);
    const { id } = await signInAtShop(person.page, shop, 'lan');
    const { page, complaints } = admin;
    const { keyboard } = page;
    await administer(page, shop, '/users');
    await tabTo(page, '[data-filter=q]');
    await keyboard.type('小');
    await keyboard.press('Enter');
    await page.locator('td .name', { hasText: '小兰' }).waitFor();
    await tabTo(page, 'td a.name');
    await keyboard.press('Enter');
    await page.getByRole('heading', { name: '小兰' }).waitFor();
    await page.locator('[data-identity]').waitFor();
    await takePicture(page, 'administration-user-pc-zh');

    await tabTo(page, '.actions .el-button--danger');
    await keyboard.press('Enter');
    await page.locator('#question-reason').waitFor();
    await tabTo(page, '#question-reason');
    await keyboard.type('发布广告');
    await takePicture(page, 'administration-ban-pc-zh');
    await keyboard.press('Enter');
    const banner = page.locator('.banner.bad');
    await banner.waitFor();
    const banned = await banner.innerText();
    await person.page.locator('#refresh').click();
    await person.page.locator('#failed').waitFor();
    const refusal = await person.page.locator('#reason-code').textContent();
    await press(page, '恢复');
    await page.locator('.actions .el-button--danger', { hasText: '停用' }).waitFor();

    expect(page.url()).toContain(id);
    expect(banned).toMatch(/发布广告/);
    expect(refusal).toBe('invalid_grant');
    expect((await api.get(`users/${id}`)).json()['status']).toBe('active');
    expect(beyond(complaints)).toEqual([]);
    await Promise.all([admin.close(), person.close()]);
  }, 120_000);

  it('keeps the place of a list on Back, and its filters in the address', async () => {
    const { page, complaints, close } = await openPage(browser, { locale: 'en-US' });
    for (let each = 0; each < 30; each += 1) await api.post('users', { nickname: `Page ${String(each)}` });
    await administer(page, shop, '/users?q=Page&status=active');
    await page.getByRole('button', { name: 'Show more' }).click();
    await page.getByRole('link', { name: 'Page 0', exact: true }).click();
    await page.getByRole('heading', { name: 'Page 0' }).waitFor();
    const requests: string[] = [];
    page.on('request', (request) => requests.push(request.url()));

    await page.goBack();
    await page.getByRole('link', { name: 'Page 0', exact: true }).waitFor();
    const place = await page.getByRole('link', { name: 'Page 0', exact: true }).boundingBox();
    const rows = await page.locator('tbody tr').count();
    await page.locator('[data-filter=q]').fill('nobody');
    await page.keyboard.press('Enter');
    await page.getByText('No such user.').waitFor();
    const address = page.url();
    await page.route('**/iam/admin/users*', (route) => route.abort());
    await page.locator('[data-filter=q]').fill('Page 1');
    await page.keyboard.press('Enter');
    await page.locator('[data-code=offline]').waitFor();
    await page.unroute('**/iam/admin/users*');
    await page.getByRole('button', { name: 'Try again' }).click();
    await page.getByRole('link', { name: 'Page 1', exact: true }).waitFor();

    expect(rows).toBe(30);
    expect(place?.y).toBeGreaterThan(0);
    expect(place?.y).toBeLessThan(720);
    expect(requests.filter((url) => url.includes('/admin/users?'))).toHaveLength(3);
    expect(address).toContain('q=nobody&status=active');
    expect(beyond(complaints, 'ERR_FAILED')).toEqual([]);
    await close();
  }, 120_000);

  it('compares two users before they are merged, and says why they are not', async () => {
    const pages = await Promise.all([
      openPage(browser, { locale: 'en-US' }),
      openPage(browser),
      openPage(browser),
    ]);
    const [admin, one, two] = pages;
    for (const person of ['xiao', 'hong']) await emulate(shop, 'people', { id: person, nickname: person });
    const older = await signInAtShop(one.page, shop, 'xiao');
    const younger = await signInAtShop(two.page, shop, 'hong');
    const known = String(
      (await api.post('users', { nickname: 'Known to us', external_id: 'crm-7' })).json()['id'],
    );
    const { page, complaints } = admin;
    await administer(page, shop, `/users/${younger.id}`);
    await page.getByRole('button', { name: 'Merge…' }).click();
    const choose = async (q: string) => {
      await page.locator('#merge-q').fill(q);
      await page.keyboard.press('Enter');
      await page.getByRole('button', { name: /^Compare / }).click();
      await page.getByRole('heading', { name: 'What happens' }).waitFor();
    };

    await choose('xiao');
    await page.getByRole('button', { name: 'Merge', exact: true }).click();
    await answerQuestion(page, { word: younger.id.slice(-6) });
    const refusal = page.locator('[data-code=merge_refused]');
    await refusal.waitFor();
    const refused = await refusal.innerText();
    await page.getByRole('button', { name: 'Choose another' }).click();
    await choose('crm-7');
    const heads = await page.locator('thead th').allInnerTexts();
    const consequences = await page.locator('.card li').allInnerTexts();
    await takePicture(page, 'administration-merge-pc-en');
    await page.getByRole('button', { name: 'Merge', exact: true }).click();
    await answerQuestion(page, { word: known.slice(-6) });
    await page.getByRole('heading', { name: 'hong' }).waitFor();
    const kept = (await api.get(`users/${younger.id}`)).json();
    await page
      .locator('[data-identity]')
      .getByRole('button', { name: /^Unlink/ })
      .click();
    const last = await page.locator('#question').innerText();
    await answerQuestion(page);
    await page.getByText('No WeChat identity').waitFor();
    await press(page, 'Erase the user', { word: younger.id.slice(-6) });
    await page.getByRole('heading', { name: 'Users' }).waitFor();

    expect(refused).toContain('WeChat takes them for two people');
    expect(heads.slice(1)).toEqual(['Stays (the older)', 'Becomes part of the other']);
    expect(consequences).toContain('The external id crm-7 goes to the one that stays.');
    expect(kept).toMatchObject({ external_id: 'crm-7', identity_count: 1 });
    expect(last).toContain('the last identity of hong');
    expect((await api.get(`users/${younger.id}`)).status).toBe(404);
    expect((await api.get(`users/${older.id}`)).status).toBe(200);
    expect(beyond(complaints, '409')).toEqual([]);
    await Promise.all(pages.map(({ close }) => close()));
  }, 120_000);

  it('creates and edits a user, gives a role by which they administer, and ends a session', async () => {
    const [admin, person] = await Promise.all([openPage(browser, { locale: 'en-US' }), openPage(browser)]);
    const { page, complaints } = admin;
    const { id } = await signInAtShop(person.page, shop, 'grace');
    await api.post('roles', { name: 'auditor', permissions: ['iam:audit:read', 'iam:users:read'] });
    await administer(page, shop, '/users');
    await page.getByRole('button', { name: 'New user' }).click();
    await page.locator('#user-nickname').fill('Newcomer');
    await page.locator('#user-external-id').fill('crm-42');
    await page.locator('[form=user-form][type=submit]').click();
    await page.getByRole('heading', { name: 'Newcomer' }).waitFor();
    const made = page.url().split('/').at(-1) ?? '';
    await page.getByRole('button', { name: 'Edit' }).click();
    await api.patch(`users/${made}`, { nickname: 'Theirs' });
    await page.locator('#user-nickname').fill('Mine');
    await page.locator('[form=user-form][type=submit]').click();
    const conflict = await page.locator('.newer').innerText();
    const written = await page.locator('#user-nickname').inputValue();
    await page.locator('[form=user-form][type=submit]').click();
    await page.getByRole('heading', { name: 'Mine' }).waitFor();

    await page.getByRole('link', { name: 'Sessions' }).click();
    await page.locator('tbody tr', { hasText: 'Grace' }).getByRole('button', { name: /^End/ }).click();
    await answerQuestion(page);
    await page.locator('tbody tr', { hasText: 'Grace' }).locator('[data-status=over]').waitFor();
    await page.locator('tbody .name', { hasText: 'Grace' }).click();
    await page.locator('.el-select', { hasText: 'Choose a role' }).click();
    await page.getByRole('option', { name: 'auditor' }).click();
    await page.getByRole('button', { name: 'Give', exact: true }).click();
    await page.getByRole('button', { name: 'Take auditor' }).waitFor();
    await page.locator('[data-action="user.role_assigned"]').waitFor();
    await administerAs(person.page, shop, { person: 'grace', view: `/users/${id}` });
    await person.page.locator('[data-identity]').waitFor();
    const buttons = await person.page.locator('#main').getByRole('button').allInnerTexts();
    const sections = await person.page.locator('.sections a').allInnerTexts();

    expect(conflict).toContain('Theirs');
    expect(written).toBe('Mine');
    expect(buttons.filter((label) => !['复制', '详情'].includes(label))).toEqual([]);
    expect(sections.map((label) => label.trim())).not.toContain('登录入口');
    expect(beyond(complaints, '412')).toEqual([]);
    await Promise.all([admin.close(), person.close()]);
  }, 120_000);

  /** What stands in the way in the dialogs and states of the views of people. */
  async function searchEveryState(page: Page, id: string) {
    const press = (name: RegExp) => page.locator('#main').getByRole('button', { name }).first().click();
    const dialog = page.getByRole('dialog').filter({ visible: true });
    const open = (name: RegExp) => press(name).then(() => dialog.waitFor());
    const again = async (name: RegExp) => {
      await cancel(page);
      await open(name);
    };
    const { id: other } = (await api.post('users', { nickname: strange[3] })).json();
    return searchSteps(page, {
      new: async () => {
        await administer(page, shop, '/users');
        await page.locator('tbody tr').first().waitFor();
        await open(/^(新建用户|New user)$/);
      },
      newTooLong: async () => {
        await page.locator('#user-nickname').fill('长'.repeat(65));
        await page.locator('#user-form .wrong').waitFor();
      },
      nobody: async () => {
        await cancel(page);
        await page.locator('[data-filter=q]').fill('nobody');
        await page.keyboard.press('Enter');
        await page.locator('.nothing').waitFor();
      },
      offline: async () => {
        await page.route('**/iam/admin/users*', (route) => route.abort());
        await page.locator('[data-filter=q]').fill('wei');
        await page.keyboard.press('Enter');
        await page.locator('[data-code=offline]').waitFor();
      },
      endSession: async () => {
        await page.unroute('**/iam/admin/users*');
        await administer(page, shop, `/sessions?user=${id}`);
        await open(/^(结束|End)/);
      },
      edit: async () => {
        await administer(page, shop, `/users/${id}`);
        await page.locator('[data-action="user.signed_up"]').waitFor();
        await open(/^(修改|Edit)$/);
      },
      editConflict: async () => {
        await api.patch(`users/${id}`, { nickname: `${'W'.repeat(40)}${String(Date.now())}` });
        await page.locator('#user-nickname').fill('Mine');
        await page.locator('[form=user-form][type=submit]').click();
        await page.locator('.newer').waitFor();
      },
      signOut: () => again(/^(全部下线|Sign out everywhere)$/),
      unlink: () => again(/^(解绑|解除|Unlink)/),
      erase: () => again(/^(抹除用户|Erase the user)$/),
      banned: async () => {
        await cancel(page);
        await press(/^(停用|Ban)$/);
        await answerQuestion(page, { reason: strange[3] ?? '' });
        await page.locator('.banner.bad').waitFor();
      },
      unban: () => open(/^(恢复|Lift the ban)$/),
      merge: async () => {
        await answerQuestion(page);
        await page.locator('.actions .el-button--danger').waitFor();
        await press(/^(合并…|Merge…)$/);
        await page.locator('#merge-q').fill('Anna');
        await page.keyboard.press('Enter');
        await page.locator('.results li').first().waitFor();
      },
      mergeComparison: async () => {
        await page
          .getByRole('button', { name: new RegExp(String(other).slice(-8)) })
          .first()
          .click();
        await page.locator('thead th').first().waitFor();
      },
      mergeQuestion: () => open(/^(合并|Merge)$/),
    });
  }

  it.each(stories)(
    'shows any name as what it is: $locale',
    async (story) => {
      const { page, complaints, close } = await openStory(browser, story);
      const { looks, locale } = story;
      const { id } = await signInAtShop(page, shop, 'wei');
      await administer(page, shop, '/users');
      const oldest = page.locator('tbody .name', { hasText: 'onerror' });
      await page.locator('tbody tr').first().waitFor();
      for (const more = page.locator('.foot button'); (await oldest.count()) === 0;) {
        const shown = await page.locator('tbody tr').count();
        await more.click();
        await page.locator('tbody tr').nth(shown).waitFor();
      }
      const listed = await page.locator('tbody .name').allInnerTexts();
      const found = { users: await findBarriers(page, looks, `administration-users-${locale}`) };
      await page.locator('tbody .name', { hasText: 'onerror' }).click();
      await page.locator('h1', { hasText: 'onerror' }).waitFor();
      const heading = await page.locator('h1').innerText();
      await administer(page, shop, `/users/${id}`);
      await page.locator('[data-action="user.signed_up"]').waitFor();
      Object.assign(found, { user: await findBarriers(page, looks) });
      await page.locator('.actions .el-button--danger').click();
      await page.locator('#question').waitFor();
      Object.assign(found, { question: await findBarriers(page, looks) });
      await administer(page, shop, '/sessions');
      await page.locator('tbody tr').first().waitFor();
      Object.assign(found, { sessions: await findBarriers(page, looks) });
      if (inAllLooks) Object.assign(found, await searchEveryState(page, id));

      expect(Object.values(found).flat()).toEqual([]);
      expect(listed).toEqual(expect.arrayContaining(strange));
      expect(listed).toContain(locale === 'zh-CN' ? '（无昵称）' : '(no nickname)');
      expect(heading).toBe(strange[0]);
      expect(await page.evaluate("typeof window['hacked']")).toBe('undefined');
      expect(await page.locator('#main img[src=x]').count()).toBe(0);
      expect(beyond(complaints, ...(inAllLooks ? ['412', 'ERR_FAILED'] : []))).toEqual([]);
      await close();
    },
    storyTime(120_000),
  );
});
