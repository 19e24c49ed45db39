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
