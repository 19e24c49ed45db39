import { parseCookie } from 'cookie';
import type { CookieOptions, Request } from 'express';

/** The cookie of a password sign-in. */
export const MEMBER_COOKIE = 'shop-member';

/** No script reads it, and no other site's form sends it. */
export const memberCookie = (publicUrl: string): CookieOptions => ({
  httpOnly: true,
  sameSite: 'lax',
  secure: publicUrl.startsWith('https:'),
  path: '/members',
});

/** What this browser's cookie holds, or an empty text. */
export const memberToken = ({ headers }: Request): string =>
  parseCookie(headers.cookie ?? '')[MEMBER_COOKIE] ?? '';
