import { Inject, Injectable } from '@nestjs/common';
import { IamError } from '../errors/iam.error.js';
import { IAM_OPTIONS, type ResolvedIamOptions } from '../config/iam.resolved-options.js';
import { setActor } from '../runtime/request-context.js';
import { AccessTokens, type AccessTokenClaims } from './access-tokens.service.js';
import { SessionCheck } from './session-check.service.js';
import { setAuthenticatedUser, type AuthenticatedUser } from '../http/parameter.decorators.js';
import { readRequest, type IamRequest } from '../http/iam-request.js';
import { SessionCookies } from './session-cookies.service.js';
import { TrustedOrigins } from '../http/trusted-origins.service.js';

/** Authenticates requests, socket handshakes and tokens: the only place that reads and believes a token. */
@Injectable()
export class Authentication {
  constructor(
    @Inject(IAM_OPTIONS) private readonly options: ResolvedIamOptions,
    private readonly tokens: AccessTokens,
    private readonly cookies: SessionCookies,
    private readonly origins: TrustedOrigins,
    private readonly sessions: SessionCheck,
  ) {}

  /** For `Vary`: the request headers that identify the user, where caches do not know by themselves (RFC 9111 §3.5). */
  get variesBy(): readonly string[] {
    return this.cookies.clientIds.length === 0 ? [] : ['Authorization', 'Cookie'];
  }

  /**
   * Takes a request of Express, Fastify or Node (also the handshake of a WebSocket), with its bearer token or cookie, or an
   * access token alone. `mustLive`: checks session and roles in PostgreSQL, whatever the option `sessionCheck` says.
   * @throws IamError `authentication_required`, `invalid_token` or `origin_forbidden`
   */
  async authenticate(
    source: object | string,
    { mustLive = this.options.sessionCheck === 'always' }: { readonly mustLive?: boolean } = {},
  ): Promise<AuthenticatedUser> {
    const claims =
      typeof source === 'string' ? await this.tokens.verify(source) : await this.verify(readRequest(source));
    const confirmed = mustLive ? await this.sessions.confirm(claims) : claims;
    const { userId: id, ...session } = confirmed;
    const user: AuthenticatedUser = { id, ...session };
    setActor(`user:${id}`, confirmed.sessionId);
    if (typeof source !== 'string') setAuthenticatedUser(source, user);
    return user;
  }

  /** With a bearer token, even an invalid one, cookies are ignored. Browsers send cookies unasked, so their origin is checked. */
  private async verify(request: IamRequest): Promise<AccessTokenClaims> {
    if (isBearer(request)) return this.tokens.verify(bearerToken(request));
    const token = this.cookies.findAccessToken(request);
    if (token === null) throw new IamError('authentication_required', 'neither bearer token nor cookie');
    const claims = await this.tokens.verify(token);
    if (!this.cookies.clientIds.includes(claims.clientId))
      throw new IamError('invalid_token', `the token of client "${claims.clientId}" came as a cookie`);
    this.origins.checkWrite(request);
    return claims;
  }
}

/** Another scheme may belong to a proxy in front of the application. */
function isBearer({ authorization }: IamRequest): boolean {
  return /^Bearer(\s|$)/i.test(authorization ?? '');
}

/** RFC 6750 §2.1. @throws IamError `authentication_required` */
function bearerToken(request: IamRequest): string {
  const [, token] = /^Bearer +([\w.~+/-]+=*) *$/i.exec(request.authorization ?? '') ?? [];
  if (token === undefined) throw new IamError('authentication_required', 'no bearer token');
  return token;
}
