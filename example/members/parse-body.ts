import { BadRequestException } from '@nestjs/common';
import type { z } from 'zod';

/** What a body says. @throws 400 `invalid_request` */
export function parseBody<T>(schema: z.ZodType<T>, body: unknown): T {
  const parsed = schema.safeParse(body);
  if (!parsed.success) throw new BadRequestException({ error: 'invalid_request' });
  return parsed.data;
}
