import { readonly, ref } from 'vue';
import { language } from './language';
import { settings } from './settings';

/** A request that the API refused, or that got no response (`status` 0). */
export class Problem extends Error {
  /** The stable code of the error; `offline` without a response, `unexpected` for one that is not ours. */
  readonly code: string;
  /** Finds the log lines of the request. */
  readonly correlationId: string | null;

  constructor(
    readonly status: number,
    /** The body of `application/problem+json`, with what the code adds to it. */
    readonly details: Readonly<Record<string, unknown>>,
    readonly permission: string | null = null,
  ) {
    const { title, code, correlation_id: correlationId } = details;
    super(typeof title === 'string' ? title : '');
    this.code = typeof code === 'string' ? code : status === 0 ? 'offline' : 'unexpected';
    this.correlationId = typeof correlationId === 'string' ? correlationId : null;
  }
}

/** Values that are undefined or empty are left out. */
export type Query = Readonly<Record<string, string | number | undefined>>;

export interface Call {
  readonly method?: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  readonly query?: Query;
  readonly body?: unknown;
  /** The version that a change is based on. */
  readonly etag?: string;
}

export interface Answer<T> {
  readonly body: T;
  readonly etag: string | null;
}

const token = ref<string | null>(null);

/** The admin token, in memory alone: it is gone when the page is. */
export const adminToken = readonly(token);

/** Sends this token with each request from now on; null: the cookies of the signed-in person. */
export function useAdminToken(value: string | null): void {
  token.value = value;
}

let sender = (request: Request): Promise<Response> => fetch(request);

/** Sends requests in this way from now on, but for those with the admin token. It rejects with a Problem, or as `fetch` does. */
export function sendBy(send: (request: Request) => Promise<Response>): void {
  sender = send;
}

/** A path of the API; segments may hold anything. */
export const path = (...segments: readonly string[]): string => segments.map(encodeURIComponent).join('/');

/** Calls `<base>/{path}`. @throws Problem */
export async function call<T>(to: string, options: Call = {}): Promise<Answer<T>> {
  const response = await send(to, options).catch((error: unknown) => {
    throw error instanceof Problem ? error : new Problem(0, {});
  });
  const text = await response.text();
  const isJson = /\bjson\b/.test(response.headers.get('content-type') ?? '') && text !== '';
  if (!response.ok) throw new Problem(response.status, isJson ? parse(text) : {});
  return { body: parse<T>(isJson ? text : '{}'), etag: response.headers.get('etag') };
}

/** JSON of our own server, of the same version as this script: the one place where it is taken for what it says it is. */
// eslint-disable-next-line @typescript-eslint/no-unnecessary-type-parameters
export function parse<T>(text: string): T {
  // eslint-disable-next-line @typescript-eslint/no-unsafe-return
  return JSON.parse(text);
}

/** As `call`, without the ETag. */
export async function read<T>(to: string, query: Query = {}): Promise<T> {
  return (await call<T>(to, { query })).body;
}

async function send(to: string, { method = 'GET', query = {}, body, etag }: Call): Promise<Response> {
  const given = Object.entries(query).filter(([, value]) => value !== undefined && value !== '');
  const search = new URLSearchParams(given.map(([name, value]) => [name, String(value)])).toString();
  const request = new Request(`${settings.base}/${to}${search === '' ? '' : `?${search}`}`, {
    method,
    credentials: 'same-origin',
    headers: {
      accept: 'application/json',
      'accept-language': language.value,
      ...(token.value !== null && { authorization: `Bearer ${token.value}` }),
      ...(body !== undefined && { 'content-type': 'application/json' }),
      ...(etag !== undefined && { 'if-match': etag }),
    },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  return token.value === null ? sender(request) : fetch(request);
}
