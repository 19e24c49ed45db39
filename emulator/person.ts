import { MiniProgram, type MobileApp, type OfficialAccount } from './apps/apps.js';
import type { OpenPlatformAccount } from './apps/open-platform-account.js';
import type { PlatformApp } from './apps/platform-app.js';
import { encryptData, signRawData, type EncryptedData } from './mini/encrypted-data.js';
import { entries, MiniVisit } from './mini/mini-visit.js';
import { Phone, type OpenOptions } from './phone.js';
import type { Platform } from './platform.js';
import type { Delivery } from './push/delivery.js';
import type { ScanResult } from './scan-result.js';
import type { WebPage } from './web-view/web-view.js';
import type { MiniTarget } from './world/mini-entries.js';
import type { ChatMessage } from './world/chats.js';
import type { PersonState } from './world/people.js';

const fiveMinutes = 300;
const tenMinutes = 600;

/** The phone-number button failed on the phone: no server learns of it (protocol part 2, B.1). */
export class PhoneButtonError extends Error {
  constructor(readonly errno: number) {
    super(`getPhoneNumber:fail errno ${errno}`);
    this.name = 'PhoneButtonError';
  }
}

/** Somebody with WeChat on a phone. */
export class Person {
  /** What the phone shows: the web view with its cookies, the QR scanner. */
  readonly phone: Phone;
  #visit: MiniVisit | undefined;

  constructor(
    private readonly platform: Platform,
    private readonly state: PersonState,
  ) {
    this.phone = new Phone(platform, state.id);
  }

  get id(): string {
    return this.state.id;
  }

  get nickname(): string {
    return this.state.nickname;
  }

  get avatar(): string {
    return this.state.avatar;
  }

  /** Changes what apps see from now on. */
  changeProfile(
    changes: Partial<Pick<PersonState, 'nickname' | 'avatar' | 'phoneNumber' | 'countryCode'>>,
  ): void {
    Object.assign(this.state, changes);
  }

  openid(app: PlatformApp): string {
    return this.platform.world.identities.openid(this.id, app.appid);
  }

  unionid(account: OpenPlatformAccount): string {
    return this.platform.world.identities.unionid(this.id, account.id);
  }

  /** Reads a QR code. An Official Account's code is followed too, unless `follow` is false; resolves when its server has answered. */
  async scan(
    content: string,
    options: OpenOptions & { readonly follow?: boolean } = {},
  ): Promise<ScanResult> {
    return this.phone.scan(content, options);
  }

  /** The mini program that is open. */
  get miniVisit(): MiniVisit | undefined {
    return this.#visit;
  }

  /**
   * Scans a mini program code: its picture as bytes or as a data URL, or what a camera reads from it. In single-page mode there
   * is no login. @throws Error for a picture that shows no code
   */
  async scanMini(
    shown: Buffer | string,
    { inSinglePage = false }: { readonly inSinglePage?: boolean } = {},
  ): Promise<MiniVisit> {
    const [, base64] = typeof shown === 'string' ? (/^data:[^,]*;base64,(.*)$/.exec(shown) ?? []) : [];
    const code = this.platform.world.miniEntries.findCode(
      base64 === undefined ? shown : Buffer.from(base64, 'base64'),
    );
    if (code === undefined) throw new Error('the picture shows no mini program code');
    return this.#openMini(code.target, inSinglePage ? entries.singlePage : entries.scannedCode);
  }

  /** Opens a scheme or a URL Link from a browser of the phone. @throws Error for one that is unknown or has expired */
  async openScheme(link: string): Promise<MiniVisit> {
    const found = this.platform.world.miniEntries.open(link);
    if (found === undefined) throw new Error(`${link} opens nothing`);
    return this.#openMini(found.target, found.entry);
  }

  /** Ends the program that is open: the next start is a cold one. */
  closeMini(): void {
    if (this.#visit !== undefined) this.platform.world.miniEntries.stop(this.id, this.#visit.appid);
    this.#visit = undefined;
  }

  /** Opens a link in WeChat. The result may be a consent page, which `confirm` or `deny` then answers. */
  async openInWechat(url: string, options: OpenOptions = {}): Promise<WebPage> {
    return this.phone.open(url, options);
  }

  /** Submits a form on a page of the web view. */
  async post(
    url: string,
    fields: Readonly<Record<string, string>>,
    options: OpenOptions = {},
  ): Promise<WebPage> {
    return this.phone.post(url, fields, options);
  }

  /** Presses 允许 on what the phone shows and returns where that leads. */
  async confirm(options: OpenOptions = {}): Promise<WebPage> {
    return this.phone.answer('yes', options);
  }

  /** Presses 拒绝 on what the phone shows. */
  async deny(options: OpenOptions = {}): Promise<WebPage> {
    return this.phone.answer('no', options);
  }

  /** Presses 使用完整服务 at the foot of a snapshot page: opens the last link again, now with the real consent. */
  async useFullService(options: OpenOptions = {}): Promise<WebPage> {
    return this.phone.useFullService(options);
  }

  /** Follows an Official Account: from the profile that a scan opened, with its scene, or just so. */
  async follow(oa: OfficialAccount): Promise<Delivery | undefined> {
    return this.platform.conversations.follow(this.id, oa.settings, this.phone.takeOpenProfile(oa.appid));
  }

  async unfollow(oa: OfficialAccount): Promise<Delivery | undefined> {
    return this.platform.conversations.unfollow(this.id, oa.settings);
  }

  /** Writes to an Official Account; resolves when its server has answered or given up. */
  async say(oa: OfficialAccount, text: string): Promise<Delivery> {
    return this.platform.conversations.say(this.id, oa.settings, text);
  }

  /** Taps an entry of the account's menu that reports a key. */
  async tapMenu(oa: OfficialAccount, key: string): Promise<Delivery> {
    return this.platform.conversations.tapMenu(this.id, oa.settings, key);
  }

  /** The conversation with an Official Account, oldest message first. */
  chat(oa: OfficialAccount): readonly ChatMessage[] {
    return this.platform.world.chats.between(this.id, oa.appid);
  }

  /** Withdraws what an app was allowed; `revokeInfo` says what, in WeChat's numbers. */
  async revokeAuthorization(app: PlatformApp, revokeInfo?: string): Promise<Delivery> {
    return this.platform.changes.revoke(this.id, app.settings, revokeInfo);
  }

  /** Closes the WeChat account (注销) for good. */
  async closeAccount(): Promise<readonly Delivery[]> {
    return this.platform.changes.close(this.id);
  }

  /** The platform takes away a risky nickname and picture. */
  async loseProfile(): Promise<readonly Delivery[]> {
    return this.platform.changes.cleanProfile(this.id);
  }

  /** `wx.login()` in a mini program: a js_code for five minutes, and a new session key. */
  wxLogin(app: MiniProgram): string {
    this.platform.world.sessionKeys.renew(this.id, app.appid);
    this.platform.world.grants.record(this.id, app.appid, 'session');
    return this.#code(app, 'session', fiveMinutes);
  }

  /** Agrees to a mobile app's `SendAuth`: the code that the Open SDK hands to the app. A refusal reaches no server. */
  sendAuth(app: MobileApp): string {
    this.platform.world.grants.record(this.id, app.appid, 'snsapi_userinfo');
    return this.#code(app, 'oauth', tenMinutes);
  }

  /**
   * Presses a mini program's phone-number button: the code for `getuserphonenumber`, for five minutes.
   * @throws PhoneButtonError as the button's event says it, when the app has used its numbers up
   */
  phoneNumberCode(app: MiniProgram): string {
    const { quotas, rules } = this.platform.world;
    if (!quotas.use(app.appid, 'phone-number', rules.phoneNumbersPerApp, 'ever'))
      throw new PhoneButtonError(1400001);
    return this.#code(app, 'phone', fiveMinutes);
  }

  /** The profile as a mini program's client encrypts it for its server, under the session key of the last login. */
  encryptedProfile(app: MiniProgram): EncryptedData {
    const { world } = this.platform;
    const shown = {
      nickName: this.nickname,
      gender: 0,
      language: 'zh_CN',
      city: '',
      province: '',
      country: '',
    };
    const rawData = JSON.stringify({ ...shown, avatarUrl: this.avatar });
    const sessionKey = world.sessionKeys.current(this.id, app.appid);
    const iv = world.randomness.bytes(16).toString('base64');
    const unionId = world.unionid(this.id, app.settings);
    const watermark = { timestamp: world.clock.seconds(), appid: app.appid };
    const plain = JSON.stringify({
      openId: this.openid(app),
      ...shown,
      avatarUrl: this.avatar,
      ...(unionId === undefined ? {} : { unionId }),
      watermark,
    });
    const encryptedData = encryptData(plain, sessionKey, iv);
    return { rawData, signature: signRawData(rawData, sessionKey), encryptedData, iv };
  }

  async #openMini(target: MiniTarget, entry: number): Promise<MiniVisit> {
    const { apps, miniEntries } = this.platform.world;
    const app = apps.find(target.appid);
    if (app?.kind !== 'mini') throw new Error(`no mini program has the appid ${target.appid}`);
    if (target.version !== 'release' && !app.members.includes(this.id))
      throw new Error(`the ${target.version} build opens for members of the project only`);
    const program = new MiniProgram(this.platform, app);
    this.#visit = await MiniVisit.open({
      app,
      target,
      entry,
      isHotStart: miniEntries.start(this.id, app.appid),
      person: {
        login: () => this.wxLogin(program),
        phoneNumber: () => this.phoneNumberCode(program),
      },
    });
    return this.#visit;
  }

  #code(app: PlatformApp, use: 'oauth' | 'session' | 'phone', seconds: number): string {
    const scope = use === 'oauth' ? 'snsapi_userinfo' : '';
    const { codes } = this.platform.world;
    return codes.issue({ use, appid: app.appid, person: this.id, scope, snapshot: false }, seconds);
  }
}
