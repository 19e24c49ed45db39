/** Bodies that `BodyMiddleware` read because the host's parsers had not. */
const bodies = new WeakMap<object, unknown>();

/** Remembers what was read from a raw request. */
export function keepBody(raw: object, body: unknown): void {
  bodies.set(raw, body);
}

/** The parsed body, whoever parsed it: the host's parsers or ours. */
export function parsedBody(request: unknown, raw: object): unknown {
  if (bodies.has(raw)) return bodies.get(raw);
  return typeof request === 'object' && request !== null && 'body' in request ? request.body : undefined;
}
