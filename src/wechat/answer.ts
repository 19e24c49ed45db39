import type { z } from 'zod';
import { errcodeError, invalidAnswer, unavailable } from './wechat-error.js';

const utf8 = new TextDecoder('utf-8');

/**
 * Reads the body of an answer: UTF-8 JSON whatever the content type says, without a byte order mark, and with the raw
 * control characters that nicknames have been seen to bring.
 */
export function parseAnswer(endpoint: string, body: Uint8Array): Record<string, unknown> {
  const text = utf8.decode(body);
  const answer = parseJson(text) ?? parseJson(text.replace(/[\u0000-\u001f]/g, ''));
  if (answer === undefined) throw unavailable(endpoint, 'the answer is not JSON');
  if (!isRecord(answer)) throw invalidAnswer(endpoint, 'the answer is not a JSON object');
  return answer;
}

/**
 * Success is an answer without `errcode`, or with the number 0, that has every field the schema asks for. WeChat sends
 * HTTP 200 for errors too, so the body alone decides.
 */
export function acceptAnswer<T>(endpoint: string, answer: Record<string, unknown>, schema: z.ZodType<T>): T {
  const { errcode, errmsg } = answer;
  if (errcode !== undefined && errcode !== 0) throw refusal(endpoint, errcode, errmsg);
  const result = schema.safeParse(answer);
  if (result.success) return result.data;
  const fields = result.error.issues.map((issue) => issue.path.join('.') || 'answer');
  throw invalidAnswer(endpoint, `missing or malformed: ${fields.join(', ')}`);
}

function refusal(endpoint: string, errcode: unknown, errmsg: unknown): Error {
  const number = typeof errcode === 'string' && /^-?[1-9]\d{0,8}$/.test(errcode) ? Number(errcode) : errcode;
  if (typeof number === 'number' && Number.isSafeInteger(number))
    return errcodeError(endpoint, number, errmsg);
  return invalidAnswer(endpoint, 'errcode is not a number');
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
