import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import type { Person } from '../../emulator/index.js';
import { decideOnPhone, scanAndFollow, startFollowWorld } from '../support/follow.js';
import type { World } from '../support/iam-app.js';
import { exampleOf } from '../docs/pages.js';
import { Storefront } from '../support/storefront.js';
import { until } from '../support/until.js';
import { launchBrowser } from '../support/browser.js';
import { FakeClock } from '../support/fake-clock.js';

/** The pages of a shop that use the client as it is published, by what they give it. */
const pages = {
  '/signed-in': "{ clientId: 'web' }",
  '/stored': "{ clientId: 'stored', storage: localStorage }",
  '/kept': "{ clientId: 'shop', tokens: 'cookie' }",
} as const;
export type ShopPage = keyof typeof pages;

/** The lines of the README, for a client of their own. */
const threeLines = exampleOf('README.md', 'client')
  .code.replace('nestjs-wechat-iam/client', '/client.js')
  .replace("'web'", "'lines'")
  .replace('/signed-in', '/lines');

const linesPage = `<!doctype html><title>shop</title><button>Sign in</button><p id="who"></p>
<script type="module">
${threeLines}
document.querySelector('#who').textContent = user?.nickname ?? 'nobody';
</script>`;

const html = (options: string) => `<!doctype html><title>shop</title><button>Sign in</button><p id="who"></p>
<script type="module">
  import { IamClient } from '/client.js';
  const iam = window.iam = new IamClient(${options});
  window.left = location.href;
  window.changes = [];
  window.failure = null;
  window.asked = {};
  iam.onChange((isSignedIn) => window.changes.push(isSignedIn));
  document.querySelector('button').onclick = () => iam.signIn({ provider: 'wechat', returnTo: '/orders/5', ...asked });
  const user = await iam.getUser().catch((error) => { window.error = error; window.failure = error.code; return null; });
  document.querySelector('#who').textContent = user?.nickname ?? 'nobody';
</script>`;

interface Opened {
  readonly browser: Browser;
  readonly front: Storefront;
  readonly world: World;
  readonly clock: FakeClock;
}

/** A shop on the web, its module behind it, and WeChat. */
export class Shop {
  /** What was posted to `/token` since `forget`. */
  readonly tokenRequests: URLSearchParams[] = [];
  private opened: Opened | undefined;
  private profile: BrowserContext | undefined;
  private persons = 0;

  get front(): Storefront {
    return known(this.opened).front;
  }

  get world(): World {
    return known(this.opened).world;
  }

  get clock(): FakeClock {
    return known(this.opened).clock;
  }

  /** The browser of the test that runs, which no test before it has used. */
  get context(): BrowserContext {
    return known(this.profile);
  }

  async open(): Promise<void> {
    const browser = await launchBrowser();
    const front = await Storefront.open();
    const clock = new FakeClock();
    const world = await startFollowWorld(
      { qr_enabled: false },
      {
        clock,
        options: {
          publicUrl: front.url,
          rateLimits: 'off',
          sessionCheck: 'always',
          clients: [
            { id: 'lines', redirectUris: [`${front.url}/lines`] },
            { id: 'stored', redirectUris: [`${front.url}/stored`] },
            { id: 'shop', redirectUris: [`${front.url}/kept`], tokens: 'cookie' },
          ],
        },
      },
    );
    front.replicas = [world.url];
    const client = await readFile(join(import.meta.dirname, '../../dist/client/index.js'), 'utf8');
    const served = Object.entries(pages).map(([path, options]) => [path, html(options)] as const);
    front.pages = { ...Object.fromEntries(served), '/lines': linesPage, '/client.js': client };
    this.opened = { browser, front, world, clock };
  }

  async close(): Promise<void> {
    await this.opened?.browser.close();
    await this.opened?.world.close();
  }

  person(): Person {
    this.persons += 1;
    return this.world.wechat.person({ nickname: `小兰${this.persons}` });
  }

  async openContext(): Promise<void> {
    const context = await known(this.opened).browser.newContext({ locale: 'zh-CN' });
    context.on('request', (request) => {
      const isToken = request.method() === 'POST' && request.url().endsWith('/iam/token');
      if (isToken) this.tokenRequests.push(new URLSearchParams(request.postData() ?? ''));
    });
    this.profile = context;
    this.forget();
  }

  forget(): void {
    this.tokenRequests.length = 0;
  }

  /** Which grants were sent to `/token` since `forget`. */
  get grants(): (string | null)[] {
    return this.tokenRequests.map((request) => request.get('grant_type'));
  }

  async visit(path: string): Promise<Page> {
    const page = await this.context.newPage();
    await page.goto(this.front.url + path);
    return page;
  }

  /** Signs a person in by redirect; the page is back then and knows who it is. */
  async signIn(page: Page, person: Person): Promise<void> {
    await this.leaveForWechat(page);
    await this.scan(page, person);
    await page.locator('#who', { hasText: person.nickname }).waitFor();
  }

  async leaveForWechat(page: Page): Promise<void> {
    await page.locator('button').click();
    await page.locator('#box').waitFor();
  }

  async scan(page: Page, person: Person): Promise<void> {
    await person.scan(String(await page.evaluate(`document.querySelector('#box').dataset.content`)));
    await person.confirm();
    await until('the page is left', () => Promise.resolve(page.url().startsWith(this.front.url)));
  }

  /** Scans the QR code that a page shows, and decides on the phone. */
  async scanAndDecide(person: Person, qr: string, decision: 'confirm' | 'deny'): Promise<void> {
    await scanAndFollow(this.world, person, qr);
    await until('the phone is asked', () => Promise.resolve(person.chat(this.world.oa).length > 0));
    await decideOnPhone(this.world, person, decision);
  }
}

function known<T>(value: T | undefined): T {
  if (value === undefined) throw new Error('the shop is not open');
  return value;
}

/** A shop for the tests of a `describe` block. */
export function useShop(): Shop {
  const shop = new Shop();
  beforeAll(() => shop.open(), 90_000);
  afterAll(() => shop.close());
  beforeEach(() => shop.openContext());
  afterEach(() => shop.context.close());
  return shop;
}
