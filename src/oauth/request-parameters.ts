import { z } from 'zod';
import { IamError } from '../errors/iam.error.js';
import { parseInput, ZodPipe } from '../http/parameter.decorators.js';
import { readScope } from './openid/scopes.js';

/**
 * The parameters of an OAuth request. None may come twice, known or not: two readers could each believe another one (RFC 6749
 * §3.1, §3.2). But for `resource`, of which each counts (RFC 8707 §2).
 * @throws IamError `invalid_request`, or `invalid_scope` (RFC 6749 §3.3)
 */
export function parseOAuthInput<T>(schema: z.ZodType<T>, input: unknown): T {
  const parameters = new Map(Object.entries(input ?? {}));
  for (const [name, value] of parameters)
    if (Array.isArray(value) && name !== 'resource')
      throw new IamError('invalid_request', `${name}: sent more than once`);
  readScope(parameters.get('scope'));
  return parseInput(schema, input);
}

/** Parameters of which nothing has been checked. */
export const anyParameters = z.record(z.string(), z.union([z.string(), z.array(z.string())]));

/** `resource`, once or several times. */
export const resourceParameter = z
  .union([z.string(), z.array(z.string()).min(1).max(20)])
  .transform((named) => [named].flat())
  .optional()
  .meta({ description: 'APIs that the access token is for (RFC 8707); may come several times' });

/** A `ZodPipe` for the body of an OAuth request; see `parseOAuthInput`. */
export class OAuthPipe<T> extends ZodPipe<T> {
  constructor(schema: z.ZodType<T>) {
    super(schema, 'form');
  }

  protected override parse(input: unknown): T {
    return parseOAuthInput(this.schema, input);
  }
}
