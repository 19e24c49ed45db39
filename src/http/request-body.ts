import type { IncomingMessage } from 'node:http';
import { IamError } from '../errors/iam.error.js';

/** A body that `BodyReader` read before the host's parsers could. */
export interface KeptBody {
  readonly bytes: Buffer;
  /** Its `Content-Type`, which the headers no longer show. */
  readonly type: string;
  /**
   * What a form or JSON says, the text of anything else; undefined where there is no body. Parsed when first asked for: an
   * endpoint that verifies the bytes first never pays for those of a stranger.
   */
  readonly parsed: unknown;
}

const bodies = new WeakMap<object, KeptBody>();

/** Remembers what was read from a raw request. */
export function keepBody(raw: object, body: KeptBody): void {
  bodies.set(raw, body);
}

/** What was read from a raw request; null when it was not ours to read. */
export function findBody(raw: object): KeptBody | null {
  return bodies.get(raw) ?? null;
}

/** The type of a body that `BodyReader` read. */
export function bodyType(raw: object): string | undefined {
  return bodies.get(raw)?.type;
}

/** The parsed body, whoever parsed it: `BodyReader`, or a parser of the host where it came first. */
export function parsedBody(request: unknown, raw: object): unknown {
  return bodies.has(raw) ? bodies.get(raw)?.parsed : hostBody(request);
}

/** The bytes of the body; null when a parser of the host has left none. */
export function rawBody(request: unknown, raw: object): Buffer | null {
  const body = bodies.get(raw)?.bytes ?? hostBody(request);
  if (typeof body === 'string') return Buffer.from(body, 'utf8');
  return Buffer.isBuffer(body) ? body : null;
}

function hostBody(request: unknown): unknown {
  return typeof request === 'object' && request !== null && 'body' in request ? request.body : undefined;
}

/** What our endpoints take is a few kilobytes at most; this is generous. */
const MAX_BYTES = 64 * 1024;
const MAX_MILLISECONDS = 3_000;

/**
 * Reads a request to its end and leaves it as if it had come without a body: whoever reads it after us sees an empty one.
 * @throws IamError `payload_too_large`, `request_too_slow` or `content_encoding_unsupported`
 */
export async function readBody(request: IncomingMessage): Promise<KeptBody> {
  const { 'content-type': type = '', 'content-encoding': encoding = 'identity' } = request.headers;
  if (!/^identity$/i.test(encoding.trim()))
    throw new IamError('content_encoding_unsupported', 'the body is compressed');
  const bytes = hasBody(request) ? await readBytes(request) : Buffer.alloc(0);
  for (const name of ['content-type', 'content-length', 'content-encoding', 'transfer-encoding'])
    Reflect.deleteProperty(request.headers, name);
  return new ReadBody(bytes, type);
}

class ReadBody implements KeptBody {
  private result: { readonly value: unknown } | undefined;

  constructor(
    readonly bytes: Buffer,
    readonly type: string,
  ) {}

  get parsed(): unknown {
    this.result ??= { value: parseBody(this.bytes, this.type) };
    return this.result.value;
  }
}

/** HTTP/2 may leave the length out. */
function hasBody({ headers, httpVersionMajor }: IncomingMessage): boolean {
  return (
    httpVersionMajor > 1 ||
    headers['transfer-encoding'] !== undefined ||
    Number(headers['content-length']) > 0
  );
}

/** HTTP/2 requests and those of Fastify's `inject` show their end by nothing but `end`. */
function knowsItsEnd({ httpVersionMajor, complete }: Partial<IncomingMessage>): boolean {
  return httpVersionMajor === 1 && complete !== undefined;
}

/**
 * Takes the bytes out of the stream but not its end: `read()` past the last byte would emit `end`, and a parser of the host
 * that begins to listen afterwards would wait for it forever.
 */
function readBytes(request: IncomingMessage): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    const take = (): void => {
      while (request.readableLength > 0) {
        const chunk = Buffer.from(request.read(request.readableLength) as string | Buffer);
        chunks.push(chunk);
        size += chunk.length;
      }
      if (size > MAX_BYTES) fail(new IamError('payload_too_large', `more than ${MAX_BYTES} bytes`));
      else if (request.complete) succeed();
      else if (!knowsItsEnd(request)) request.read();
    };
    const succeed = (): void => {
      stop();
      resolve(Buffer.concat(chunks));
    };
    const fail = (error: Error): void => {
      stop();
      reject(error);
    };
    const cut = (): void => fail(new IamError('invalid_request', 'the connection ended before the body'));
    const timer = setTimeout(
      () => fail(new IamError('request_too_slow', `no whole body within ${MAX_MILLISECONDS} ms`)),
      MAX_MILLISECONDS,
    );
    const stop = (): void => {
      clearTimeout(timer);
      request.off('readable', take).off('end', succeed).off('error', cut).off('close', cut);
    };
    request.on('readable', take).on('end', succeed).on('error', cut).on('close', cut);
  });
}

/** What is not understood is not the same as nothing: no schema of an object takes a text. */
function parseBody(bytes: Buffer, contentType: string): unknown {
  if (bytes.length === 0) return undefined;
  const text = bytes.toString('utf8');
  if (/^application\/(.+\+)?json\b/i.test(contentType)) return parseJson(text);
  if (/^application\/x-www-form-urlencoded\b/i.test(contentType))
    return collectParameters(new URLSearchParams(text));
  return text;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** A parameter given once, or several times, which the OAuth endpoints refuse (RFC 6749 §3.1). */
export type Parameters = Readonly<Record<string, string | string[]>>;

/** Query or form parameters; one given several times becomes an array. */
export function collectParameters(parameters: URLSearchParams): Parameters {
  const collected = new Map<string, string[]>();
  for (const [name, value] of parameters) {
    const earlier = collected.get(name);
    if (earlier === undefined) collected.set(name, [value]);
    else earlier.push(value);
  }
  const named = [...collected].map(([name, values]) => [name, values.length === 1 ? values[0] : values]);
  return Object.assign(Object.create(null), Object.fromEntries(named)) as Parameters;
}
