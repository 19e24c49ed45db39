import { checkedBody, IamClientError, type Json, toJson } from '../client/error.js';
import {
  type Grant,
  isTokens,
  type SessionPort,
  type Tokens,
  TokenSession,
  type TokenStore,
} from '../client/token-session.js';
import { type IamUser, isUser } from '../client/types.js';
import type { WechatApi, WechatRequest, WechatResponse } from './wechat.js';

/** What differs between one mini program and the next. */
export interface MiniProgramClientOptions {
  /** The address of the module's endpoints, e.g. `https://app.example.com/iam`; its host is a request domain (request 合法域名). */
  readonly server: string;
  /** As in the option `clients` of the server; not one with cookies. */
  readonly clientId: string;
  /** The slug of the provider row that has the mini program. */
  readonly provider: string;
  /** `wx`, `Taro` or `uni`. @default the global `wx` */
  readonly wx?: WechatApi;
  /** `storage`: a session outlives the mini program, in its own storage. @default 'memory' */
  readonly keepTokensIn?: 'memory' | 'storage';
  /** Other origins that `request` may send the token to. */
  readonly origins?: readonly string[];
}

/** A sign-in on another device that waits for this person. */
export interface Approval {
  readonly id: string;
  readonly site: string;
  /** The application there that the device signs in to. Absent: the site itself, or it is a link. */
  readonly application?: string;
  /** Browser and system of that device, as it says of itself. */
  readonly browser: string;
  /** Its address in the network. */
  readonly address: string;
  /** ISO 8601. */
  readonly asked_at: string;
  /** Seconds left to decide. */
  readonly expires_in: number;
  /** What that device shows, to be compared. Absent: the person types what it shows. */
  readonly user_code?: string;
  /** The name of the account that this WeChat would be linked to. Absent: it is a sign-in. */
  readonly account?: string;
}

/** What the person decides. */
export interface ApprovalAnswer {
  readonly decision: 'confirm' | 'deny';
  /** The number that the person typed, where the approval has none. */
  readonly userCode?: string;
  /** `code` of the button `getPhoneNumber`: the number comes with the confirmation. */
  readonly phoneCode?: string;
}

/** What a sign-in brings with it. */
export interface SignInOptions {
  /** `code` of the event of a button `getPhoneNumber` or `getRealtimePhoneNumber`: the number becomes the user's. */
  readonly phoneCode?: string | undefined;
}

/** Signs the person of a mini program in, and sends requests as that person. Make one for the whole mini program. */
export class MiniProgramClient {
  private readonly wx: WechatApi;
  private readonly server: string;
  private readonly origins: ReadonlySet<string>;
  private readonly session: TokenSession;
  private readonly store: TokenStore;
  private readonly listeners = new Set<(isSignedIn: boolean) => void>();
  private signingIn: Promise<IamUser> | undefined;

  constructor(private readonly options: MiniProgramClientOptions) {
    this.wx = options.wx ?? globalWechat();
    this.server = options.server.replace(/\/$/, '');
    this.origins = new Set([this.server, ...(options.origins ?? [])].map(requireOrigin));
    this.store = options.keepTokensIn === 'storage' ? new WechatStorage(this.wx, options) : new Memory();
    const port: SessionPort = {
      hasCookies: false,
      store: this.store,
      post: (path, fields) => this.post(path, fields),
      exclusive: (work) => work(),
      changed: (isSignedIn) => {
        for (const listener of this.listeners) listener(isSignedIn);
      },
    };
    this.session = new TokenSession(port);
  }

  /** The signed-in user; null: nobody, as on every cold start without `keepTokensIn: 'storage'`. @throws IamClientError */
  async getUser(): Promise<IamUser | null> {
    await this.signedIn();
    return this.findUser();
  }

  /**
   * Signs in by `wx.login`, whose code is used once and never kept; those who call at once share one sign-in, except that one with a
   * number comes after it.
   * @throws IamClientError `binding_required`, `sign_up_refused`, `phone_code_invalid`, …; on `network_error` call it again, without a
   * `phoneCode` that was sent
   */
  signIn({ phoneCode }: SignInOptions = {}): Promise<IamUser> {
    const { signingIn } = this;
    if (signingIn !== undefined && phoneCode === undefined) return signingIn;
    const before = signingIn?.catch(() => undefined) ?? Promise.resolve();
    const begun = before
      .then(() => this.begin(phoneCode))
      .finally(() => {
        if (this.signingIn === begun) this.signingIn = undefined;
      });
    this.signingIn = begun;
    return begun;
  }

  /**
   * As `wx.request`, with the token, also that of a sign-in under way; an expired one is renewed once.
   * @throws IamClientError `network_error`, `origin_not_allowed`
   */
  async request<T = unknown>(options: WechatRequest): Promise<WechatResponse<T>> {
    if (!this.origins.has(originOf(options.url))) throw new IamClientError('origin_not_allowed');
    await this.signedIn();
    return this.sendAsPerson(options);
  }

  /** Adds the number of the button `getPhoneNumber` to the signed-in user: `code` of its event. @throws IamClientError */
  async verifyPhoneNumber(code: string): Promise<string> {
    const { provider } = this.options;
    return String((await this.ask('me/phone_number', { provider, code }))['phone_number']);
  }

  /**
   * The sign-in of another device whose code was scanned, for the page to ask about; signs in first where nobody is, or no more. From now on
   * it is this person's to decide. `scene`: of `Page.onLoad`, after `decodeURIComponent`.
   * @throws IamClientError `not_found`, `approval_over`, `binding_required`, …
   */
  async openApproval(scene: string): Promise<Approval> {
    const body = await this.askAsPerson('approvals', { scene });
    if (isApproval(body)) return body;
    throw new IamClientError('network_error');
  }

  /**
   * Confirms or declines a sign-in of another device. A response that was lost is no harm: send the same again.
   * @throws IamClientError `user_code_invalid` for a wrong number, which may be typed again; `approval_over`, …
   */
  async answerApproval(id: string, answer: ApprovalAnswer): Promise<void> {
    const { decision, userCode, phoneCode } = answer;
    await this.askAsPerson(`approvals/${id}`, {
      decision,
      ...(userCode !== undefined && { user_code: userCode }),
      ...(phoneCode !== undefined && { phone_code: phoneCode }),
    });
  }

  /** For what is no request, such as a socket; null when nobody is signed in. */
  async getAccessToken(): Promise<string | null> {
    await this.signedIn();
    return (await this.session.current())?.access ?? null;
  }

  /** Renews the tokens now, with their roles; those who call at once share one request. */
  refresh(): Promise<void> {
    return this.session.renew();
  }

  /** Ends the session, here at once. @throws IamClientError when the server could not be told */
  signOut(): Promise<void> {
    return this.session.end();
  }

  /** Told when a person has come in or gone. Returns what ends it. */
  onChange(listener: (isSignedIn: boolean) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** Waits for a sign-in under way, whatever its outcome. */
  private async signedIn(): Promise<void> {
    await this.signingIn?.catch(() => undefined);
  }

  private async findUser(): Promise<IamUser | null> {
    if ((await this.session.current()) === null) return null;
    const { data, statusCode } = await this.sendAsPerson({ url: `${this.server}/me` });
    if (statusCode === 401) return null;
    const body: unknown = checkedBody(statusCode, data);
    if (isUser(body)) return body;
    throw new IamClientError('network_error');
  }

  private async sendAsPerson<T>(options: WechatRequest): Promise<WechatResponse<T>> {
    const tokens = await this.session.current();
    const response = await this.send<T>(authorized(options, tokens));
    if (response.statusCode !== 401 || !challengeOf(response).includes('invalid_token')) return response;
    await this.session.renew(tokens ?? undefined);
    const renewed = this.store.read();
    return renewed === null ? response : this.send<T>(authorized(options, renewed));
  }

  /** Posts as the signed-in person. */
  private async ask(path: string, data: Record<string, unknown>): Promise<Json> {
    const { data: body, statusCode } = await this.request({
      url: `${this.server}/${path}`,
      method: 'POST',
      data,
    });
    return checkedBody(statusCode, body);
  }

  /** As `ask`, signed in first where nobody is, and once again where the session is over: its access token outlives it by minutes. */
  private async askAsPerson(path: string, data: Record<string, unknown>): Promise<Json> {
    const isFresh = (await this.session.current()) === null;
    if (isFresh) await this.signIn();
    try {
      return await this.ask(path, data);
    } catch (error) {
      const isOver =
        error instanceof IamClientError && (error.status === 401 || error.code === 'approval_forbidden');
      if (isFresh || !isOver) throw error;
    }
    await this.signIn();
    return this.ask(path, data);
  }

  private async begin(phoneCode: string | undefined): Promise<IamUser> {
    const code = await this.loginCode();
    const { provider } = this.options;
    const grant = { grant_type: 'urn:wechat:grant:mini_program', provider, code };
    await this.session.redeem(phoneCode === undefined ? grant : { ...grant, phone_code: phoneCode });
    const user = await this.findUser();
    if (user === null) throw new IamClientError('invalid_token', 401);
    return user;
  }

  private loginCode(): Promise<string> {
    return new Promise((resolve, reject) => {
      this.wx.login({
        success: ({ code }) => resolve(code),
        fail: (reason) => reject(new IamClientError('wechat_login_failed', 0, toJson(reason))),
      });
    });
  }

  private async post(path: string, fields: Grant): Promise<Json> {
    const { statusCode, data } = await this.send({
      url: `${this.server}/${path}`,
      method: 'POST',
      data: { client_id: this.options.clientId, ...fields },
      header: { 'content-type': 'application/json' },
    });
    return checkedBody(statusCode, data);
  }

  private send<T>(options: WechatRequest): Promise<WechatResponse<T>> {
    return new Promise((resolve, reject) => {
      this.wx.request({
        ...options,
        success: resolve,
        fail: (reason) => reject(new IamClientError('network_error', 0, toJson(reason))),
      });
    });
  }
}

function isApproval(body: unknown): body is Approval {
  const { id, site, browser, address, asked_at, expires_in } = toJson(body);
  const texts = [id, site, browser, address, asked_at];
  return texts.every((text) => typeof text === 'string') && typeof expires_in === 'number';
}

declare const wx: WechatApi | undefined;

function globalWechat(): WechatApi {
  if (typeof wx === 'undefined') throw new TypeError('wx: there is no global one here, pass Taro or uni');
  return wx;
}

class Memory implements TokenStore {
  private kept: Tokens | null = null;

  read(): Tokens | null {
    return this.kept;
  }

  write(tokens: Tokens | null): void {
    this.kept = tokens;
  }
}

class WechatStorage implements TokenStore {
  private readonly key: string;

  constructor(
    private readonly wx: WechatApi,
    { server, clientId }: MiniProgramClientOptions,
  ) {
    this.key = `iam ${server} ${clientId}`;
  }

  read(): Tokens | null {
    const stored = this.wx.getStorageSync(this.key);
    return isTokens(stored) ? stored : null;
  }

  write(tokens: Tokens | null): void {
    if (tokens === null) this.wx.removeStorageSync(this.key);
    else this.wx.setStorageSync(this.key, tokens);
  }
}

/** An address without an origin would admit every other one: `//evil.example` too. */
function requireOrigin(url: string): string {
  const origin = originOf(url);
  if (origin === '') throw new TypeError(`expected an address such as https://app.example.com, not "${url}"`);
  return origin;
}

/** Mini programs have no `URL`. */
function originOf(url: string): string {
  return (/^https?:\/\/[^/?#]+/i.exec(url)?.[0] ?? '').toLowerCase();
}

function authorized(options: WechatRequest, tokens: Tokens | null): WechatRequest {
  if (tokens?.access === undefined) return options;
  return { ...options, header: { ...options.header, Authorization: `Bearer ${tokens.access}` } };
}

/** WeChat keeps the case in which a header was sent, which is not the same everywhere. */
function challengeOf({ header }: WechatResponse): string {
  const [, value] = Object.entries(header).find(([name]) => name.toLowerCase() === 'www-authenticate') ?? [];
  return typeof value === 'string' ? value : '';
}
