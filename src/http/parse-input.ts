import type { z } from 'zod';
import { IamError } from '../errors/iam.error.js';

/**
 * The parameters of a request as `schema` sees them; one without a value counts as left out (RFC 6749 §3.1, §3.2).
 * @throws IamError `invalid_request` that names the parameter for the log
 */
export function parseInput<T>(schema: z.ZodType<T>, input: unknown): T {
  const result = schema.safeParse(withoutEmpty(input ?? {}));
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  throw new IamError(
    'invalid_request',
    `${issue?.path.map(String).join('.') ?? 'request'}: ${issue?.message ?? 'not valid'}`,
  );
}

function withoutEmpty(input: unknown): unknown {
  if (typeof input !== 'object' || input === null || Array.isArray(input)) return input;
  return Object.fromEntries(Object.entries(input).filter(([, value]) => value !== ''));
}
