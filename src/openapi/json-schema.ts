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
  const completed = admitNull(converted);
  if (!isJsonSchema(completed)) throw new TypeError('not a schema');
  return completed;
}

/** OpenAPI 3.0.3: `nullable` alone does not let null through an `enum` that leaves it out. */
function admitNull(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(admitNull);
  if (typeof schema !== 'object' || schema === null) return schema;
  const completed = Object.fromEntries(
    Object.entries(schema).map(([name, value]): [string, unknown] => [name, admitNull(value)]),
  );
  if (completed['nullable'] !== true || !isList(completed['enum'])) return completed;
  return { ...completed, enum: [...completed['enum'], null] };
}

function isList(value: unknown): value is readonly unknown[] {
  return Array.isArray(value);
}

/** Narrows what zod types loosely. */
export function isJsonSchema(value: unknown): value is JsonSchema {
  return typeof value === 'object' && value !== null;
}
