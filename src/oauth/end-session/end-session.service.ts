import { Inject, Injectable } from '@nestjs/common';
import { z } from 'zod';
import { IAM_OPTIONS, type ResolvedIamOptions } from '../../config/iam.resolved-options.js';
import { Sealer } from '../../crypto/sealer.js';
import { IamError } from '../../errors/iam.error.js';
import { ClientRegistry, type Client } from '../../http/client-registry.service.js';
import { quotableName } from '../../errors/unknown.js';
import type { IamRequest } from '../../http/iam-request.js';
import { redirect, type IamResponse } from '../../http/iam-response.js';
import { IamUrls } from '../../http/iam-urls.service.js';
import { isOwnForm } from '../../http/trusted-origins.service.js';
import { Clock } from '../../runtime/clock.js';
import { SessionCookies } from '../../sessions/session-cookies.service.js';
import { SessionRevocation } from '../../sessions/session-list.service.js';
import { BrowserSessions, type SignedInBrowser } from '../../sign-in/browser-sessions.service.js';
import { THINK_SECONDS } from '../../sign-in/page-cookies.service.js';
import { SignOut } from '../../sign-in/sign-out.service.js';
import { Profiles } from '../../users/profiles.service.js';
import { IdTokenHints } from '../openid/id-token-hints.service.js';
import { signOutEndPage, signOutQuestionPage } from './end-session-page.js';

/** What a client sends along (OpenID Connect RP-Initiated Logout 1.0 §2). */
export const endSessionParameters = z.object({
  id_token_hint: z
    .string()
    .max(8192)
    .optional()
    .meta({ description: 'An ID token of the person, also an expired one: without it the person is asked' }),
  client_id: z.string().max(128).optional(),
  post_logout_redirect_uri: z
    .string()
    .max(2048)
    .optional()
    .meta({ description: 'One of `post_logout_redirect_uris` of the client' }),
  state: z.string().max(1024).optional().meta({ description: 'Comes back with the person' }),
  /** Accepted and without effect. */
  logout_hint: z.string().max(1024).optional(),
  ui_locales: z.string().max(256).optional(),
  /** Of a page of ours: what a form of the client has brought. */
  wish: z.string().max(8192).optional(),
});

/** The form of our own page. */
export const endSessionDecision = z.object({
  /** Ours, with an address that the `state` of a client may have made long. */
  confirmation: z.string().max(16_384),
  decision: z.enum(['sign_out', 'stay']),
});

const wishSchema = z.object({
  /** Where the browser goes then, checked. */
  location: z.string().optional(),
  /** The person and session of an ID token that proves the wish. */
  userId: z.string().optional(),
  sessionId: z.string().optional(),
  until: z.number(),
});
type Wish = Readonly<z.infer<typeof wishSchema>>;

const REASON = 'signed_out';

/** RP-initiated logout: ends the session of the browser, once the person's wish is proven. */
@Injectable()
export class EndSession {
  private readonly sealer: Sealer;

  constructor(
    @Inject(IAM_OPTIONS) private readonly options: ResolvedIamOptions,
    private readonly registry: ClientRegistry,
    private readonly hints: IdTokenHints,
    private readonly browsers: BrowserSessions,
    private readonly signOut: SignOut,
    private readonly sessionCookies: SessionCookies,
    private readonly revocation: SessionRevocation,
    private readonly profiles: Profiles,
    private readonly urls: IamUrls,
    private readonly clock: Clock,
  ) {
    this.sealer = new Sealer(options.keyRing, 'end-session');
  }

  /**
   * A client's form, which another site has sent, so that browsers leave the cookie out: goes on with a navigation, which has it. The
   * ID token stays out of the address.
   */
  async takeForm(parameters: z.infer<typeof endSessionParameters>): Promise<IamResponse> {
    const wish = await this.wishOf(parameters);
    const { ui_locales: locales } = parameters;
    const query = new URLSearchParams({
      wish: this.sealer.seal(JSON.stringify(wish), 'wish'),
      ...(locales !== undefined && { ui_locales: locales }),
    });
    return redirect(`${this.urls.path('end_session')}?${query.toString()}`, 303);
  }

  /** Signs out at once where an ID token proves the wish; else asks the person who is signed in in this browser, if there is one. */
  async end(parameters: z.infer<typeof endSessionParameters>, request: IamRequest): Promise<IamResponse> {
    const wish = await this.wishOf(parameters);
    const browser = await this.browsers.findNotEnded(request.cookies);
    const isProven =
      wish.userId === undefined
        ? browser === null && this.sessionCookies.findAccessToken(request) === null
        : browser === null || (await this.hints.isSamePerson(wish.userId, browser.userId));
    return isProven ? this.finish(wish, browser, request) : this.ask(wish, browser, request);
  }

  /** Takes the decision of the person. @throws IamError `origin_forbidden` for a form that is not of this browser's session */
  async decide(
    { confirmation, decision }: z.infer<typeof endSessionDecision>,
    request: IamRequest,
  ): Promise<IamResponse> {
    const browser = this.browsers.find(request.cookies);
    const wish = this.open(confirmation, contextOf(browser));
    if (wish === null || !isOwnForm(request, this.options))
      throw new IamError('origin_forbidden', 'not the form of this browser');
    if (decision === 'stay') return signOutEndPage(request.language, 'kept');
    const response = await this.finish(wish, browser, request);
    const ofCookies = await this.sessionCookies.findSessionId(request);
    if (ofCookies === null) return response;
    await this.revocation.end(ofCookies, REASON);
    return { ...response, cookies: [...response.cookies, ...this.sessionCookies.clear()] };
  }

  /** Everything is checked before anything may redirect. @throws IamError `invalid_request`, `client_unknown`, `redirect_uri_mismatch` */
  private async wishOf(parameters: z.infer<typeof endSessionParameters>): Promise<Wish> {
    const { id_token_hint: token, client_id: named, wish: earlier } = parameters;
    if (earlier !== undefined) return this.requireOwn(earlier);
    const hint = token === undefined ? null : await this.hints.verify(token);
    if (hint !== null && named !== undefined && !hint.audience.includes(named))
      throw new IamError('invalid_request', 'id_token_hint: of another client than client_id');
    const client = this.findClient(named ?? hint?.audience[0]);
    const location = locationOf(client, parameters);
    return {
      ...(location !== null && { location }),
      ...(hint !== null && { userId: hint.userId, sessionId: hint.sessionId }),
      until: this.clock.now() + THINK_SECONDS * 1000,
    };
  }

  private findClient(id: string | undefined): Client | null {
    if (id === undefined) return null;
    const client = this.registry.find(id);
    if (client === undefined) throw new IamError('client_unknown', 'no client with this client_id');
    return client;
  }

  private requireOwn(sealed: string): Wish {
    const wish = this.open(sealed, 'wish');
    if (wish === null) throw new IamError('invalid_request', 'wish: not ours, or too old');
    return wish;
  }

  private open(sealed: string, context: string): Wish | null {
    const wish = this.sealer.openJson(sealed, context, wishSchema);
    return wish !== null && wish.until > this.clock.now() ? wish : null;
  }

  private async ask(
    { location, until }: Wish,
    browser: SignedInBrowser | null,
    { language, cookies }: IamRequest,
  ): Promise<IamResponse> {
    // An ID token of another person proves nothing here, also once this one agrees.
    const asked: Wish = { ...(location !== undefined && { location }), until };
    return signOutQuestionPage({
      language,
      siteName: this.options.siteName,
      nickname: browser && quotableName(await this.profiles.findNickname(browser.userId)),
      action: this.urls.path('end_session/decision'),
      confirmation: this.sealer.seal(JSON.stringify(asked), contextOf(this.browsers.find(cookies))),
    });
  }

  /** The session of the ID token ends where the browser has none of its own, too: its cookies may be blocked. */
  private async finish(
    { location, userId, sessionId }: Wish,
    browser: SignedInBrowser | null,
    request: IamRequest,
  ): Promise<IamResponse> {
    const owner = browser?.userId ?? userId;
    const which = { browserId: browser?.id, sessionId };
    const ended = owner === undefined ? [] : await this.signOut.ofBrowser(owner, which, REASON);
    const gone = ended.flatMap((id) => this.sessionCookies.clearOf(id, request));
    const cookies = [this.browsers.clear(), ...gone];
    if (location !== undefined) return redirect(location, 303, cookies);
    return { ...signOutEndPage(request.language, 'signed_out'), cookies };
  }
}

function contextOf(browser: SignedInBrowser | null): string {
  return browser === null ? 'confirm' : `confirm/${browser.id}/${browser.generation}`;
}

/** Null without a `post_logout_redirect_uri`. @throws IamError `invalid_request`, `redirect_uri_mismatch` */
function locationOf(
  client: Client | null,
  { post_logout_redirect_uri: uri, state }: z.infer<typeof endSessionParameters>,
): string | null {
  if (uri === undefined) return null;
  if (client === null)
    throw new IamError('invalid_request', 'post_logout_redirect_uri: without client_id or id_token_hint');
  if (!client.postLogoutRedirectUris.includes(uri))
    throw new IamError('redirect_uri_mismatch', `not a post-logout redirect URI of client "${client.id}"`);
  if (state === undefined) return uri;
  return `${uri}${uri.includes('?') ? '&' : '?'}${new URLSearchParams({ state }).toString()}`;
}
