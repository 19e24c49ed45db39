import type { z } from 'zod';
import { isRecord } from '../errors/unknown.js';
import { readAtMost } from './connection.js';
import { errcodeError, invalidResponse, unavailable, type WechatError } from './wechat-error.js';

const utf8 = new TextDecoder('utf-8');

/** A response before any check. */
export interface RawResponse {
  readonly body: Buffer;
  /** The header `Content-Type`. */
  readonly contentType: string | undefined;
  /** The header `Content-Disposition`. */
  readonly disposition: string | undefined;
}

/** @throws WechatError once it is over `maxBytes` */
export async function readBody(
  endpoint: string,
  body: AsyncIterable<Uint8Array>,
  maxBytes: number,
): Promise<Buffer> {
  const bytes = await readAtMost(body, maxBytes);
  if (bytes === null) throw invalidResponse(endpoint, `the response is over ${maxBytes} bytes`);
  return bytes;
}

/** A file that WeChat responded with, e.g. the picture of a mini program code. */
export interface WechatFile {
  readonly bytes: Buffer;
  /** By the first bytes of a JPEG, PNG or GIF, else as WeChat named it. */
  readonly contentType: string;
  /** As WeChat named it, without folders; null when it gave no name. */
  readonly fileName: string | null;
}

/**
 * Reads the body of a response: UTF-8 JSON whatever the content type says, without a byte order mark, and with the raw
 * control characters that nicknames have been seen to bring.
 */
export function parseResponse(endpoint: string, body: Uint8Array): Record<string, unknown> {
  const text = utf8.decode(body);
  const response = parseJson(text) ?? parseJson(text.replace(/[\u0000-\u001f]/g, ''));
  if (response === undefined) throw unavailable(endpoint, 'the response is not JSON');
  if (!isRecord(response) || Array.isArray(response))
    throw invalidResponse(endpoint, 'the response is not a JSON object');
  return response;
}

/**
 * Success is a response without `errcode`, or with the number 0, that has every field of the schema. WeChat sends
 * HTTP 200 for errors too, so the body alone decides.
 */
export function acceptResponse<T>(
  endpoint: string,
  response: Record<string, unknown>,
  schema: z.ZodType<T>,
): T {
  const { errcode, errmsg } = response;
  if (errcode !== undefined && errcode !== 0) throw refusal(endpoint, errcode, errmsg);
  const result = schema.safeParse(response);
  if (result.success) return result.data;
  throw malformed(
    endpoint,
    result.error.issues.map((issue) => issue.path.join('.') || 'response'),
  );
}

/** The error of a response whose fields are missing, or are not what they should be. */
export function malformed(endpoint: string, fields: readonly string[]): WechatError {
  return invalidResponse(endpoint, `missing or malformed: ${fields.join(', ')}`);
}

/**
 * A file as it came. WeChat sends JSON in its place when something went wrong, under any content type (protocol part 2, A.2), so the first
 * bytes decide: no file of WeChat's begins with a brace.
 */
export function acceptFile(endpoint: string, { body, contentType, disposition }: RawResponse): WechatFile {
  if (body.byteLength === 0) throw invalidResponse(endpoint, 'the file is empty');
  const start = utf8.decode(body.subarray(0, 64)).trimStart().toLowerCase();
  if (start.startsWith('{')) {
    const { errcode, errmsg } = parseResponse(endpoint, body);
    if (errcode !== undefined && errcode !== 0) throw refusal(endpoint, errcode, errmsg);
    throw invalidResponse(endpoint, 'JSON in place of a file');
  }
  const named = contentType?.split(';')[0]?.trim().toLowerCase() ?? '';
  if (named === 'text/html' || /^<(?:!doctype|html)/.test(start))
    throw unavailable(endpoint, 'a page in place of a file');
  return {
    bytes: body,
    contentType: pictureTypeOf(body) ?? (mediaTypeForm.test(named) ? named : 'application/octet-stream'),
    fileName: fileNameOf(disposition),
  };
}

const mediaTypeForm = /^[\w!#$&^.+-]+\/[\w!#$&^.+-]+$/;

const pictures: readonly (readonly [magic: readonly number[], contentType: string])[] = [
  [[0xff, 0xd8, 0xff], 'image/jpeg'],
  [[0x89, 0x50, 0x4e, 0x47], 'image/png'],
  [[0x47, 0x49, 0x46, 0x38], 'image/gif'],
];

/** The media type of a picture by its first bytes; undefined for anything else, whatever its name. */
export function pictureTypeOf(bytes: Uint8Array): string | undefined {
  return pictures.find(([magic]) => magic.every((byte, index) => bytes[index] === byte))?.[1];
}

/** A name alone: with a folder in it, a host that saves the file would write elsewhere. */
function fileNameOf(disposition: string | undefined): string | null {
  const [, quoted, bare] = /\bfilename=(?:"([^"]*)"|([^;\s]+))/i.exec(disposition ?? '') ?? [];
  const name = utf8.decode(Buffer.from(quoted ?? bare ?? '', 'latin1'));
  const last = name.split(/[/\\]/).at(-1)?.replace(/\p{C}/gu, '').trim().slice(0, 255) ?? '';
  return /^\.*$/.test(last) ? null : last;
}

function refusal(endpoint: string, errcode: unknown, errmsg: unknown): Error {
  const number = typeof errcode === 'string' && /^-?[1-9]\d{0,8}$/.test(errcode) ? Number(errcode) : errcode;
  if (typeof number === 'number' && Number.isSafeInteger(number))
    return errcodeError(endpoint, number, errmsg);
  return invalidResponse(endpoint, 'errcode is not a number');
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
