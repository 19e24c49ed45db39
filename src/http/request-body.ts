import type { IamError } from '../iam.error.js';

/** Bodies that `BodyMiddleware` read because the host's parsers had not. */
const bodies = new WeakMap<object, unknown>();
const errors = new WeakMap<object, IamError>();

/** Remembers what was read from a raw request. */
export function keepBody(raw: object, body: unknown): void {
  bodies.set(raw, body);
}

/** Remembers why the body of a raw request could not be read. */
export function keepBodyError(raw: object, error: IamError): void {
  errors.set(raw, error);
}

/** The parsed body, whoever parsed it: the host's parsers or ours. */
export function parsedBody(request: unknown, raw: object): unknown {
  if (bodies.has(raw)) return bodies.get(raw);
  return typeof request === 'object' && request !== null && 'body' in request ? request.body : undefined;
}

/** Why there is no body to work with; null when nothing went wrong. */
export function findBodyError(raw: object): IamError | null {
  return errors.get(raw) ?? null;
}
