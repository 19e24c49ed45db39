import { Inject, Injectable } from '@nestjs/common';
import { IamError } from '../errors/iam.error.js';
import { IAM_OPTIONS, type ResolvedIamOptions } from '../config/iam.resolved-options.js';
import { type RequestOrigin, setActor } from '../runtime/request-context.js';
import {
  AccessTokens,
  type AccessTokenClaims,
  isOfPerson,
  type ServiceTokenClaims,
  type TokenClaims,
} from './access-tokens.service.js';
import { ApiKeyCheck } from './api-keys/api-key-check.service.js';
import { isMeantAsApiKey } from './api-keys/api-key.js';
import { SessionCheck } from './session-check.service.js';
import { ClientRegistry } from '../http/client-registry.service.js';
import {
  actorOf,
  setAuthenticatedUser,
  type AuthenticatedPerson,
  type AuthenticatedService,
  type AuthenticatedUser,
} from '../http/authenticated-user.js';
import { handshakeOf, isSocket } from '../http/callers.js';
import { readRequest, type IamRequest } from '../http/iam-request.js';
import { Resources } from '../http/resources.service.js';
import { SessionCookies } from './session-cookies.service.js';
import { TrustedOrigins } from '../http/trusted-origins.service.js';

const credentialHeaders = ['Authorization', 'Cookie'] as const;

/** Authenticates requests, socket handshakes and tokens: the only place that reads and believes a token. */
@Injectable()
export class Authentication {
  constructor(
    @Inject(IAM_OPTIONS) private readonly options: ResolvedIamOptions,
    private readonly tokens: AccessTokens,
    private readonly cookies: SessionCookies,
    private readonly origins: TrustedOrigins,
    private readonly sessions: SessionCheck,
    private readonly apiKeys: ApiKeyCheck,
    private readonly clients: ClientRegistry,
    private readonly resources: Resources,
  ) {}

  /** For `Vary`: the request headers that identify the user, where caches do not know by themselves (RFC 9111 §3.5). */
  get variesBy(): readonly string[] {
    return this.cookies.clientIds.length === 0 ? [] : credentialHeaders;
  }

  /**
   * Takes a request of Express, Fastify or Node (also the handshake of a WebSocket) or a client of a gateway, with its bearer token
   * or cookie, or an access token or API key alone. `mustLive`: checks session and roles in PostgreSQL, whatever the option `sessionCheck`
   * says. @throws IamError `authentication_required`, `invalid_token`, `origin_forbidden` or `rate_limited`
   */
  async authenticate(
    source: object | string,
    options: AuthenticationOptions = {},
  ): Promise<AuthenticatedUser> {
    const user = await this.find(source, options);
    if (user === null) throw new IamError('authentication_required', 'neither bearer token nor cookie');
    return user;
  }

  /** As `authenticate`; null where there is no token at all. One that is broken or has expired is refused. */
  async find(
    source: object | string,
    { mustLive = this.options.sessionCheck === 'always', from }: AuthenticationOptions = {},
  ): Promise<AuthenticatedUser | null> {
    const presented = typeof source === 'string' ? { token: source } : this.findToken(requestOf(source));
    if (presented === null) return null;
    const { token, byCookie } = presented;
    if (byCookie === undefined && isMeantAsApiKey(token)) {
      const sender = from ?? (typeof source === 'string' ? null : source);
      const origin = sender === null ? unknownOrigin : requestOf(sender).origin;
      return admit(source, await this.apiKeys.identify(token, origin));
    }
    const claims = await this.tokens.read(token, this.resourceAt(source));
    this.checkSender(presented, claims);
    if (!isOfPerson(claims)) return admit(source, this.serviceOf(claims));
    return admit(source, personOf(mustLive ? await this.sessions.confirm(claims) : claims));
  }

  /** As `find`, at once, for a request whose token has verified before; null where more is needed. */
  recall(request: object): AuthenticatedUser | null {
    if (this.options.sessionCheck === 'always') return null;
    const presented = this.findToken(readRequest(request));
    if (presented === null) return null;
    const claims = this.tokens.recall(presented.token, this.resourceAt(request));
    if (claims === null) return null;
    this.checkSender(presented, claims);
    return admit(request, isOfPerson(claims) ? personOf(claims) : this.serviceOf(claims));
  }

  /** A token for an API of this application opens that API. */
  private resourceAt(source: object | string): string | undefined {
    if (this.resources.own.length === 0 || typeof source === 'string') return undefined;
    return this.resources.at(requestOf(source).path)?.identifier;
  }

  /** From memory: a service that is disabled or deleted, or whose credential was replaced, is out within seconds. */
  private serviceOf({ clientId, credential }: ServiceTokenClaims): AuthenticatedService {
    const client = this.clients.findService(clientId, credential);
    if (client === undefined)
      throw new IamError('invalid_token', `service "${clientId}" is not what it was when it got the token`);
    return { kind: 'service', id: clientId, clientId, roles: [...client.roles] };
  }

  /** With a bearer token, even an invalid one, cookies are ignored. */
  private findToken(request: IamRequest): PresentedToken | null {
    if (isBearer(request)) return { token: bearerToken(request) };
    const token = this.cookies.findAccessToken(request);
    return token === null ? null : { token, byCookie: request };
  }

  /** Browsers send cookies unasked, so their origin is checked. */
  private checkSender({ byCookie }: PresentedToken, { clientId }: TokenClaims): void {
    if (byCookie === undefined) return;
    if (!this.cookies.clientIds.includes(clientId))
      throw new IamError('invalid_token', `the token of client "${clientId}" came as a cookie`);
    this.origins.checkWrite(byCookie);
  }
}

interface AuthenticationOptions {
  readonly mustLive?: boolean;
  /** The request or socket that a token came by, whose address is limited when it sends wrong API keys. */
  readonly from?: object;
}

const unknownOrigin: RequestOrigin = { ip: null, userAgent: null };

/** A token that is yet to be verified. */
interface PresentedToken {
  readonly token: string;
  /** The request whose cookie it is. */
  readonly byCookie?: IamRequest;
}

function requestOf(source: object): IamRequest {
  return readRequest(isSocket(source) ? handshakeOf(source) : source);
}

/** Notes the user with the request and as the actor of what it does. */
function admit(source: object | string, user: AuthenticatedUser): AuthenticatedUser {
  setActor(actorOf(user), user.kind === 'person' ? user.sessionId : undefined);
  if (typeof source !== 'string') setAuthenticatedUser(source, user);
  return user;
}

function personOf({ userId: id, sessionId, ...claims }: AccessTokenClaims): AuthenticatedPerson {
  return { kind: 'person', id, sessionId, ...claims };
}

/** Another scheme may belong to a proxy in front of the application. */
export function isBearer({ authorization }: IamRequest): boolean {
  return /^Bearer(\s|$)/i.test(authorization ?? '');
}

/** RFC 6750 §2.1. @throws IamError `authentication_required` */
export function bearerToken({ authorization = '' }: IamRequest): string {
  const [, token] = /^ +([\w.~+/-]+=*) *$/.exec(authorization.slice('Bearer'.length)) ?? [];
  if (token === undefined) throw new IamError('authentication_required', 'no bearer token');
  return token;
}
