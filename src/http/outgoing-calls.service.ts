import { Inject, Injectable, type OnApplicationShutdown } from '@nestjs/common';
import type { Dispatcher } from 'undici';
import { guardedLookup, isPrivate, isPublic } from '../config/address-guard.js';
import { addressProblem, isLocalHost } from '../config/endpoints.js';
import { IAM_OPTIONS, type ResolvedIamOptions } from '../config/iam.resolved-options.js';
import { openConnection, readAtMost } from '../wechat/connection.js';
import { networkReason } from '../wechat/wechat-error.js';

/** A call to an address that an administrator has entered for an application. */
interface OutgoingCall {
  /** With https; http for this machine alone. */
  readonly url: string;
  /** Makes it a POST. */
  readonly form?: Readonly<Record<string, string>>;
  /** A longer response is an error. */
  readonly maxBytes: number;
}

/** Whatever the server has responded; a redirect is not followed. */
interface OutgoingResponse {
  readonly status: number;
  readonly body: Buffer;
}

/** A call without a response; the message is for the log. */
export class OutgoingError extends Error {
  override readonly name = 'OutgoingError';
}

/** The rules of this process refuse the address: nothing was sent. */
export class OutgoingRefusal extends OutgoingError {}

/** From the first byte sent to the last one read. */
const TIMEOUT_MS = 5_000;

/** Calls to the servers of applications. Only public addresses are reached, unless the options admit this machine or private networks. */
@Injectable()
export class OutgoingCalls implements OnApplicationShutdown {
  private connection: Promise<Dispatcher> | undefined;

  constructor(
    @Inject(IAM_OPTIONS)
    private readonly options: {
      readonly wechat: Pick<ResolvedIamOptions['wechat'], 'allowLoopback' | 'allowPrivateEndpoints'>;
    },
  ) {}

  /** Not before the server has stopped: requests under way still call others. */
  async onApplicationShutdown(): Promise<void> {
    await this.connection?.then((connection) => connection.close());
  }

  /** @throws OutgoingError */
  async send({ url, form, maxBytes }: OutgoingCall): Promise<OutgoingResponse> {
    const { origin, pathname, search } = this.allowed(url);
    const request = {
      ...{ origin, path: `${pathname}${search}`, signal: AbortSignal.timeout(TIMEOUT_MS) },
      ...(form === undefined
        ? { method: 'GET', headers: { accept: 'application/json' } }
        : {
            method: 'POST',
            headers: { 'content-type': 'application/x-www-form-urlencoded' },
            body: new URLSearchParams(form).toString(),
          }),
    } as const;
    try {
      const { statusCode: status, body } = await (await this.connect()).request(request);
      const bytes = await readAtMost(body, maxBytes);
      if (bytes !== null) return { status, body: bytes };
    } catch (error) {
      const isLate = request.signal.aborted;
      throw new OutgoingError(isLate ? 'no response in time' : networkReason(error));
    }
    throw new OutgoingError(`the response is over ${maxBytes} bytes`);
  }

  /** A plain http call could be answered by anybody on the way, with keys of their own. */
  private allowed(text: string): URL {
    const problem = URL.canParse(text)
      ? addressProblem(new URL(text), this.options.wechat)
      : 'expected an absolute URL';
    if (problem !== null) throw new OutgoingRefusal(problem);
    const url = new URL(text);
    if (url.protocol !== 'https:' && !isLocalHost(url.hostname)) throw new OutgoingRefusal('expected https');
    return url;
  }

  private connect(): Promise<Dispatcher> {
    const { allowLoopback, allowPrivateEndpoints } = this.options.wechat;
    const isReachable = (address: string) =>
      isPublic(address) || (allowPrivateEndpoints && isPrivate(address));
    return (this.connection ??= openConnection(undefined, guardedLookup(allowLoopback, isReachable)));
  }
}
