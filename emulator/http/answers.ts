import type { Markup } from '../pages/html.js';
import type { Answer } from './exchange.js';

/** A page; WeChat answers its error pages with 200 too. */
export function page(markup: Markup, status = 200): Answer {
  return {
    status,
    headers: { 'content-type': 'text/html; charset=utf-8', 'cache-control': 'no-cache, must-revalidate' },
    body: markup.text,
  };
}

/** A redirect that is not remembered. */
export function redirect(location: string): Answer {
  return { status: 302, headers: { location, 'cache-control': 'no-store' }, body: '' };
}

export function json(value: unknown, status = 200): Answer {
  return {
    status,
    headers: { 'content-type': 'application/json; charset=utf-8', 'cache-control': 'no-store' },
    body: JSON.stringify(value),
  };
}

export function text(body: string | Buffer, contentType = 'text/plain; charset=utf-8', status = 200): Answer {
  return { status, headers: { 'content-type': contentType, 'cache-control': 'no-store' }, body };
}
