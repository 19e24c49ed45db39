import { isLoopback } from '../http/host-names.js';
import { chatHeader, fullServiceHeader, personHeader } from '../pages/phone-identity.js';
import type { PersonId } from '../world/identities.js';
import { CookieJar } from './cookie-jar.js';
import { fetchOnce, type Fetched } from './http-fetch.js';
import { userAgents, type WechatClient } from './user-agents.js';

/** Where a page is opened from and how. */
export interface NavigationOptions {
  /** Which of WeChat's clients it is; Android unless said otherwise. */
  readonly client?: WechatClient;
  /** The appid of the Official Account in whose chat the link was tapped. */
  readonly fromChat?: string;
  /** The reader pressed 使用完整服务 on a snapshot page. */
  readonly fullService?: boolean;
  /** WeChat's callback arrives twice at once: from the same phone, or from a stranger without cookies (protocol I.1). */
  readonly duplicateCallback?: 'same-phone' | 'stranger';
  readonly headers?: Readonly<Record<string, string>>;
}

/** What a page load ended with. */
export interface WebPage {
  readonly url: string;
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  /** The `Set-Cookie` lines of the last answer. */
  readonly setCookies: readonly string[];
  readonly body: string;
  /** The addresses that led here, oldest first; the last one is `url`'s. */
  readonly redirects: readonly string[];
  /** The answer to the second arrival of a duplicated callback. */
  readonly duplicate?: {
    readonly status: number;
    readonly headers: Readonly<Record<string, string>>;
    readonly body: string;
  };
}

/** A request from this phone: to where, from which page, and whether it is a GET that fills the window. */
interface PhoneRequest {
  readonly url: URL;
  readonly initiator?: URL | undefined;
  readonly safeNavigation: boolean;
}

/** Which addresses are the platform's own, and where an address is really fetched from. */
interface Internet {
  isOwn(url: URL): boolean;
  addressOf(url: URL): URL;
}

interface Step {
  readonly url: URL;
  readonly method: string;
  readonly body?: string | undefined;
  readonly initiator?: URL | undefined;
}

const mostRedirects = 20;

/** A web view inside somebody's WeChat: its User-Agent, a cookie jar of its own, a browser's manners with redirects. */
export class WebView {
  readonly cookies: CookieJar;

  constructor(
    private readonly person: PersonId,
    private readonly internet: Internet,
    now: () => number,
  ) {
    this.cookies = new CookieJar(now);
  }

  /** Opens an address as if it had been typed or tapped. */
  async open(url: string, options: NavigationOptions = {}): Promise<WebPage> {
    return this.#follow({ url: new URL(url), method: 'GET' }, options);
  }

  /** Submits a form from a page; without one, from a page of the same site. */
  async post(
    url: string,
    fields: Readonly<Record<string, string>>,
    options: NavigationOptions & { readonly from?: string } = {},
  ): Promise<WebPage> {
    const body = new URLSearchParams(fields).toString();
    return this.#follow(
      { url: new URL(url), method: 'POST', body, initiator: new URL(options.from ?? url) },
      options,
    );
  }

  async #follow(first: Step, options: NavigationOptions): Promise<WebPage> {
    const redirects: string[] = [];
    let step = first;
    let duplicate: Fetched | undefined;
    for (;;) {
      const [fetched, second] = await this.#fetch(step, options, isCallback(step, redirects, this.internet));
      duplicate ??= second;
      const location = fetched.headers['location'];
      if (fetched.status < 300 || fetched.status >= 400 || location === undefined) {
        return toPage(step.url, fetched, redirects, duplicate);
      }
      if (redirects.length >= mostRedirects) throw new Error(`too many redirects from ${first.url.href}`);
      step = redirected(step, fetched.status, new URL(location, step.url));
      redirects.push(step.url.href);
    }
  }

  async #fetch(
    step: Step,
    options: NavigationOptions,
    callback: boolean,
  ): Promise<readonly [Fetched, Fetched | undefined]> {
    const own = this.#send(step, this.#navigationHeaders(step, options));
    if (!callback || options.duplicateCallback === undefined) return [await own, undefined];
    const headers =
      options.duplicateCallback === 'stranger'
        ? { 'user-agent': 'Mozilla/5.0' }
        : this.#navigationHeaders(step, options);
    return Promise.all([own, this.#send(step, headers)]);
  }

  async #send({ url, method, body }: Step, headers: Record<string, string>): Promise<Fetched> {
    const fetched = await fetchOnce(this.internet.addressOf(url), { method, headers, body });
    this.cookies.store(fetched.setCookies, url);
    return fetched;
  }

  /** What every request of this phone carries: who it is, whose cookies. Only the emulator itself is told whose phone it is. */
  ownHeaders(step: PhoneRequest, options: NavigationOptions): Record<string, string> {
    const { url, initiator, safeNavigation } = step;
    const crossSite = initiator !== undefined && siteOf(initiator) !== siteOf(url);
    const cookie = this.cookies.header({ url, crossSite, safeNavigation });
    return {
      'user-agent': userAgents[options.client ?? 'android'],
      'sec-fetch-site': relation(initiator, url),
      ...(cookie === '' ? {} : { cookie }),
      ...(this.internet.isOwn(url) ? this.#identity(options) : {}),
    };
  }

  #navigationHeaders(step: Step, options: NavigationOptions): Record<string, string> {
    const { method, body, initiator } = step;
    return {
      accept: 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8',
      'accept-language': 'zh-CN,zh;q=0.9',
      'sec-fetch-mode': 'navigate',
      'sec-fetch-dest': 'document',
      ...(body === undefined ? {} : { 'content-type': 'application/x-www-form-urlencoded' }),
      ...(body === undefined || initiator === undefined ? {} : { origin: initiator.origin }),
      ...options.headers,
      ...this.ownHeaders({ ...step, safeNavigation: method === 'GET' }, options),
    };
  }

  #identity({ fromChat, fullService }: NavigationOptions): Record<string, string> {
    return {
      [personHeader]: encodeURIComponent(this.person),
      ...(fromChat === undefined ? {} : { [chatHeader]: fromChat }),
      ...(fullService ? { [fullServiceHeader]: '1' } : {}),
    };
  }
}

/** WeChat's redirect to the app is what gets duplicated: the first step from its own host to another. */
function isCallback(step: Step, redirects: readonly string[], internet: Internet): boolean {
  return redirects.at(-1) === step.url.href && !internet.isOwn(step.url) && step.url.searchParams.has('code');
}

function redirected(step: Step, status: number, url: URL): Step {
  const keeps = status === 307 || status === 308;
  const initiator = step.initiator ?? step.url;
  return keeps ? { ...step, url, initiator } : { url, method: 'GET', initiator };
}

function toPage(url: URL, fetched: Fetched, redirects: readonly string[], duplicate?: Fetched): WebPage {
  const { status, headers, setCookies } = fetched;
  return {
    url: url.href,
    status,
    headers,
    setCookies,
    body: fetched.body.toString('utf8'),
    redirects,
    ...(duplicate ? { duplicate: { ...duplicate, body: duplicate.body.toString('utf8') } } : {}),
  };
}

/** Pages of one site share SameSite cookies; ports do not matter. */
function siteOf({ hostname }: URL): string {
  return isLoopback(hostname) || /^[\d.]+$|^\[/.test(hostname)
    ? hostname
    : hostname.split('.').slice(-2).join('.');
}

/** What a browser says in `Sec-Fetch-Site`. */
function relation(initiator: URL | undefined, url: URL): string {
  if (initiator === undefined) return 'none';
  if (initiator.origin === url.origin) return 'same-origin';
  return siteOf(initiator) === siteOf(url) ? 'same-site' : 'cross-site';
}
