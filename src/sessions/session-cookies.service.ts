import { Inject, Injectable } from '@nestjs/common';
import { serialize } from 'cookie';
import { decodeJwt } from 'jose/jwt/decode';
import { IAM_OPTIONS, type ResolvedIamOptions } from '../config/iam.resolved-options.js';
import { AccessTokens, isOfPerson } from './access-tokens.service.js';
import { Sessions } from './sessions.service.js';
import { ClientRegistry } from '../http/client-registry.service.js';
import type { IamRequest } from '../http/iam-request.js';
import { cookieName, setCookie } from '../http/iam-response.js';
import { IamUrls } from '../http/iam-urls.service.js';

/** Browsers ignore a longer cookie (RFC 6265 §6.1). */
export const MAX_COOKIE_BYTES = 4_096;

/** The contents of the two cookies. */
interface CookieTokens {
  readonly accessToken: string;
  readonly refreshToken: string;
  /** How long the session lives if it is not refreshed again, in seconds. */
  readonly maxAge: number;
}

/**
 * The session of a browser, for clients with `tokens: 'cookie'`: they share one session per browser. Only our endpoints get
 * the refresh token.
 */
@Injectable()
export class SessionCookies {
  private readonly accessName: string;
  private readonly refreshName: string;

  constructor(
    @Inject(IAM_OPTIONS) private readonly options: ResolvedIamOptions,
    private readonly urls: IamUrls,
    private readonly sessions: Sessions,
    private readonly accessTokens: AccessTokens,
    private readonly clients: ClientRegistry,
  ) {
    this.accessName = cookieName('iam-access', options);
    this.refreshName = options.isHttps ? '__Secure-iam-refresh' : 'iam-refresh';
  }

  /** The clients that share it. */
  get clientIds(): readonly string[] {
    return this.clients.enabled.cookieClientIds;
  }

  /**
   * `Set-Cookie` values. The access cookie outlives its token: it says which session the refresh cookie must be of.
   * Null: browsers would not keep them.
   */
  write({ accessToken, refreshToken, maxAge }: CookieTokens): string[] | null {
    const cookies = [this.access(accessToken, maxAge), this.refresh(refreshToken, maxAge)];
    return cookies.some(({ length }) => length > MAX_COOKIE_BYTES) ? null : cookies;
  }

  /** `Set-Cookie` values that remove both. */
  clear(): string[] {
    return [this.access('', 0), this.refresh('', 0)];
  }

  /** `clear` if the browser's session is this one, which has just ended; otherwise nothing. */
  clearOf(sessionId: string, request: IamRequest): string[] {
    return claimedSessionId(this.findAccessToken(request) ?? '') === sessionId ? this.clear() : [];
  }

  /** The value of the access cookie; null where no client uses cookies. */
  findAccessToken(request: IamRequest): string | null {
    return this.clientIds.length === 0 ? null : this.readAccessCookie(request);
  }

  /**
   * The refresh token of the session that the access cookie names. A sibling domain can add a second refresh cookie, which
   * would sign the browser in as another user.
   */
  findRefreshToken(request: IamRequest): string | null {
    const sessionId = claimedSessionId(this.readAccessCookie(request) ?? '');
    const tokens = valuesOf(this.refreshName, request.cookieHeader);
    const isOfSession = (token: string) => this.sessions.findSessionId(token) === sessionId;
    return sessionId === null ? null : (tokens.find(isOfSession) ?? null);
  }

  /** The session that the cookies prove, also when the access token has expired, or its application is disabled. */
  async findSessionId(request: IamRequest): Promise<string | null> {
    const refreshToken = this.findRefreshToken(request);
    if (refreshToken !== null) return this.sessions.findSessionId(refreshToken);
    const accessToken = this.readAccessCookie(request);
    const claims = accessToken === null ? null : await this.accessTokens.find(accessToken);
    return claims !== null && isOfPerson(claims) ? claims.sessionId : null;
  }

  private readAccessCookie({ cookies }: IamRequest): string | null {
    return cookies[this.accessName] ?? null;
  }

  private access(value: string, maxAge: number): string {
    return setCookie({ name: this.accessName, value, maxAge }, this.options);
  }

  private refresh(value: string, maxAge: number): string {
    const { isHttps: secure } = this.options;
    const path = this.urls.path('token').replace(/\/token$/, '');
    return serialize(this.refreshName, value, { httpOnly: true, secure, sameSite: 'strict', path, maxAge });
  }
}

/** The `sid` of an unverified access token, which may have expired. */
function claimedSessionId(accessToken: string): string | null {
  try {
    const { sid } = decodeJwt(accessToken);
    return typeof sid === 'string' ? sid : null;
  } catch {
    return null;
  }
}

/** Every value of a name in a `Cookie` header. */
function valuesOf(name: string, header: string): string[] {
  const pairs = header.split(';').map((pair) => pair.trim());
  return pairs.filter((pair) => pair.startsWith(`${name}=`)).map((pair) => pair.slice(name.length + 1));
}
