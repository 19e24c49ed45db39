import type { Browser } from 'playwright-core';
import { IamPagesModule } from '../../pages/server/index.js';
import { AdminClient, adminOptions, adminToken } from '../support/admin.js';
import {
  answerQuestion,
  beyond,
  findBarriers,
  openStory,
  stories,
  turnTo,
} from '../support/administration.js';
import { launchBrowser } from '../support/browser.js';
import { startWorld, type World } from '../support/iam-app.js';
import { PcBrowser } from '../support/pc-browser.js';
import { inAllLooks, storyTime } from '../support/pages.js';
import { openPage, takePicture } from '../support/shop-pages.js';

describe('applications in the administration', () => {
  let world: World;
  let browser: Browser;
  let admin: AdminClient;

  beforeAll(async () => {
    const imports = [IamPagesModule.forRoot({ admin: true })];
    [browser, world] = await Promise.all([launchBrowser(), startWorld({ options: adminOptions, imports })]);
    admin = new AdminClient(world.url);
  }, 120_000);
  afterAll(() => world.close());

  /** What the token endpoint says to a server that proves itself by a secret and brings a refresh token of nobody. */
  const errorFor = async (client_id: string, client_secret: string) => {
    const form = { grant_type: 'refresh_token', refresh_token: 'none', client_id, client_secret };
    return (await new PcBrowser().visit(`${world.url}/iam/token`, { form })).json()['error'];
  };

  it.each(stories)(
    'are registered, get secrets that are shown once, and are disabled and deleted: $locale',
    async (story) => {
      const id = `tea-${story.locale.toLowerCase()}`;
      const { page, complaints, close } = await openStory(browser, story);
      const found: Record<string, readonly string[]> = {};
      const search = async (step: string) => {
        found[step] = await findBarriers(page, story.looks, `clients-${step}-${story.locale}`);
      };
      const card = page.locator('[data-secret]');
      const dialog = page.getByRole('dialog').filter({ visible: true });
      const makeSecret = async () => {
        await dialog.locator('code').waitFor();
        const secret = (await dialog.locator('code').textContent()) ?? '';
        await search('secret');
        await dialog.getByRole('button', { name: /已保存|Done/ }).click();
        await dialog.waitFor({ state: 'hidden' });
        expect(await page.content()).not.toContain(secret);
        return secret;
      };
      await page.goto(`${world.url}/iam/ui/admin/clients`);
      await page.locator('#token').fill(adminToken);
      await page.keyboard.press('Enter');
      await page.locator('tbody').getByRole('link', { name: 'web' }).waitFor();
      await search('list');

      await page.getByRole('link', { name: /登记应用|New application/ }).click();
      await page.locator('#client').waitFor();
      if (inAllLooks) await search('new');
      await page.locator('#client-id').fill('tea house');
      await page.locator('#client [type=submit]').click();
      await page.locator('#client-id-help.wrong').waitFor();
      expect(await page.evaluate('document.activeElement.id')).toBe('client-id');
      await search('wrong');
      await page.locator('#client-id').fill(id);
      await page.getByText(/^(服务器：|Server:)/).click();
      await page.locator('#client-name').fill('茶馆');
      await page.locator('#client-redirect_uris').fill('https://tea.example/back\ntea.example');
      await page.locator('#client [type=submit]').click();
      await page.locator('#client-redirect_uris-help.wrong', { hasText: '“tea.example”' }).waitFor();
      expect(await page.evaluate('document.activeElement.id')).toBe('client-redirect_uris');
      await search('refused');
      await page.locator('#client-redirect_uris').fill('https://tea.example/back\nhttps://tea.example/other');
      await page.locator('#client [type=submit]').click();
      await page.waitForURL(new RegExp(`/clients/${id}$`));
      if (inAllLooks) await search('made');

      await card.getByRole('button', { name: /生成新密钥|Make a new secret/ }).click();
      const first = await makeSecret();
      await card.getByRole('button', { name: /生成新密钥|Make a new secret/ }).click();
      await answerQuestion(page);
      const second = await makeSecret();
      const both = [await errorFor(id, first), await errorFor(id, second)];
      await search('both');
      await card.getByRole('button', { name: /停用旧密钥|Drop the old secret/ }).click();
      await dialog.waitFor();
      if (inAllLooks) await search('drop');
      await answerQuestion(page);
      await card.getByRole('button', { name: /生成新密钥|Make a new secret/ }).waitFor();
      const one = [await errorFor(id, first), await errorFor(id, second)];

      await page.getByText(/^(启用|Enabled)$/).click();
      await page.locator('#client [type=submit]').click();
      await page.locator('.done.shown').waitFor();
      const disabled = (await admin.get(`clients/${id}`)).json();
      if (inAllLooks) await search('disabled');
      await page.locator('.head .el-button--danger').click();
      await dialog.waitFor();
      if (inAllLooks) await search('delete');
      await answerQuestion(page, { word: id });
      await page.waitForURL(/\/clients$/);

      expect([both, one]).toEqual([
        ['invalid_grant', 'invalid_grant'],
        ['invalid_client', 'invalid_grant'],
      ]);
      expect(disabled).toMatchObject({
        ...{ name: '茶馆', type: 'confidential', enabled: false, has_previous_secret: false },
        redirect_uris: ['https://tea.example/back', 'https://tea.example/other'],
      });
      expect((await admin.get(`clients/${id}`)).status).toBe(404);
      expect(Object.entries(found).filter(([, barriers]) => barriers.length > 0)).toEqual([]);
      expect(beyond(complaints, '400')).toEqual([]);
      await close();
    },
    storyTime(60_000),
  );

  it('give a service an API key that is copied once, works, and is refused once it is ended', async () => {
    await admin.post('roles', { name: 'reader', permissions: ['iam:roles:read'] });
    await admin.post('clients', { id: 'nightly', type: 'service', roles: ['reader'] });
    const { page, complaints, close } = await openPage(browser);
    await page.context().grantPermissions(['clipboard-read', 'clipboard-write']);
    await page.goto(`${world.url}/iam/ui/admin/api-keys`);
    await page.locator('#token').fill(adminToken);
    await page.keyboard.press('Enter');
    await page.getByRole('button', { name: '为服务新建密钥' }).click();
    const dialog = page.getByRole('dialog').filter({ visible: true });
    const send = dialog.getByRole('button', { name: '为服务新建密钥' });

    await page.locator('#key-client').fill('nightly');
    await page.locator('#key-permissions').fill('iam:roles:read');
    await send.click();
    await dialog.locator('#key-name-help.wrong').waitFor();
    await page.locator('#key-name').fill('每日报表');
    await page.locator('#key-permissions').fill('iam:roles:read iam:users:read');
    await send.click();
    await dialog.locator('#key-permissions-help.wrong', { hasText: 'iam:users:read' }).waitFor();
    const tooMany = Array.from({ length: 101 }, (_, at) => `orders:x${at}`);
    await page.locator('#key-permissions').fill(tooMany.join('\n'));
    await send.click();
    await dialog.getByRole('alert').getByText('太多：最多 100 项。').waitFor();
    await page.locator('#key-permissions').fill('iam:roles:read');
    await page.locator('#key-client').fill('nobody');
    await send.click();
    await dialog.locator('#key-client-help.wrong', { hasText: 'nobody' }).waitFor();
    await page.locator('#key-client').fill('nightly');
    await send.click();
    await dialog.locator('code').waitFor();
    await takePicture(page, 'api-key-shown-once');
    const barriers = await findBarriers(page);
    await dialog.getByRole('button', { name: /^复制/ }).click();
    await dialog.getByText('已复制').waitFor();
    const key = String(await page.evaluate('navigator.clipboard.readText()'));
    await dialog.getByRole('button', { name: '已保存' }).click();
    await dialog.waitFor({ state: 'hidden' });
    const machine = new AdminClient(world.url, key);
    const used = await machine.get('roles');
    await page.locator('tbody tr', { hasText: '每日报表' }).getByRole('button', { name: /^停用/ }).click();
    await answerQuestion(page);
    await page.locator('tbody [data-status=over]').waitFor();
    const refused = await machine.get('roles');

    const complaintAbout = async (form: string, member: string, lines: readonly string[]) => {
      await page.locator(`#${form}-${member}`).fill(lines.join('\n'));
      await page.locator(`#${form} [type=submit]`).click();
      return page.locator(`#${form}-${member}-help.wrong`).textContent();
    };
    await turnTo(page, '/clients/nightly');
    const roles = [
      await complaintAbout('client', 'roles', tooMany),
      await complaintAbout('client', 'roles', ['reader', 'nobody']),
    ];
    await turnTo(page, '/roles/reader');
    const many = Array.from({ length: 200 }, (_, at) => `orders:y${at}`);
    const permissions = await complaintAbout('role', 'permissions', many);

    expect(roles.map((text) => text?.trim())).toEqual(['太多：最多 100 项。', '其中有不存在的角色。']);
    expect(permissions?.trim()).toBe('太多：最多 200 项。');
    expect(key).toMatch(/^iamk_\w{44}$/);
    expect(await page.content()).not.toContain(key);
    expect([used.status, refused.status, refused.code]).toEqual([200, 401, 'invalid_token']);
    expect(barriers).toEqual([]);
    expect(beyond(complaints, '400', '403', '404')).toEqual([]);
    await close();
  }, 60_000);

  it('of third parties are shown with the person who has agreed, for whom an administrator withdraws', async () => {
    const tea = {
      id: 'third',
      name: 'Tea calendar',
      first_party: false,
      redirect_uris: ['https://t.example/'],
    };
    await admin.post('clients', tea);
    const id = String((await admin.post('users', { nickname: '小兰' })).json()['id']);
    await world.dataSource.query(
      `INSERT INTO iam.consents (user_id, client_id, scopes, resources)
       VALUES ($1, 'third', '{openid,profile}', '{https://calendar.example.com/api/of/a/name/that/is/long}')`,
      [id],
    );
    const { page, complaints, close } = await openPage(browser, { locale: 'en-US', colorScheme: 'dark' });
    await page.setViewportSize({ width: 390, height: 844 });
    await page.goto(`${world.url}/iam/ui/admin/users/${id}`);
    await page.locator('#token').fill(adminToken);
    await page.keyboard.press('Enter');
    const consent = page.locator('[data-client=third]');
    await consent.waitFor();
    const shown = await consent.innerText();
    const barriers = await findBarriers(page);
    await takePicture(page, 'user-consents-phone-en');

    await consent.getByRole('button').click();
    await answerQuestion(page);
    await page.getByText('None that they have agreed to.').waitFor();
    await page.locator('[data-action="consent.withdrawn"]').waitFor();

    expect(shown).toMatch(/Tea calendar\s+openid\s+profile\s+https:.*long\s+Agreed /);
    expect((await admin.get(`users/${id}/consents`)).items()).toEqual([]);
    expect(barriers).toEqual([]);
    expect(beyond(complaints)).toEqual([]);
    await close();
  }, 60_000);
});
