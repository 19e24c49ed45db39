import { z } from 'zod';
import type { ApiBodyOptions } from '@nestjs/swagger';

/** A schema object of OpenAPI 3.0, in the words of `@nestjs/swagger`. */
export type JsonSchema = Extract<ApiBodyOptions, { schema: unknown }>['schema'] & {
  properties?: Record<string, unknown>;
  required?: string[];
};

/** A zod schema in the dialect of OpenAPI 3.0: as a caller writes it, or as we answer. */
export function toJsonSchema(schema: z.ZodType, io: 'input' | 'output'): JsonSchema {
  const converted: unknown = z.toJSONSchema(schema, { target: 'openapi-3.0', io, unrepresentable: 'any' });
  if (!isJsonSchema(converted)) throw new TypeError('not a schema');
  return converted;
}

/** Narrows what zod types loosely. */
export function isJsonSchema(value: unknown): value is JsonSchema {
  return typeof value === 'object' && value !== null;
}
