import { Injectable } from '@nestjs/common';
import { z } from 'zod';
import { Clock } from '../runtime/clock.js';
import { randomAlphanumeric } from '../crypto/random.js';
import { json, type IamResponse } from '../http/iam-response.js';
import type { AuthenticatedUser } from '../http/authenticated-user.js';
import type { IamRequest } from '../http/iam-request.js';
import { IamUrls } from '../http/iam-urls.service.js';
import { parseInput } from '../http/zod.pipe.js';
import { IamError } from '../errors/iam.error.js';
import { IdentityProviders } from '../identity-providers/identity-providers.service.js';
import type { IdentityProvider } from '../identity-providers/identity-provider.js';
import { chooseMethod, type LoginMethod } from '../identity-providers/method-choice.js';
import { CodeExchange, redirectAppOf } from '../sign-in/code-exchange.service.js';
import { AttemptCookies } from './attempt-cookies.service.js';
import { Clients } from './clients.service.js';

/** How a signed-in user starts to link another identity in a browser. */
export const linkStartBody = z.object({
  provider: z.string().min(1).max(63),
  method: z.enum(['auto', 'open', 'mp', 'follow']).default('auto'),
  redirect_uri: z.string().max(2048),
  /** Comes back with the answer. */
  state: z.string().max(1024).optional(),
});

/** Where the browser goes. */
export const linkStartResponse = z.object({ authorize_uri: z.url() });

/**
 * `POST /me/identities/authorize`: as `/authorize`, for somebody who is signed in. What the callback will do is sealed into
 * the cookie: link to this user, as long as this session lives. No other browser has the cookie, so nobody can finish it
 * elsewhere or have it finished by somebody else.
 */
@Injectable()
export class LinkStart {
  constructor(
    private readonly clients: Clients,
    private readonly providers: IdentityProviders,
    private readonly codes: CodeExchange,
    private readonly cookies: AttemptCookies,
    private readonly urls: IamUrls,
    private readonly clock: Clock,
  ) {}

  /** The address is WeChat's, or that of our own page where a PC is to follow. */
  async start(request: IamRequest, user: AuthenticatedUser): Promise<IamResponse> {
    const asked = parseInput(linkStartBody, request.body);
    const { clientId, redirectUri } = this.clients.checkRedirect(user.clientId, asked.redirect_uri);
    const provider = await this.providers.getEnabled(asked.provider);
    const { method, appid } = this.choose(provider, request, asked.method);
    const state = randomAlphanumeric(43);
    const cookies = this.cookies.start(
      {
        state,
        provider: provider.slug,
        method,
        appid,
        clientId,
        redirectUri,
        ...(asked.state !== undefined && { clientState: asked.state }),
        // Nobody knows its verifier: whatever becomes of this attempt, it never ends in tokens.
        codeChallenge: randomAlphanumeric(43),
        link: { userId: user.id, sessionId: user.sessionId },
        startedAt: this.clock.now(),
      },
      request.cookies,
    );
    const lang = request.language === 'en' ? 'en' : 'zh_CN';
    const authorize_uri =
      method === 'follow'
        ? this.urls.endpoint(`follow?state=${state}`)
        : this.codes.authorizeUrl(redirectAppOf(provider, { method, appid }), { state, lang });
    return { ...json({ authorize_uri }), cookies };
  }

  private choose(
    provider: IdentityProvider,
    { browser }: IamRequest,
    method: z.infer<typeof linkStartBody>['method'],
  ): { readonly method: LoginMethod; readonly appid: string } {
    const chosen = chooseMethod(provider, browser, { method, hasFollowed: false });
    if (typeof chosen !== 'string')
      throw new IamError(chosen.problem, `provider "${provider.slug}", method ${method}`);
    const app = provider[chosen === 'open' ? 'open' : 'mp'];
    if (app === null) throw new IamError('provider_misconfigured', `no pair for ${chosen}`);
    return { method: chosen, appid: app.appid };
  }
}
