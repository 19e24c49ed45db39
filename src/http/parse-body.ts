import type { z } from 'zod';
import { IamError } from '../errors/iam.error.js';

/**
 * The body of a request as `schema` sees it. Unlike a parameter of OAuth, a member that is empty was not left out.
 * @throws IamError `invalid_request` that names the member for the log
 */
export function parseBody<T>(schema: z.ZodType<T>, body: unknown): T {
  const result = schema.safeParse(body ?? {});
  if (result.success) return result.data;
  const [{ path, message } = { path: [], message: 'not valid' }] = result.error.issues;
  throw new IamError('invalid_request', `${['body', ...path.map(String)].join('.')}: ${message}`);
}
