import type { z } from 'zod';
import { IamError } from '../iam.error.js';

/** The input as `schema` sees it. @throws IamError `invalid_request` that names the parameter for the log */
export function parseInput<T>(schema: z.ZodType<T>, input: unknown): T {
  const result = schema.safeParse(input ?? {});
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  throw new IamError(
    'invalid_request',
    `${issue?.path.map(String).join('.') ?? 'request'}: ${issue?.message ?? 'not valid'}`,
  );
}
