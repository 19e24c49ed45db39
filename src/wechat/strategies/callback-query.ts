import { isRecord } from '../../runtime/is-record.js';
import { readAuthorizationCode } from '../authorization-code.js';

/** What a request to a strategy is: the start of a sign-in, or one of WeChat's ways to come back. */
export type CallbackQuery =
  | { readonly kind: 'start' }
  | { readonly kind: 'code' }
  | { readonly kind: 'denied'; readonly state: string }
  | { readonly kind: 'stateless' }
  | { readonly kind: 'malformed' };

/**
 * Reads a callback. WeChat defines no `error` parameter: when it returns after a refusal at all, it is with `state` and
 * without `code`, or with `code=authdeny`. A parameter given twice, or as an object, is nobody's callback.
 */
export function readCallback(request: object): CallbackQuery {
  const sources = [
    'query' in request ? request.query : undefined,
    'body' in request ? request.body : undefined,
  ];
  const [code, state, error] = ['code', 'state', 'error'].map((name) => valuesOf(sources, name));
  const values = [...(code ?? []), ...(state ?? []), ...(error ?? [])];
  if (!values.every((value) => typeof value === 'string')) return { kind: 'malformed' };
  const given = state?.find((value) => value !== '');
  const hasCode =
    code?.some((value) => readAuthorizationCode(value) !== null) === true && error?.length === 0;
  if (typeof given !== 'string') return values.length === 0 ? { kind: 'start' } : { kind: 'stateless' };
  return hasCode ? { kind: 'code' } : { kind: 'denied', state: given };
}

function valuesOf(sources: readonly unknown[], name: string): unknown[] {
  return sources
    .map((source) => (isRecord(source) && Object.hasOwn(source, name) ? source[name] : undefined))
    .filter((value) => value !== undefined);
}
