import type { Answer } from '../http/exchange.js';
import type { EmulatorClock } from '../clock.js';
import type { Randomness } from '../world/randomness.js';
import { ApiError } from './api-error.js';

/** `/sns/*` and `/cgi-bin/*` differ in content type and in how a request id hangs on to errmsg (protocol C.5, C.6). */
export type ApiStyle = 'sns' | 'cgi-bin';

const contentTypes: Record<ApiStyle, string> = {
  sns: 'text/plain',
  'cgi-bin': 'application/json; encoding=utf-8',
};

/** Bodies as WeChat's API hosts write them: HTTP 200 whatever happened. */
export class ApiAnswers {
  constructor(
    private readonly clock: EmulatorClock,
    private readonly randomness: Randomness,
  ) {}

  /** Slashes are escaped, as WeChat's own bodies have them. */
  ok(style: ApiStyle, body: object): Answer {
    const text = JSON.stringify(body).replaceAll('/', '\\/');
    return { status: 200, headers: { 'content-type': contentTypes[style] }, body: text };
  }

  error(style: ApiStyle, errcode: number, errmsg = new ApiError(errcode).message): Answer {
    const separator = style === 'sns' ? ', rid: ' : ' rid: ';
    return this.ok(style, { errcode, errmsg: `${errmsg}${separator}${this.#rid()}` });
  }

  /** The error body in the style of the path that was asked. */
  errorAt(path: string, errcode: number, errmsg?: string): Answer {
    return this.error(path.startsWith('/sns/') ? 'sns' : 'cgi-bin', errcode, errmsg);
  }

  /** Three groups of eight hex digits, the first of them the time. */
  #rid(): string {
    const time = this.clock.seconds().toString(16).padStart(8, '0');
    const rest = this.randomness.bytes(8).toString('hex');
    return `${time}-${rest.slice(0, 8)}-${rest.slice(8)}`;
  }
}
