import type { Browser } from 'playwright-core';
import { adminOptions } from '../support/admin.js';
import { beyond, findBarriers, openStory, stories } from '../support/administration.js';
import { launchBrowser } from '../support/browser.js';
import { ThirdParties } from '../support/consent.js';
import { startWorld, type World } from '../support/iam-app.js';
import { inLooks, storyTime } from '../support/pages.js';
import { returnFromPc } from '../support/sign-in.js';

const buttonSizes = `[...document.querySelectorAll('.choice button')].map((button) => {
  const { width, height } = button.getBoundingClientRect();
  return Math.round(width) + 'x' + Math.round(height);
})`;

describe('the page of consent, in a real browser', () => {
  let browser: Browser;
  let world: World;
  let parties: ThirdParties;

  beforeAll(async () => {
    [browser, world] = await Promise.all([launchBrowser(), startWorld({ options: adminOptions })]);
    parties = new ThirdParties(world);
  }, 120_000);
  afterAll(() => world.close());

  it.each(stories)(
    'asks everybody, and leads to the site of the application: $locale',
    async (story) => {
      // Another origin, to which the form redirects.
      const redirect_uri = world.url.replace('localhost', '127.0.0.1') + '/signed-in';
      const client_id = await parties.register({
        name: '日历 Calendar',
        client_uri: 'https://calendar.example.com/',
        redirect_uris: [redirect_uri],
      });
      const scope = 'openid profile phone offline_access';
      const person = world.wechat.person({ nickname: '小兰' });
      const signIn = await returnFromPc(world, person, { client_id, redirect_uri, scope });
      const { page, complaints, close } = await openStory(browser, story);
      const cookies = await signIn.browser.jar.getCookies(world.url);
      await page
        .context()
        .addCookies(cookies.map(({ key: name, value }) => ({ name, value, url: world.url })));

      await page.goto(signIn.returned.location?.href ?? '');
      const barriers = await findBarriers(page, story.looks, `consent-${story.locale}`);
      const sizes = await inLooks(page, story.looks, () => page.evaluate<string[]>(buttonSizes));
      await page.getByRole('button', { name: /允许|Allow/ }).click();
      await page.waitForURL(/\/signed-in\?/);

      const { origin, searchParams } = new URL(page.url());
      expect(barriers).toEqual([]);
      expect(sizes.map((each) => new Set(each).size)).toEqual(story.looks.map(() => 1));
      expect([`${origin}/signed-in`, searchParams.has('code')]).toEqual([redirect_uri, true]);
      expect(beyond(complaints, '404')).toEqual([]);
      await close();
    },
    storyTime(60_000),
  );
});
