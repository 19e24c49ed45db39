import type { Browser, Page, Route } from 'playwright-core';
import { launchBrowser } from '../support/browser.js';
import { scanAndFollow, startFollowWorld } from '../support/follow.js';
import { redirectUri, type World } from '../support/iam-app.js';
import { authorizeUrl, pkce } from '../support/sign-in.js';

describe('the page with the QR code, when something fails while it waits', () => {
  let browser: Browser;
  let world: World;
  let page: Page;

  beforeAll(async () => {
    world = await startFollowWorld({ qr_confirmation: 'none' }, { options: { rateLimits: 'off' } });
    browser = await launchBrowser();
  }, 120_000);
  afterAll(async () => {
    await browser.close();
    await world.close();
  });
  beforeEach(async () => {
    const context = await browser.newContext({ locale: 'en-GB' });
    page = await context.newPage();
    await page.route('**/device_authorization/events*', (route) => route.abort());
  });
  afterEach(() => page.context().close());

  const openPage = async () => {
    const answered = page.waitForResponse('**/iam/follow');
    await page.goto(authorizeUrl(world.url, pkce().challenge, { method: 'follow' }));
    const started: unknown = await (await answered).json();
    await page.locator('main[data-state=pending]').waitFor();
    return qrOf(started);
  };

  it('waits on through the answers of a replica that goes down and of a proxy without a server, however late', async () => {
    let answers: Parameters<Route['fulfill']>[0][] = [];
    await page.route('**/iam/follow/finish', (route) => {
      const answer = answers.shift();
      return answer === undefined ? route.continue() : route.fulfill(answer);
    });
    const lan = world.wechat.person({ nickname: '小兰' });
    const qr = await openPage();

    await page.evaluate('{ const now = Date.now; Date.now = () => now() + 3600000; }');
    await page.waitForResponse('**/iam/follow/finish');
    answers = [
      { status: 503, json: { code: 'login_interrupted' } },
      { status: 502, body: '<html>Bad gateway</html>', contentType: 'text/html' },
    ];
    await page.getByText('Connection lost').waitFor();
    await scanAndFollow(world, lan, qr);
    await page.waitForURL((url) => url.href.startsWith(redirectUri(world.url)));

    expect(answers).toEqual([]);
    expect(new URL(page.url()).searchParams.get('code')).not.toBeNull();
  }, 60_000);

  it('begins another attempt when the browser has lost its own', async () => {
    await openPage();
    await page.context().clearCookies();

    await page.locator('main[data-state=expired]').waitFor();
    await page.locator('#again').click();
    await page.locator('main[data-state=pending]').waitFor();

    expect(await page.locator('#again').isVisible()).toBe(false);
    expect(await page.context().cookies()).toHaveLength(1);
  }, 60_000);
});

function qrOf(started: unknown): string {
  if (typeof started === 'object' && started !== null && 'verification_uri_complete' in started)
    return String(started.verification_uri_complete);
  throw new Error('the page got no QR code');
}
