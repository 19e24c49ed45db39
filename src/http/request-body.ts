import type { IncomingMessage } from 'node:http';
import { IamError } from '../errors/iam.error.js';
import { isRecord } from '../errors/unknown.js';

/** The body of a request. */
interface RequestBody {
  /** Null where a parser of the host has left none. */
  readonly bytes: Buffer | null;
  /** Its `Content-Type`, which the headers no longer show once `IamMiddleware` has read the body. */
  readonly type: string | undefined;
  /** The members of a form or JSON, the text of any other type; undefined without a body. */
  readonly parsed: unknown;
}

const bodies = new WeakMap<object, RequestBody>();

/** Keeps the body that `IamMiddleware` has read from a raw request. */
export function keepBody(raw: object, body: RequestBody): void {
  bodies.set(raw, body);
}

/** The body of a request: read by `IamMiddleware`, or left by a parser of the host where that came first. */
export function findBody(request: unknown, raw: object): RequestBody {
  const kept = bodies.get(raw);
  if (kept !== undefined) return kept;
  const left = isRecord(request) ? request['body'] : undefined;
  const bytes = typeof left === 'string' ? Buffer.from(left, 'utf8') : left;
  return { bytes: Buffer.isBuffer(bytes) ? bytes : null, type: undefined, parsed: left };
}

/** Our endpoints need a few kilobytes at most. */
const MAX_BYTES = 64 * 1024;
const MAX_MILLISECONDS = 3_000;

/**
 * Reads a request to its end and leaves it as if it had come without a body: a parser of the host sees an empty one.
 * @throws IamError `payload_too_large`, `request_too_slow` or `content_encoding_unsupported`
 */
export async function readBody(request: IncomingMessage): Promise<ReadBody> {
  const { 'content-type': type = '', 'content-encoding': encoding = 'identity' } = request.headers;
  if (!/^identity$/i.test(encoding.trim()))
    throw new IamError('content_encoding_unsupported', 'the body is compressed');
  const bytes = hasBody(request) ? await readBytes(request) : Buffer.alloc(0);
  for (const name of ['content-type', 'content-length', 'content-encoding', 'transfer-encoding'])
    Reflect.deleteProperty(request.headers, name);
  return new ReadBody(bytes, type);
}

/** Parses when first read: an endpoint that verifies the bytes first does not parse a stranger's. */
class ReadBody implements RequestBody {
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

/** A body that cannot be parsed stays a text, which no schema of an object accepts; it must not pass for an empty one. */
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

/** The names of a parameter that lists them with spaces between, such as `scope` or `prompt`. */
export function namesOf(list = ''): string[] {
  return list.split(' ').filter((name) => name !== '');
}

/** The reverse of `collectParameters`. */
export function toSearchParams(parameters: Parameters): URLSearchParams {
  const query = new URLSearchParams();
  for (const [name, values] of Object.entries(parameters))
    for (const value of [values].flat()) query.append(name, value);
  return query;
}

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
