import type { Browser, Page } from 'playwright-core';
import { AdminClient } from '../support/admin.js';
import {
  administer,
  answerQuestion,
  beyond,
  cancel,
  findBarriers,
  openStory,
  searchSteps,
  stories,
  tabTo,
} from '../support/administration.js';
import { adminVariables, createApps, emulate, signInAtShop } from '../support/admin-page.js';
import { launchBrowser } from '../support/browser.js';
import { openShop, type Shop } from '../support/example-app.js';
import { inAllLooks, inLooks, storyTime } from '../support/pages.js';
import { openPage, takePicture } from '../support/shop-pages.js';

const done = '[role=status].shown';
/** Whether the bar stands before what is wrong with the field. */
const covers = `document.querySelector('#field-mp_app_id-wrong').getBoundingClientRect().bottom >
  document.querySelector('.save-bar').getBoundingClientRect().top`;

/** Saves what is written; ends at what the server answered. */
async function save(page: Page): Promise<void> {
  await page.locator('.save-bar .el-button--primary').click();
  await page.locator(`${done}, .conflict, .save-bar .notice`).first().waitFor();
}

async function runCheck(page: Page): Promise<void> {
  await page.getByRole('tab', { name: /概况|Overview/ }).click();
  await page.getByRole('button', { name: /^(运行检查|再次检查|Run the check|Check again)$/ }).click();
  await page.locator('[aria-busy=true]:has(.verdict), .verdict').first().waitFor();
  await page.locator(done).waitFor();
}

describe('setting up identity providers in the administration', () => {
  let browser: Browser;
  let shop: Shop;
  let api: AdminClient;

  beforeAll(async () => {
    [browser, shop] = await Promise.all([launchBrowser(), openShop(adminVariables)]);
    api = new AdminClient(shop.url);
  }, 120_000);

  it('makes one by the keyboard alone, by which a person then signs in', async () => {
    const { page, complaints, close } = await openPage(browser);
    const { open, mp } = await createApps(shop);
    const { keyboard } = page;
    const type = async (selector: string, text: string) => {
      await tabTo(page, selector);
      await keyboard.type(text);
    };
    await administer(page, shop, '/providers/+');

    await type('#field-slug', 'Tea House');
    await type('#field-name', '茶馆');
    await tabTo(page, '[name=app-open]');
    await keyboard.press('Space');
    await type('#field-open_app_id', open.appid);
    await type('#field-open_app_secret', open.secret);
    await keyboard.press('Enter');
    const complaint = await page.locator('#field-slug-wrong').innerText();
    const focused = await page.evaluate('document.activeElement.id');
    await keyboard.press('Control+a');
    await keyboard.type('tea-house');
    await keyboard.press('Enter');
    await page.locator('#tab-open[aria-selected=true]').waitFor();
    await tabTo(page, '#tab-open');
    await keyboard.press('ArrowRight');
    await page.locator('#tab-mp[aria-selected=true]').waitFor();
    await tabTo(page, '#panel-mp button');
    await keyboard.press('Enter');
    await keyboard.type(mp.appid);
    await type('#field-mp_app_secret', mp.secret);
    await tabTo(page, '.save-bar .el-button--primary');
    await takePicture(page, 'administration-provider-save-pc-zh');
    await keyboard.press('Enter');
    await page.locator('.save-bar').waitFor({ state: 'detached' });
    const registered = await page.locator('#panel-mp .copy code').allTextContents();
    await runCheck(page);
    await takePicture(page, 'administration-provider-pc-zh');
    const errors = await page.locator('[data-status=error]').allTextContents();
    const body = await page.locator('body').innerHTML();
    const user = await signInAtShop(page, shop, 'wei', 'tea-house');

    expect(complaint).toContain('小写字母');
    expect(focused).toBe('field-slug');
    expect(registered).toEqual(['localhost', `${shop.url}/iam/webhook/tea-house`]);
    expect(errors).toEqual([]);
    expect([open.secret, mp.secret].filter((secret) => body.includes(secret))).toEqual([]);
    expect(user.nickname).toBe('阿伟');
    expect(beyond(complaints)).toEqual([]);
    await close();
  }, 120_000);

  it('says beside the field which secret is wrong and where to mend it, and that it is mended', async () => {
    const { page, complaints, close } = await openPage(browser, { locale: 'en-US' });
    const [{ mp }, { mp: walled }] = [await createApps(shop), await createApps(shop)];
    await emulate(shop, `apps/${walled.appid}`, { ipWhitelist: ['203.0.113.7'] });
    const wrong = { mp_app_id: mp.appid, mp_app_secret: 'f'.repeat(32) };
    await api.post('providers', { slug: 'mistyped', name: 'Mistyped', ...wrong });
    const refused = { mp_app_id: walled.appid, mp_app_secret: walled.secret };
    await api.post('providers', { slug: 'walled', name: 'Walled', ...refused });
    await administer(page, shop, '/providers');
    await page.getByRole('button', { name: 'Check Walled' }).click();
    await page.locator('tr', { hasText: 'Walled' }).locator('.mark.bad').waitFor();
    await page.getByRole('link', { name: 'Walled' }).click();
    await page.locator('#tab-mp').click();
    const address = page.locator('[id="place-mp:ip_whitelist"]');
    const [copyable, advice] = [await address.locator('.copy code').innerText(), await address.innerText()];
    await page.getByRole('link', { name: '← Providers' }).click();
    await page.getByRole('link', { name: 'Mistyped' }).click();
    const found = page.locator('#place-mp_app_secret [data-item="mp.credentials"]');

    await runCheck(page);
    await page.locator('#panel-row [data-item="mp.credentials"] .go').click();
    const before = { status: await found.getAttribute('data-status'), text: await found.innerText() };
    await takePicture(page, 'administration-check-wrong-secret-pc-en');
    await page.getByRole('button', { name: 'Replace: AppSecret' }).filter({ visible: true }).click();
    await page.locator('#field-mp_app_secret').fill('has a space');
    await page.locator('.save-bar .el-button--primary').click();
    const complaint = await page.locator('#place-mp_app_secret .wrong').innerText();
    await page.locator('#field-mp_app_secret').fill(mp.secret);
    await save(page);
    await runCheck(page);
    const isMended = (await found.getAttribute('data-status')) === 'ok';
    await page.locator('#tab-follow').click();
    await page.locator('[name=field-qr_with][value=page]').check();
    await page.locator('[name=field-qr_login_with][value=open]').check();
    await page.locator('.save-bar .el-button--primary').click();
    const refusal = await page.locator('#place-qr_login_with .wrong').innerText();
    await takePicture(page, 'administration-provider-refused-pc-en');
    await page.locator('[name=field-qr_with][value=follow]').check();
    await page.locator('#place-qr_login_with .wrong').waitFor({ state: 'detached' });

    expect(copyable).toMatch(/127\.0\.0\.1$/);
    expect(advice).toContain('IP白名单');
    expect(before.status).toBe('error');
    expect(before.text).toMatch(/40125.*mp\.weixin\.qq\.com/s);
    expect(complaint).toContain('No spaces');
    expect(isMended).toBe(true);
    expect(refusal).toContain('works only with the follow-to-login QR code');
    expect(beyond(complaints, '400')).toEqual([]);
    await close();
  }, 120_000);

  it('shows two editors both versions, keeps what they wrote, and lets nobody lose it by leaving', async () => {
    const [first, second] = await Promise.all([openPage(browser), openPage(browser, { locale: 'en-US' })]);
    for (const { page } of [first, second]) {
      await administer(page, shop, '/providers/wechat-members');
      await page.locator('#field-name').waitFor();
    }
    await first.page.locator('#field-name').fill('第一位');
    await first.page.locator('[name=field-sign_up][value=off]').check();
    await save(first.page);
    await second.page.locator('#field-name').fill('Second');
    await second.page.locator('#tab-advanced').click();
    await second.page.locator('#field-union_scope').fill('second');

    await second.page.getByRole('link', { name: 'Sessions' }).click();
    await second.page.getByRole('dialog').getByRole('button', { name: 'Cancel' }).click();
    await save(second.page);
    const notice = await second.page.locator('.conflict').innerText();
    await takePicture(second.page, 'administration-conflict-pc-en');
    const mine = await second.page.locator('.conflict').getByLabel('Yours').isChecked();
    await second.page.locator('.conflict').getByLabel('Theirs').check();
    await second.page.locator('.conflict .el-button--primary').click();
    await second.page.locator('.conflict').waitFor({ state: 'detached' });
    const { name, union_scope: scope, sign_up: signUp } = (await api.get('providers/wechat-members')).json();
    await second.page.locator('#field-union_scope').fill('lost');
    await second.page.getByRole('link', { name: 'Sessions' }).click();
    await second.page.getByRole('button', { name: 'Leave' }).click();
    await second.page.getByRole('heading', { name: 'Sessions' }).waitFor();

    expect(notice).toMatch(/第一位[\s\S]*Second[\s\S]*People not seen before: Ask them.* → Refuse them/);
    expect(mine).toBe(true);
    expect([name, scope, signUp]).toEqual(['第一位', 'second', 'off']);
    expect(beyond(second.complaints, '412')).toEqual([]);
    await Promise.all([first.close(), second.close()]);
  }, 120_000);

  it('generates a Token, shows it once with the URL, and drops the old one', async () => {
    const { page, complaints, close } = await openPage(browser, { locale: 'en-US' });
    await administer(page, shop, '/providers/wechat-follow?tab=mp');
    const row = page.locator('[data-rotate=mp_token]');
    await page.locator('#field-mp_app_id').fill('unsaved-edit');

    await row.getByRole('button', { name: /^Generate/ }).click();
    await answerQuestion(page);
    const shown = page.getByRole('dialog').locator('.copy code');
    await shown.first().waitFor();
    const [token = '', url] = await shown.allTextContents();
    await takePicture(page, 'administration-rotated-pc-en');
    await page.getByRole('dialog').getByRole('button', { name: 'Done' }).click();
    await row.getByRole('button', { name: /^Drop/ }).waitFor();
    const after = await page.content();
    await emulate(shop, 'apps/wxde00000000000002', { server: { token } });
    // The other row of the same account needs the new Token before this one may drop the old.
    const other = await api.post(
      'providers/wechat-follow-open/rotate',
      { secret: 'mp_token', value: token },
      '*',
    );
    await row.getByRole('button', { name: /^Drop/ }).click();
    await answerQuestion(page);
    await row.getByRole('button', { name: /^Generate/ }).waitFor();

    expect(token).toMatch(/^[A-Za-z0-9]{32}$/);
    expect(url).toBe(`${shop.url}/iam/webhook/wechat-follow`);
    expect(after).not.toContain(token);
    expect(other.status).toBe(200);
    expect(await page.locator('#field-mp_app_id').inputValue()).toBe('unsaved-edit');
    expect(await emulate(shop, 'apps/wxde00000000000002/verify')).toMatchObject({ ok: true });
    expect(beyond(complaints)).toEqual([]);
    await close();
  }, 120_000);

  it('asks before people get other openids, says why a row stays, and deletes an unused one', async () => {
    const { page, close } = await openPage(browser, { locale: 'en-US' });
    await signInAtShop(page, shop, 'lan');
    await api.post('providers', { slug: 'spare', name: 'Spare' });
    await administer(page, shop, '/providers/wechat?tab=open');

    await page.locator('#field-open_app_id').fill('wx00000000000000ff');
    await page.locator('.save-bar .el-button--primary').click();
    const question = await page.locator('#question').innerText();
    await page.getByRole('dialog').getByRole('button', { name: 'Cancel' }).click();
    await page.locator('.save-bar').getByRole('button', { name: 'Discard' }).click();
    await page.locator('#tab-advanced').click();
    await page.getByRole('button', { name: 'Delete the provider' }).click();
    await answerQuestion(page, { word: 'wechat' });
    const refusal = page.locator('.notice[data-code=in_use]');
    await refusal.waitFor();
    const refused = await refusal.innerText();
    await page.getByRole('link', { name: '← Providers' }).click();
    await page.getByRole('link', { name: 'Spare' }).click();
    await page.locator('#tab-advanced').click();
    await page.getByRole('button', { name: 'Delete the provider' }).click();
    await answerQuestion(page, { word: 'spare' });
    await page.getByRole('heading', { name: 'Providers' }).waitFor();
    await page.locator('table').waitFor();

    expect(question).toContain('openid');
    expect(refused).toContain('identities of users');
    expect(await page.locator('table').innerText()).not.toContain('spare');
    await close();
  }, 120_000);

  /** What stands in the way in the dialogs and states of the views of providers; each run writes names of its own. */
  async function searchEveryState(page: Page, run: string) {
    const dialog = page.getByRole('dialog').filter({ visible: true });
    let token = '';
    const submit = () => page.locator('.save-bar .el-button--primary').click();
    return searchSteps(page, {
      new: () => administer(page, shop, '/providers/+'),
      newWrong: async () => {
        await page.locator('#field-slug').fill('Tea House');
        await page.locator('[name=app-open]').focus();
        await page.keyboard.press('Space');
        await page.locator('#field-open_app_id').fill('no');
        await page.keyboard.press('Enter');
        await page.locator('#field-slug-wrong').waitFor();
      },
      generate: async () => {
        await administer(page, shop, '/providers/wechat-follow?tab=mp');
        await page.locator('[data-rotate=mp_token] button').click();
        await dialog.waitFor();
      },
      generated: async () => {
        await answerQuestion(page);
        token = (await dialog.locator('.copy code').first().textContent()) ?? '';
      },
      rotating: async () => {
        await page.getByRole('dialog').locator('.el-button--primary').click();
        await dialog.waitFor({ state: 'hidden' });
        await page.locator('[data-rotate=mp_token] .mark.warn').waitFor();
      },
      drop: async () => {
        // The other row of the same account: until it has the new Token, the old one stays.
        await api.patch('providers/wechat-follow-open', { mp_token_previous: null });
        await api.post('providers/wechat-follow-open/rotate', { secret: 'mp_token', value: token }, '*');
        await page.locator('[data-rotate=mp_token] button').click();
        await dialog.waitFor();
      },
      dropped: async () => {
        await answerQuestion(page);
        await page.locator('[data-rotate=mp_token] .mark.warn').waitFor({ state: 'detached' });
      },
      remove: async () => {
        await page.locator('#tab-advanced').click();
        await page.getByRole('button', { name: /^(删除.*入口|Delete the provider)$/ }).click();
        await dialog.waitFor();
      },
      conflict: async () => {
        await administer(page, shop, '/providers/wechat-members');
        await page.locator('#field-name').fill(`Mine ${run}`);
        await api.patch('providers/wechat-members', { name: `${run} ${'長'.repeat(30)}` });
        await submit();
        await page.locator('.conflict').waitFor();
      },
      leave: async () => {
        await page.locator('.back a, #main a').first().click();
        await dialog.waitFor();
      },
      offlineList: async () => {
        await cancel(page);
        await page.route('**/iam/admin/providers*', (route) => route.abort());
        await page.goto(`${shop.url}/iam/ui/admin`);
        await administer(page, shop, '/providers');
        await page.locator('[data-code=offline]').first().waitFor();
      },
    });
  }

  it.each(stories)(
    'has no barrier: $locale',
    async (story) => {
      const { page, complaints, close } = await openStory(browser, story);
      const { looks, locale } = story;
      await administer(page, shop, '/providers');
      await page.locator('table').waitFor();
      const found = { list: await findBarriers(page, looks) };
      await administer(page, shop, '/providers/wechat-follow');
      await runCheck(page);
      for (const tab of ['row', 'open', 'mp', 'follow', 'mini', 'mobile', 'advanced']) {
        await page.locator(`#tab-${tab}`).click();
        const picture = `administration-provider-${tab}-${locale}`;
        Object.assign(found, { [tab]: await findBarriers(page, looks, picture) });
      }
      await page.locator('#tab-mp').click();
      await page.locator('#field-mp_app_id').fill('not an appid');
      const isCovered = await inLooks(page, looks, async () => {
        await page.locator('.save-bar .el-button--primary').click();
        await page.locator('#field-mp_app_id-wrong').waitFor();
        return page.evaluate(covers);
      });
      Object.assign(found, { invalid: await findBarriers(page, looks) });
      await page.route('**/iam/admin/providers/**', (route) => route.abort());
      await page.locator('#field-mp_app_id').fill('wx0000000000000009');
      await page.locator('.save-bar .el-button--primary').click();
      await answerQuestion(page);
      await page.locator('.save-bar [data-code=offline]').waitFor();
      Object.assign(found, { offline: await findBarriers(page, looks) });

      expect(Object.values(found).flat()).toEqual([]);
      expect(isCovered).toEqual(looks.map(() => false));
      expect(await page.locator('#field-mp_app_id').inputValue()).toBe('wx0000000000000009');
      expect(beyond(complaints, 'ERR_FAILED')).toEqual([]);
      await close();
      if (!inAllLooks) return;
      const { page: other, close: closeOther } = await openStory(browser, story);
      expect(
        Object.entries(await searchEveryState(other, locale)).filter(([, each]) => each.length > 0),
      ).toEqual([]);
      await closeOther();
    },
    storyTime(120_000),
  );
});
