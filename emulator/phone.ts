import type { PlatformApp } from './apps/platform-app.js';
import type { Platform } from './platform.js';
import type { ScanResult } from './scan-result.js';
import { WebView, type NavigationOptions, type WebPage } from './web-view/web-view.js';
import type { PersonId } from './world/identities.js';
import type { Scene } from './world/scenes.js';

/** How a link is opened: with the Official Account itself in place of its appid. */
export interface OpenOptions extends Omit<NavigationOptions, 'fromChat'> {
  /** The Official Account in whose chat the link was tapped. */
  readonly from?: PlatformApp;
}

interface Question {
  readonly action: string;
  readonly ticket: string;
  readonly page: string;
}

const questionForm =
  /<form method="post" action="(\/connect\/[^"]+)">\s*<input type="hidden" name="ticket" value="(\w+)"/;

/** The screen of somebody's WeChat: its web view, the question it shows, the profile that is open. */
export class Phone {
  readonly webView: WebView;
  #question: Question | undefined;
  #lastOpened: string | undefined;
  #openProfile: Scene | undefined;

  constructor(
    private readonly platform: Platform,
    private readonly person: PersonId,
  ) {
    this.webView = new WebView(person, platform, () => platform.world.clock.now());
  }

  /** True while something waits for 允许 or 拒绝. */
  get asks(): boolean {
    return this.#question !== undefined;
  }

  async scan(
    content: string,
    { follow = true, ...options }: OpenOptions & { readonly follow?: boolean },
  ): Promise<ScanResult> {
    const scene = this.#findScene(content);
    if (scene) return this.#scanScene(scene, follow);
    if (!/^https?:\/\//.test(content)) return { kind: 'text', text: content };
    if (/^https?:\/\/weixin\.qq\.com\/q\//.test(content)) return { kind: 'expired' };
    const page = await this.open(content, options);
    const url = new URL(content);
    const isLogin = this.platform.isOwn(url) && url.pathname === '/connect/confirm';
    if (isLogin) return this.asks ? { kind: 'login', page } : { kind: 'expired' };
    return { kind: 'page', page };
  }

  async open(url: string, options: OpenOptions): Promise<WebPage> {
    this.#lastOpened = url;
    return this.#arrive(await this.webView.open(url, navigation(options)));
  }

  async post(url: string, fields: Readonly<Record<string, string>>, options: OpenOptions): Promise<WebPage> {
    return this.#arrive(await this.webView.post(url, fields, navigation(options)));
  }

  async answer(allow: 'yes' | 'no', options: OpenOptions): Promise<WebPage> {
    const question = this.#question;
    if (!question) throw new Error(`nothing on the phone of ${this.person} waits for an answer`);
    const fields = { ticket: question.ticket, allow };
    return this.#arrive(
      await this.webView.post(question.action, fields, { ...navigation(options), from: question.page }),
    );
  }

  async useFullService(options: OpenOptions): Promise<WebPage> {
    if (this.#lastOpened === undefined) throw new Error('no page is open');
    return this.open(this.#lastOpened, { ...options, fullService: true });
  }

  /** The scene whose profile is open for this account, if it still counts; following closes the profile. */
  takeOpenProfile(appid: string): Scene | undefined {
    const scene = this.#openProfile;
    this.#openProfile = undefined;
    return scene?.appid === appid && !this.platform.world.scenes.isExpired(scene) ? scene : undefined;
  }

  /** A parametric code by its URL, its ticket, or the address of its picture. */
  #findScene(content: string): Scene | undefined {
    const { scenes } = this.platform.world;
    const ticket = /\/cgi-bin\/showqrcode\?(.*)$/.exec(content)?.[1];
    const shown = ticket === undefined ? content : (new URLSearchParams(ticket).get('ticket') ?? '');
    return scenes.findByUrl(content) ?? scenes.findByTicket(shown);
  }

  async #scanScene(scene: Scene, follow: boolean): Promise<ScanResult> {
    const { world, conversations } = this.platform;
    const { appid } = scene;
    const app = world.apps.find(appid);
    if (app?.kind !== 'official') return { kind: 'expired' };
    scene.fresh = false;
    const expired = world.scenes.isExpired(scene);
    if (world.followers.has(this.person, appid)) {
      return expired
        ? { kind: 'chat', appid }
        : { kind: 'chat', appid, delivery: await conversations.scanAgain(this.person, app, scene) };
    }
    if (!follow) {
      this.#openProfile = scene;
      return { kind: 'profile', appid };
    }
    const delivery = await conversations.follow(this.person, app, expired ? undefined : scene);
    return { kind: 'chat', appid, ...(delivery ? { delivery } : {}) };
  }

  #arrive(page: WebPage): WebPage {
    const url = new URL(page.url);
    const [, action, ticket] = questionForm.exec(page.body) ?? [];
    const asks = this.platform.isOwn(url) && action !== undefined && ticket !== undefined;
    this.#question = asks ? { action: new URL(action, url).href, ticket, page: page.url } : undefined;
    return page;
  }
}

function navigation({ from, ...options }: OpenOptions): NavigationOptions {
  return { ...options, ...(from ? { fromChat: from.appid } : {}) };
}
