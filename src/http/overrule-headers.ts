import type { OutgoingHttpHeaders, ServerResponse } from 'node:http';

/**
 * Runs `overrule` at the last moment before the head of a response is written, on the headers that everybody before has
 * set: middleware that comes after us, and Fastify, which hands its own over only then.
 */
export function overruleHeaders(
  response: ServerResponse,
  overrule: (response: ServerResponse) => void,
): void {
  const writeHead: unknown = Reflect.get(response, 'writeHead');
  if (typeof writeHead !== 'function') return;
  Reflect.set(response, 'writeHead', (status: number, ...rest: readonly unknown[]): unknown => {
    for (const [name, value] of Object.entries(rest.find(isHeaders) ?? {}))
      if (value !== undefined) response.setHeader(name, value);
    overrule(response);
    const written: unknown = Reflect.apply(writeHead, response, [
      status,
      ...rest.filter((each) => !isHeaders(each)),
    ]);
    return written;
  });
}

/** Not the flat list of names and values that Node takes too: what it sends is left as it is. */
function isHeaders(value: unknown): value is OutgoingHttpHeaders {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
