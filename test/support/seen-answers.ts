import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { ClientRequest, IncomingMessage } from 'node:http';
import { z } from 'zod';

/** An answer as it came over the wire. */
export interface SeenResponse {
  readonly method: string;
  readonly url: URL;
  readonly status: number;
  readonly headers: Headers;
}

const byFetch = z.object({
  request: z.object({ method: z.string(), path: z.string(), origin: z.string() }),
  response: z.object({ statusCode: z.number(), headers: z.array(z.unknown()) }),
});
const byHttp = z.object({
  request: z.instanceof(ClientRequest),
  response: z.instanceof(IncomingMessage),
});

/** Every answer that this process gets from a host, by `fetch` or `node:http`: those of browsers, phones and WeChat. */
export class SeenResponses {
  readonly list: SeenResponse[] = [];

  constructor() {
    subscribe('undici:request:headers', this.onFetch);
    subscribe('http.client.response.finish', this.onHttp);
  }

  stop(): void {
    unsubscribe('undici:request:headers', this.onFetch);
    unsubscribe('http.client.response.finish', this.onHttp);
  }

  private readonly onFetch = (message: unknown): void => {
    const { request, response } = byFetch.parse(message);
    this.list.push({
      method: request.method,
      url: new URL(request.path, request.origin),
      status: response.statusCode,
      headers: toHeaders(response.headers.map(String)),
    });
  };

  private readonly onHttp = (message: unknown): void => {
    const { request, response } = byHttp.parse(message);
    this.list.push({
      method: request.method,
      url: new URL(request.path, `http://${String(request.getHeader('host'))}`),
      status: response.statusCode ?? 0,
      headers: toHeaders(response.rawHeaders),
    });
  };
}

/** From names and values in turn. */
function toHeaders(flat: readonly string[]): Headers {
  const headers = new Headers();
  for (let index = 0; index < flat.length; index += 2)
    headers.append(flat[index] ?? '', flat[index + 1] ?? '');
  return headers;
}
