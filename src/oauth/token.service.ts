import { Inject, Injectable } from '@nestjs/common';
import { z } from 'zod';
import { IAM_OPTIONS, type ResolvedIamOptions } from '../config/iam.resolved-options.js';
import { Forgeries } from '../database/forgeries.service.js';
import { HookRunner } from '../database/hook-runner.js';
import { errorCatalogue, IamError } from '../errors/iam.error.js';
import { oauthError, logFailure } from '../http/error-responses.js';
import type { Client } from '../http/client-registry.service.js';
import type { IamRequest } from '../http/iam-request.js';
import { type IamResponse, json } from '../http/iam-response.js';
import { namesOf } from '../http/request-body.js';
import { Resources } from '../http/resources.service.js';
import { TrustedOrigins } from '../http/trusted-origins.service.js';
import { Clock } from '../runtime/clock.js';
import { IamLogger } from '../runtime/iam-logger.js';
import { inSpan } from '../runtime/telemetry.service.js';
import {
  AccessTokens,
  isOfPerson,
  type ServiceTokenClaims,
  type TokenClaims,
} from '../sessions/access-tokens.service.js';
import { SessionCookies } from '../sessions/session-cookies.service.js';
import type { TokenBounds } from '../sessions/session-statements.js';
import { SessionNotAdmitted, Sessions, type RefreshedSession } from '../sessions/sessions.service.js';
import type { BegunSession } from '../sign-in/redemption.service.js';
import { ClientAuthentication, clientParameters } from './clients/client-authentication.service.js';
import { Clients, requireAllowed } from './clients/clients.service.js';
import { isOpenId, scopeLeft } from './openid/scopes.js';
import { IdTokens } from './openid/id-tokens.service.js';
import { TokenGrants, type GrantCaller, type Granted, type GrantRequest } from './registration.js';

/** `POST /token`: every grant passes here, with the same checks and the same response. */
@Injectable()
export class Token {
  private readonly logger = new IamLogger('IamErrors');

  constructor(
    @Inject(IAM_OPTIONS) private readonly options: ResolvedIamOptions,
    private readonly grants: TokenGrants,
    private readonly authentication: ClientAuthentication,
    private readonly clients: Clients,
    private readonly origins: TrustedOrigins,
    private readonly sessions: Sessions,
    private readonly accessTokens: AccessTokens,
    private readonly idTokens: IdTokens,
    private readonly cookies: SessionCookies,
    private readonly hooks: HookRunner,
    private readonly resources: Resources,
    private readonly clock: Clock,
  ) {}

  /** A cookie client shows its origin: without that, any page could sign its visitor in as another user. */
  async grant(request: IamRequest): Promise<IamResponse> {
    const grant = this.grants.read(request.body);
    const client = await this.authentication.authenticate(request);
    requireAllowed(client, { grant: grant.type, provider: grant.provider });
    const bounds = this.boundsOf(client, grant);
    const isCookieClient = client.tokens === 'cookie';
    if (isCookieClient) this.origins.checkWrite(request);
    const replaces = isCookieClient ? await this.cookies.findSessionId(request) : null;
    return inSpan('iam.token', { 'oauth.grant_type': grant.type }, () =>
      this.redeem(grant, { client, request, replaces, bounds }),
    );
  }

  private async redeem(grant: GrantRequest, caller: GrantCaller): Promise<IamResponse> {
    try {
      return await this.fulfil(await grant.redeem(caller), caller);
    } catch (error) {
      if (!endsCookies(error, grant, caller)) throw error;
      logFailure(this.logger, error);
      return { ...oauthError(error, 'token'), cookies: this.cookies.clear() };
    }
  }

  /** A refresh that fails here spends nothing: its next try would look like a theft. */
  private async fulfil(granted: Granted, caller: GrantCaller): Promise<IamResponse> {
    const isRefreshed = 'refreshToken' in granted;
    try {
      const bounds = {
        scope: scopeOf(granted, caller),
        resources: this.resourcesOf(granted, caller.bounds),
      };
      if (!isOfPerson(granted)) return await this.respondToService({ ...granted, ...bounds }, caller.client);
      const session = isRefreshed ? granted : await this.begin(granted);
      return await this.respond({ ...session, ...bounds }, { ...caller, isRefreshed });
    } catch (error) {
      if (isRefreshed) await this.sessions.unrotate(granted.refreshToken);
      throw error;
    }
  }

  private boundsOf({ id, isFirstParty, scopes, ...client }: Client, grant: GrantRequest): TokenBounds {
    const asked = this.resources.require(grant.resources, client.resources);
    const resources = this.resources.identifiersOf(client.resources);
    // A third party's person has agreed to what it named then.
    return { clientId: id, scopes, asked, resources, unnamed: isFirstParty ? resources : [] };
  }

  /**
   * What this access token is for: what the session has and its application still may, or of that the part that the request names
   * (RFC 8707 §2.2).
   */
  private resourcesOf(
    { resources: granted }: TokenClaims,
    { asked, resources, unnamed }: TokenBounds,
  ): readonly string[] | undefined {
    const left = granted && this.resources.requireLeft(granted, resources);
    return this.resources.require(asked, left ?? unnamed) ?? left;
  }

  private async begin(session: BegunSession): Promise<RefreshedSession> {
    const { userId, sessionId, clientId, provider, isNewUser, generation, isRepeated } = session;
    if (!isRepeated) await this.hooks.afterSignIn({ userId, sessionId, clientId, provider, isNewUser });
    return { ...session, refreshToken: this.sessions.refreshTokenOf({ sessionId, generation }) };
  }

  /** RFC 6749 §4.4.3: without a refresh token, since the credentials are one. */
  private async respondToService(claims: ServiceTokenClaims, client: Client): Promise<IamResponse> {
    const tokens = {
      access_token: await this.accessTokens.issue(claims, { algorithm: client.accessTokenAlgorithm }),
      token_type: 'Bearer',
      expires_in: this.options.tokens.accessToken,
      ...(claims.scope !== undefined && { scope: claims.scope }),
    };
    return json(tokens, 200, noCache);
  }

  /** RFC 6749 §5.1; to a cookie client the same without the tokens, which no script may see. */
  private async respond(
    session: RefreshedSession,
    { client, replaces, isRefreshed }: GrantCaller & { readonly isRefreshed: boolean },
  ): Promise<IamResponse> {
    const { refreshToken } = session;
    const accessToken = await this.accessTokens.issue(session, { algorithm: client.accessTokenAlgorithm });
    const granted = await this.describeScope(session, client, accessToken);
    const expires_in = this.options.tokens.accessToken;
    if (client.tokens === 'bearer') {
      const tokens = {
        access_token: accessToken,
        token_type: 'Bearer',
        expires_in,
        ...((mayRefresh(client, session) || (isRefreshed && mayStay(client))) && {
          refresh_token: refreshToken,
        }),
        ...granted,
      };
      return json(tokens, 200, noCache);
    }
    const maxAge = this.remainingLifetime(session);
    const cookies = this.cookies.write({ accessToken, refreshToken, maxAge });
    // No browser would have it.
    if (cookies === null && !isRefreshed)
      await this.sessions.end(session.sessionId, 'revoked', this.clients.enderOf(client));
    if (cookies === null)
      throw new Error('the roles of this user make the access cookie longer than browsers keep');
    // A browser has one session: an earlier one is neither left alive nor continued (session fixation).
    if (replaces !== null && replaces !== session.sessionId)
      await this.sessions.end(replaces, 'replaced', this.clients.enderOf(client));
    return { ...json({ token_type: NOT_APPLICABLE, expires_in, ...granted }, 200, noCache), cookies };
  }

  /** Where a scope was asked for, what was granted of it (RFC 6749 §5.1), and with `openid` the ID token. */
  private async describeScope(
    session: RefreshedSession,
    client: Client,
    accessToken: string,
  ): Promise<{ readonly scope?: string; readonly id_token?: string }> {
    const { scope, clientId } = session;
    if (scope === undefined) return {};
    // A browser's session may be that of another cookie client, which alone asked who the person is.
    if (!isOpenId(scope) || clientId !== client.id) return { scope };
    const shown = client.tokens === 'bearer' ? accessToken : null;
    return { scope, id_token: await this.idTokens.issue(session, client, shown) };
  }

  /** Seconds until the session ends if it is not refreshed again. */
  private remainingLifetime({ beganAt }: RefreshedSession): number {
    const { idle, absolute } = this.options.tokens;
    const age = Math.floor((this.clock.now() - beganAt.getTime()) / 1000);
    return Math.max(1, Math.min(idle, absolute - age));
  }
}

/** The session of a browser may be that of another cookie client, whose scope is its own. */
function scopeOf({ clientId, scope }: TokenClaims, { client }: GrantCaller): string | undefined {
  return clientId === client.id ? scopeLeft(client, scope) : scope;
}

const noCache = { Pragma: 'no-cache' };
/**
 * A third party gets a refresh token only where the person agreed to it (OpenID Connect Core §11). Who has one gets the next, whatever
 * part of the scope the access token has: the old one is spent.
 */
function mayRefresh({ grants, isFirstParty }: Client, { scope }: RefreshedSession): boolean {
  const isAgreed = isFirstParty || namesOf(scope).includes('offline_access');
  return isAgreed && grants?.includes('refresh_token') !== false;
}

/** False once an administrator has taken offline access from the application. */
function mayStay({ scopes }: Client): boolean {
  return scopes?.includes('offline_access') !== false;
}

/** There is nothing to send along as a token (RFC 8693 §2.2.1). */
const NOT_APPLICABLE = 'N_A';

/** A session that is over leaves no cookies behind. One that lives for other applications of the browser keeps them. */
function endsCookies(error: unknown, { type }: GrantRequest, { client }: GrantCaller): error is IamError {
  const isRefused = error instanceof IamError && errorCatalogue[error.code].oauth === 'invalid_grant';
  const isOver = isRefused && !(error instanceof SessionNotAdmitted);
  return isOver && type === 'refresh_token' && client.tokens === 'cookie';
}

/** The body of `POST /revoke` (RFC 7009 §2.1). */
export const revocationBody = z.object({
  ...clientParameters,
  /** A cookie client leaves it out: its cookies say which session ends. */
  token: z.string().min(1).max(8_192).optional(),
});

/**
 * `POST /revoke` (RFC 7009): either token ends the whole session. The response to an unknown token is that to a known one; a token
 * of another client is refused (§2.1).
 */
@Injectable()
export class Revocation {
  constructor(
    private readonly authentication: ClientAuthentication,
    private readonly clients: Clients,
    private readonly origins: TrustedOrigins,
    private readonly sessions: Sessions,
    private readonly accessTokens: AccessTokens,
    private readonly cookies: SessionCookies,
    private readonly forgeries: Forgeries,
  ) {}

  /** @returns `Set-Cookie` values, the same whether or not there was a session */
  async revoke({ token }: z.infer<typeof revocationBody>, request: IamRequest): Promise<readonly string[]> {
    const client = await this.authentication.authenticate(request);
    if (token !== undefined) {
      await this.end(await this.sessionOf(token, request), client);
      return [];
    }
    if (client.tokens === 'bearer') throw new IamError('invalid_request', 'token: missing');
    this.origins.checkWrite(request);
    await this.end(await this.cookies.findSessionId(request), client);
    return this.cookies.clear();
  }

  private async end(sessionId: string | null, client: Client): Promise<void> {
    if (sessionId === null) return;
    if (!(await this.sessions.end(sessionId, 'revoked', this.clients.enderOf(client))))
      throw new IamError('invalid_grant', 'the token was issued to another client');
  }

  /** @throws IamError `unsupported_token_type` for the token of a service, which no session ends */
  private async sessionOf(token: string, { origin }: IamRequest): Promise<string | null> {
    const sessionId = this.sessions.findSessionId(token);
    if (sessionId !== null) return sessionId;
    const claims = await this.accessTokens.find(token, () => this.forgeries.count(origin));
    if (claims === null) return null;
    if (isOfPerson(claims)) return claims.sessionId;
    throw new IamError('unsupported_token_type', `a token of service "${claims.clientId}"`);
  }
}
