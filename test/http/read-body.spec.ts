import { createServer, type IncomingMessage, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { PassThrough, Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { readBody } from '../../src/http/request-body.js';
import { IamError } from '../../src/errors/iam.error.js';

async function withServer<T>(listener: RequestListener, use: (url: string) => Promise<T>): Promise<T> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  try {
    return await use(`http://127.0.0.1:${portOf(server.address())}`);
  } finally {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
}

function portOf(address: AddressInfo | string | null): number {
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}

/** Reads the body with us first and with `reader` afterwards, and tells what both saw. */
function readTwice(
  reader: (request: IncomingMessage) => Promise<unknown>,
  init: RequestInit,
): Promise<{ ours: string; theirs: unknown; headers: string[] }> {
  return withServer(
    (request, response) => {
      void (async () => {
        const { bytes } = await readBody(request);
        const theirs = await reader(request);
        response.end(
          JSON.stringify({ ours: bytes.toString(), theirs, headers: Object.keys(request.headers) }),
        );
      })();
    },
    async (url) =>
      (await fetch(url, init)).json() as Promise<{ ours: string; theirs: unknown; headers: string[] }>,
  );
}

const readers: [string, (request: IncomingMessage) => Promise<unknown>][] = [
  ['listens', (request) => listen(request)],
  ['iterates', (request) => text(request)],
  [
    'listens a little later',
    (request) => new Promise((resolve) => setImmediate(() => resolve(listen(request)))),
  ],
  ['pipes', (request) => text(request.pipe(new PassThrough()))],
];

function listen(request: IncomingMessage): Promise<string> {
  return new Promise((resolve) => {
    let received = '';
    request.on('data', (chunk: Buffer) => (received += chunk.toString()));
    request.on('end', () => resolve(received));
  });
}

describe('readBody', () => {
  it.each(readers)('leaves an empty body to whoever %s afterwards', async (_how, reader) => {
    for (const body of ['{"a":1}', 'x'.repeat(60_000)]) {
      const seen = await readTwice(reader, {
        method: 'POST',
        body,
        headers: { 'content-type': 'application/json' },
      });

      expect(seen.ours).toBe(body);
      expect(seen.theirs).toBe('');
      expect(seen.headers).not.toContain('content-type');
      expect(seen.headers).not.toContain('content-length');
    }
  });

  it('reads a body whose length is not told beforehand', async () => {
    const body = new ReadableStream({
      async start(controller) {
        for (const piece of ['a', 'b', 'c']) {
          controller.enqueue(new TextEncoder().encode(piece));
          await new Promise((resolve) => setTimeout(resolve, 20));
        }
        controller.close();
      },
    });

    const seen = await readTwice(listen, { method: 'POST', body, duplex: 'half' });

    expect(seen).toMatchObject({ ours: 'abc', theirs: '' });
    expect(seen.headers).not.toContain('transfer-encoding');
  });

  it('reads a request without a body', async () => {
    expect(await readTwice(listen, { method: 'POST' })).toMatchObject({ ours: '', theirs: '' });
  });

  it('reads a request that shows its end by nothing but the event, as those of Fastify’s inject do', async () => {
    const request = Object.assign(Readable.from([Buffer.from('a'), Buffer.from('b')]), {
      headers: { 'content-length': '2' },
      httpVersionMajor: 1,
    });

    const { bytes } = await readBody(request as unknown as IncomingMessage);

    expect(bytes.toString()).toBe('ab');
  });

  it('parses forms and JSON, and leaves everything else a text', async () => {
    const parsedAs = async (type: string, body: string) =>
      withServer(
        (request, response) => {
          void readBody(request).then(({ parsed }) => response.end(JSON.stringify(parsed ?? 'nothing')));
        },
        async (url) => (await fetch(url, { method: 'POST', body, headers: { 'content-type': type } })).json(),
      );

    expect(await parsedAs('application/json; charset=utf-8', '{"a":[1]}')).toEqual({ a: [1] });
    expect(await parsedAs('application/vnd.x+json', '{"a":1}')).toEqual({ a: 1 });
    expect(await parsedAs('application/x-www-form-urlencoded', 'a=1&b=2&b=3')).toEqual({
      a: '1',
      b: ['2', '3'],
    });
    expect(await parsedAs('application/json', '{"a":')).toBe('{"a":');
    expect(await parsedAs('text/xml', '<a/>')).toBe('<a/>');
    expect(await parsedAs('application/json', '')).toBe('nothing');
  });

  it('gives up on a sender that hangs up', async () => {
    const request = Object.assign(new Readable({ read: () => undefined }), {
      headers: { 'content-length': '2' },
      httpVersionMajor: 1,
      complete: false,
    });
    setImmediate(() => request.destroy());

    const error: unknown = await readBody(request as unknown as IncomingMessage).catch(
      (thrown: unknown) => thrown,
    );

    expect(error).toBeInstanceOf(IamError);
    expect(error).toMatchObject({ code: 'invalid_request' });
  });
});
