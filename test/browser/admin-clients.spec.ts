import type { Browser } from 'playwright-core';
import { IamPagesModule } from '../../pages/server/index.js';
import { AdminClient, adminOptions, adminToken } from '../support/admin.js';
import { answerQuestion, beyond, findBarriers, looks } from '../support/administration.js';
import { launchBrowser } from '../support/browser.js';
import { startWorld, type World } from '../support/iam-app.js';
import { PcBrowser } from '../support/pc-browser.js';
import { inAllLooks, storyTime } from '../support/pages.js';
import { openPage, takePicture } from '../support/shop-pages.js';

/** Secrets and addresses that run out of what holds them, where nobody can read their end. */
const cutTexts = `[...document.querySelectorAll('.el-dialog code, td code')].filter((code) =>
    code.getBoundingClientRect().right > code.closest('.el-dialog, table').getBoundingClientRect().right)
  .map((code) => code.textContent)`;

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

  it.each(looks.map((look, index) => [look, `tea-${index}`] as const))(
    'are registered, get secrets that are shown once, and are disabled and deleted: %j',
    async (look, id) => {
      const { page, complaints, close } = await openPage(browser, look);
      const found: Record<string, readonly string[]> = {};
      const search = async (step: string) => {
        found[step] = await findBarriers(page);
        expect(await page.evaluate(cutTexts)).toEqual([]);
        await takePicture(page, `clients-${step}-${id}`);
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

      await page.getByText(/可以登录|People can sign in to it/).click();
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
      expect(beyond(complaints)).toEqual([]);
      await close();
    },
    storyTime(60_000),
  );
});
