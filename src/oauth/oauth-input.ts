import type { z } from 'zod';
import { IamError } from '../errors/iam.error.js';
import { parseInput, ZodPipe } from '../http/zod.pipe.js';

/**
 * What a first-party client's tokens always allow, with or without `scope`: the person's profile under `/me`, roles in the access
 * token, a refresh token.
 */
export const supportedScopes: readonly string[] = ['profile', 'roles', 'offline_access'];

/**
 * The parameters of an OAuth request. None may come twice, known or not: two readers could each believe another one (RFC 6749
 * §3.1, §3.2).
 * @throws IamError `invalid_request`, or `invalid_scope` (RFC 6749 §3.3)
 */
export function parseOAuthInput<T>(schema: z.ZodType<T>, input: unknown): T {
  const parameters = new Map(Object.entries(input ?? {}));
  for (const [name, value] of parameters)
    if (Array.isArray(value)) throw new IamError('invalid_request', `${name}: sent more than once`);
  checkScope(parameters.get('scope') ?? '');
  return parseInput(schema, input);
}

function checkScope(scope: unknown): void {
  const names = typeof scope === 'string' ? scope.split(' ').filter((name) => name !== '') : [null];
  const unknown = names.find((name) => name === null || !supportedScopes.includes(name));
  if (unknown !== undefined)
    throw new IamError('invalid_scope', `scope: expected some of ${supportedScopes.join(' ')}`);
}

/** A `ZodPipe` for the body of an OAuth request; see `parseOAuthInput`. */
export class OAuthPipe<T> extends ZodPipe<T> {
  constructor(schema: z.ZodType<T>) {
    super(schema, 'form');
  }

  protected override parse(input: unknown): T {
    return parseOAuthInput(this.schema, input);
  }
}
