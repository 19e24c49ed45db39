import type { ApiCall } from './api-route.js';
import { ApiError } from './api-error.js';

/** A JSON object of unknown fields. */
export type JsonObject = Readonly<Record<string, unknown>>;

/** The object a caller posted. WeChat wants raw UTF-8: `\uXXXX` escapes are refused (protocol C.6). */
export function jsonBody({ incoming }: Pick<ApiCall, 'incoming'>): JsonObject {
  if (incoming.method !== 'POST') throw new ApiError(43002);
  const text = incoming.body.toString('utf8');
  if (text === '') throw new ApiError(44002);
  if (/\\u[0-9a-f]{4}/i.test(text)) throw new ApiError(40033);
  const value = parse(text);
  if (!isJsonObject(value)) throw new ApiError(47001);
  return value;
}

/** A field that is text, or nothing. */
export function textField(object: JsonObject, name: string): string {
  const value = object[name];
  return typeof value === 'string' ? value : '';
}

/** A field that is an object, or an empty one. */
export function objectField(object: JsonObject, name: string): JsonObject {
  const value = object[name];
  return isJsonObject(value) ? value : {};
}

export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
