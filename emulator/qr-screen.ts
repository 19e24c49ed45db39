import { fetchOnce } from './web-view/http-fetch.js';

/** What the PC page knows after a poll. */
export interface QrScreenState {
  /** 408 waiting, 404 scanned, 403 refused, 402 expired, 405 confirmed. */
  readonly errcode: number;
  readonly code: string;
  /** Where the page goes now, when it goes anywhere. */
  readonly redirectTo?: string;
}

/** A PC's browser tab with WeChat's QR page in it, without the browser. */
export class QrScreen {
  #last = '';

  private constructor(
    private readonly origin: string,
    private readonly redirect: {
      readonly before: string;
      readonly after: string;
      readonly refusal: string | null;
    },
    readonly uuid: string,
    /** What the QR code says. */
    readonly content: string,
  ) {}

  /** Loads the page; an error page throws its text. */
  static async open(url: URL): Promise<QrScreen> {
    const { body } = await fetchOnce(url, {
      method: 'GET',
      headers: { 'user-agent': 'Mozilla/5.0' },
    });
    const html = body.toString('utf8');
    const settings = /watchQrCode\((.*)\);/.exec(html)?.[1];
    const content = /data-content="([^"]+)"/.exec(html)?.[1];
    if (settings === undefined || content === undefined) throw new Error(`no QR page: ${titleOf(html)}`);
    const parsed: unknown = JSON.parse(settings);
    if (!isSettings(parsed)) throw new Error('the QR page has no settings');
    const redirect = { ...parsed.callback, refusal: parsed.refusal };
    return new QrScreen(url.origin, redirect, parsed.uuid, content);
  }

  /** Polls once, as the page does; it hangs until the phone does something new. */
  async poll(): Promise<QrScreenState> {
    const last = this.#last === '' ? '' : `&last=${this.#last}`;
    const url = new URL(`/connect/l/qrconnect?uuid=${this.uuid}&_=${Date.now()}${last}`, this.origin);
    const { body } = await fetchOnce(url, { method: 'GET', headers: {} });
    const [, errcode = '', code = ''] =
      /wx_errcode=(\d+);window\.wx_code='(\w*)'/.exec(body.toString('utf8')) ?? [];
    if (errcode !== '408') this.#last = errcode;
    const redirectTo = this.#redirectFor(errcode, code);
    return { errcode: Number(errcode), code, ...(redirectTo === undefined ? {} : { redirectTo }) };
  }

  /** Polls until the page leaves, the phone refuses or the code expires. */
  async finish(): Promise<QrScreenState> {
    for (;;) {
      const state = await this.poll();
      if (state.errcode !== 408 && state.errcode !== 404) return state;
    }
  }

  #redirectFor(errcode: string, code: string): string | undefined {
    const { before, after, refusal } = this.redirect;
    if (errcode === '405') return before + [`code=${code}`, after].filter((part) => part !== '').join('&');
    return errcode === '403' ? (refusal ?? undefined) : undefined;
  }
}

interface Settings {
  readonly uuid: string;
  readonly callback: { readonly before: string; readonly after: string };
  readonly refusal: string | null;
}

function isSettings(value: unknown): value is Settings {
  return (
    typeof value === 'object' &&
    value !== null &&
    'uuid' in value &&
    'callback' in value &&
    'refusal' in value
  );
}

function titleOf(html: string): string {
  return /<title>([^<]*)<\/title>/.exec(html)?.[1] ?? html.slice(0, 80);
}
