import type { OfficialAccount } from './apps/apps.js';
import type { OpenPlatformAccount } from './apps/open-platform-account.js';
import type { PlatformApp } from './apps/platform-app.js';
import type { Platform } from './platform.js';
import { WebView, type NavigationOptions, type WebPage } from './web-view/web-view.js';
import type { PersonState } from './world/people.js';
import type { ScanResult } from './scan-result.js';

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

/** Somebody with WeChat on a phone. */
export class Person {
  /** The cookies and the User-Agent of WeChat on this phone. */
  readonly webView: WebView;
  #question: Question | undefined;
  #lastOpened: string | undefined;

  constructor(
    private readonly platform: Platform,
    readonly state: PersonState,
  ) {
    this.webView = new WebView(state.id, platform.isOwn, () => platform.world.clock.now());
  }

  get id(): string {
    return this.state.id;
  }

  get nickname(): string {
    return this.state.nickname;
  }

  openid(app: PlatformApp): string {
    return this.platform.world.identities.openid(this.id, app.appid);
  }

  unionid(account: OpenPlatformAccount): string {
    return this.platform.world.identities.unionid(this.id, account.id);
  }

  /** Reads a QR code: a sign-in on a PC, a parametric code of an Official Account, or an ordinary link. */
  async scan(content: string, options: OpenOptions = {}): Promise<ScanResult> {
    const page = await this.openInWechat(content, options);
    const isLogin = this.platform.isOwn(new URL(content)) && new URL(content).pathname === '/connect/confirm';
    if (!isLogin) return { kind: 'page', page };
    return { kind: this.#question ? 'login' : 'expired', page };
  }

  /** Opens a link in WeChat. The result may be a consent page, which `confirm` or `deny` then answers. */
  async openInWechat(url: string, options: OpenOptions = {}): Promise<WebPage> {
    this.#lastOpened = url;
    return this.#arrive(await this.webView.open(url, navigation(options)));
  }

  /** Submits a form on a page of the web view. */
  async post(
    url: string,
    fields: Readonly<Record<string, string>>,
    options: OpenOptions = {},
  ): Promise<WebPage> {
    return this.#arrive(await this.webView.post(url, fields, navigation(options)));
  }

  /** Presses 允许 on what the phone shows and returns where that leads. */
  async confirm(options: OpenOptions = {}): Promise<WebPage> {
    return this.#answer('yes', options);
  }

  /** Presses 拒绝 on what the phone shows. */
  async deny(options: OpenOptions = {}): Promise<WebPage> {
    return this.#answer('no', options);
  }

  /** Presses 使用完整服务 at the foot of a snapshot page: opens the last link again, now with the real consent. */
  async useFullService(options: OpenOptions = {}): Promise<WebPage> {
    if (this.#lastOpened === undefined) throw new Error('no page is open');
    return this.openInWechat(this.#lastOpened, { ...options, fullService: true });
  }

  /** Follows an Official Account from its profile page. */
  async follow(oa: OfficialAccount): Promise<void> {
    const { world } = this.platform;
    world.followers.follow(this.id, oa.appid, {
      since: world.clock.seconds(),
      subscribeScene: 'ADD_SCENE_SEARCH',
      qrScene: 0,
      qrSceneStr: '',
    });
  }

  /** Stops following. */
  async unfollow(oa: OfficialAccount): Promise<void> {
    this.platform.world.followers.unfollow(this.id, oa.appid);
  }

  /** Withdraws everything the person has allowed an app. */
  async revokeAuthorization(app: PlatformApp): Promise<void> {
    const { world } = this.platform;
    world.grants.withdraw(this.id, app.appid);
    world.snsTokens.revoke(this.id, app.appid);
  }

  /** Closes the WeChat account (注销) for good. */
  async closeAccount(): Promise<void> {
    this.state.closed = true;
  }

  async #answer(allow: 'yes' | 'no', options: OpenOptions): Promise<WebPage> {
    const question = this.#question;
    if (!question) throw new Error(`nothing on ${this.nickname}'s phone waits for an answer`);
    const fields = { ticket: question.ticket, allow };
    return this.#arrive(
      await this.webView.post(question.action, fields, { ...navigation(options), from: question.page }),
    );
  }

  #arrive(page: WebPage): WebPage {
    const url = new URL(page.url);
    const found =
      /<form method="post" action="(\/connect\/[^"]+)">\s*<input type="hidden" name="ticket" value="(\w+)"/.exec(
        page.body,
      );
    const [, action, ticket] = found ?? [];
    const asks = this.platform.isOwn(url) && action !== undefined && ticket !== undefined;
    this.#question = asks ? { action: new URL(action, url).href, ticket, page: page.url } : undefined;
    return page;
  }
}

function navigation({ from, ...options }: OpenOptions): NavigationOptions {
  return { ...options, ...(from ? { fromChat: from.appid } : {}) };
}
