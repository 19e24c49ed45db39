import { CookieJar } from 'tough-cookie';

/** What came back, without following redirects. */
export interface Reply {
  readonly status: number;
  readonly headers: Headers;
  readonly location: URL | null;
  readonly text: string;
  /** The body as JSON. */
  json(): Record<string, unknown>;
}

/** How a request differs from a plain navigation. */
export interface Visit {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly form?: Readonly<Record<string, string>> | URLSearchParams;
  readonly body?: unknown;
  /** The origin of the page whose script or form sends it: the browser tells it, and keeps cookies from other sites. */
  readonly from?: string;
}

/** User-Agents of protocol section B.7. */
export const userAgents = {
  pc: 'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36',
  phone:
    'Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) AppleWebKit/605.1.15 Version/17.0 Mobile/15E148 Safari/604.1',
  wechat:
    'Mozilla/5.0 (Linux; Android 14; wv) AppleWebKit/537.36 Version/4.0 Chrome/126.0 Mobile Safari/537.36 MMWEBSDK/20240404 MicroMessenger/8.0.49 WeChat/arm64 Weixin NetType/WIFI Language/zh_CN ABI/arm64',
  wechatOnWindows:
    'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/126.0.0.0 Safari/537.36 NetType/WIFI MicroMessenger/7.0.20.1781(0x6700143B) WindowsWechat(0x63090c37) XWEB/14315 Flue',
  tablet:
    'Mozilla/5.0 (iPad; CPU OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Mobile/15E148 Safari/604.1',
  wecomOnPhone:
    'Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 Mobile/15E148 wxwork/4.1.22 MicroMessenger/7.0.1 Language/zh',
  wecom:
    'Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/108.0 Safari/537.36 wxwork/4.1.0 MicroMessenger/7.0.1 WindowsWechat',
} as const;

/** A browser with its own cookie jar that stops at every redirect. */
export class PcBrowser {
  readonly jar = new CookieJar(undefined, { prefixSecurity: 'strict', allowSecureOnLocal: true });

  constructor(private readonly userAgent: string = userAgents.pc) {}

  async visit(url: string | URL, visit: Visit = {}): Promise<Reply> {
    const address = String(url);
    const site = visit.from === undefined ? undefined : fetchSiteOf(visit.from, address);
    const response = await fetch(address, {
      method: visit.method ?? (visit.form === undefined && visit.body === undefined ? 'GET' : 'POST'),
      redirect: 'manual',
      headers: {
        'user-agent': this.userAgent,
        accept: visit.from === undefined ? 'text/html,*/*;q=0.8' : '*/*',
        cookie: await this.jar.getCookieString(address, {
          ...(site !== undefined && { sameSiteContext: site === 'cross-site' ? 'none' : 'strict' }),
        }),
        ...(site !== undefined && { origin: visit.from, 'sec-fetch-site': site }),
        ...(visit.body !== undefined && { 'content-type': 'application/json' }),
        ...visit.headers,
      },
      body:
        visit.form !== undefined
          ? new URLSearchParams(visit.form)
          : visit.body === undefined
            ? null
            : JSON.stringify(visit.body),
    });
    for (const cookie of response.headers.getSetCookie()) await this.jar.setCookie(cookie, address);
    return toReply(response);
  }
}

/** https://w3c.github.io/webappsec-fetch-metadata/#sec-fetch-site-header, where a site is the last two labels. */
function fetchSiteOf(from: string, to: string): 'same-origin' | 'same-site' | 'cross-site' {
  const siteOf = ({ protocol, hostname }: URL) => `${protocol}//${hostname.split('.').slice(-2).join('.')}`;
  const [page, target] = [new URL(from), new URL(to)];
  if (page.origin === target.origin) return 'same-origin';
  return siteOf(page) === siteOf(target) ? 'same-site' : 'cross-site';
}

async function toReply(response: Response): Promise<Reply> {
  const text = await response.text();
  const location = response.headers.get('location');
  return {
    status: response.status,
    headers: response.headers,
    location: location === null ? null : new URL(location, response.url),
    text,
    json: () => asRecord(JSON.parse(text)),
  };
}

function asRecord(value: unknown): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new Error('expected a JSON object');
  return { ...value };
}

/** The value of a hidden field of a page's form. */
export const fieldOf = (html: string, name: string): string =>
  new RegExp(`name="${name}" value="([^"]*)"`).exec(html)?.[1] ?? '';
