import { Get, Param, Post } from '@nestjs/common';
import { z } from 'zod';
import { errorTexts } from '../errors/iam.error-texts.js';
import { errorCatalogue, type IamErrorCode, providerErrors } from '../errors/iam.error.js';
import { RequireRecentSignIn } from '../http/access-policy.decorator.js';
import { Endpoint } from '../http/endpoint.decorator.js';
import type { IamRequest } from '../http/iam-request.js';
import { json, redirect, type IamResponse } from '../http/iam-response.js';
import type { AuthenticatedPerson } from '../http/authenticated-user.js';
import { Incoming, CurrentUser, Body, FormLikePipe } from '../http/parameter.decorators.js';
import { IdentityProviders } from '../identity-providers/identity-providers.service.js';
import { UserController } from '../sessions/iam.guard.js';
import { PublicController } from '../http/endpoint-responses.service.js';
import { CrossDeviceSessions } from '../sign-in/cross-device-sessions.service.js';
import { sentAuthorizeQuery } from './authorize-request.js';
import { Authorize, linkStartBody } from './authorize.service.js';
import { Callback } from './callback.service.js';
import { Clients } from './clients/clients.service.js';
import { jwksResponse, Metadata, metadataExample, metadataResponse } from './metadata.service.js';
import { methodName, SignInMethods } from './registration.js';

const code = z.custom<IamErrorCode>((value) => typeof value === 'string' && value in errorCatalogue);

const providersQuery = z.object({
  client_id: z.string().optional().meta({ description: 'Only those through which people may come to it' }),
});

/** `GET /providers`. */
const providerListResponse = z.object({
  browser: z.enum(['wechat', 'pc', 'phone']),
  providers: z.array(
    z.object({
      slug: z.string(),
      name: z.string(),
      methods: z.array(methodName),
      recommended: methodName.nullable(),
      problem: z.object({ code, title: z.string() }).nullable(),
    }),
  ),
});

const expires_in = z
  .number()
  .int()
  .meta({ description: 'Seconds until the attempt ends: ask again and show a new QR code before' });

/** `GET /authorize?display=widget`: the options of WeChat's `new WxLogin({…})`; of a QR code of our own page what `POST /follow` takes. */
const widgetResponse = z.union([
  z.object({
    appid: z.string(),
    scope: z.literal('snsapi_login'),
    redirect_uri: z.string(),
    state: z.string(),
    expires_in,
  }),
  z.object({ state: z.string(), expires_in }),
]);

const client = { client_id: z.string(), redirect_uri: z.url() };

/** The endpoints a browser navigates to, and what front-ends read before they start. */
@PublicController()
export class OAuthController {
  constructor(
    private readonly rows: IdentityProviders,
    private readonly methods: SignInMethods,
    private readonly authorize: Authorize,
    private readonly callback: Callback,
    private readonly metadata: Metadata,
    private readonly clients: Clients,
  ) {}

  @Endpoint({
    summary: 'Enabled providers, and what the calling browser can use',
    query: providersQuery,
    responses: { 200: providerListResponse },
    example: {
      browser: 'pc',
      providers: [{ slug: 'wechat', name: '微信', methods: ['open'], recommended: 'open', problem: null }],
    },
  })
  @Get('providers')
  async providers(@Incoming() { browser, language, query }: IamRequest): Promise<IamResponse> {
    const enabled = await this.rows.listEnabled();
    const offered = enabled.filter(({ slug }) => this.clients.admits(query['client_id'], slug));
    const providers = offered.map((provider) => {
      const { problem, ...offer } = this.methods.offer(provider, browser);
      const { slug, name } = provider;
      const title = problem === null ? null : { code: problem, title: errorTexts[problem][language] };
      return { slug, name, ...offer, problem: title };
    });
    return json({ browser: browser.kind, providers }, 200, { Vary: 'User-Agent, Accept-Language' });
  }

  @Endpoint({
    summary:
      'Starts a sign-in (RFC 6749 §4.1.1 with PKCE): goes to WeChat, or shows a QR code of our own page',
    query: sentAuthorizeQuery.extend(client),
    responses: { 200: [widgetResponse, 'text/html'], 302: null, 303: null },
    example: {
      appid: 'wx0000000000000001',
      scope: 'snsapi_login',
      redirect_uri: 'https%3A%2F%2Fapp.example.com%2Fiam%2Fcallback%2Fwechat',
      state: 'kzA0…',
      expires_in: 600,
    },
    errors: [
      'client_unknown',
      'client_disabled',
      'unauthorized_client',
      'redirect_uri_mismatch',
      'invalid_request_uri',
      'unsupported_response_type',
      'request_not_supported',
      'invalid_scope',
      'invalid_target',
      ...providerErrors,
      'browser_unsupported',
      'method_unavailable',
      'follow_required',
      'consent_required',
      'login_required',
      'interaction_required',
      'rate_limited',
      'wechat_open_not_configured',
      'wechat_mp_not_configured',
    ],
  })
  @Get('authorize')
  start(@Incoming() request: IamRequest): Promise<IamResponse> {
    return this.authorize.start(request);
  }

  @Endpoint({
    summary: 'As GET, with the parameters in a form (OpenID Connect Core §3.1.2.1): goes on to it',
    body: sentAuthorizeQuery.extend(client),
    bodyType: 'form',
    responses: { 303: null },
  })
  @Post('authorize')
  startByForm(@Incoming() { body }: IamRequest): IamResponse {
    return redirect(this.authorize.locationOf(body), 303);
  }

  @Endpoint({
    summary: 'Where WeChat returns: goes on to redirect_uri with a code or an error',
    path: { provider: 'Slug of the provider row' },
    query: z.object({ code: z.string().optional(), state: z.string().optional() }),
    responses: { 303: null },
    errors: ['state_mismatch', 'state_expired', 'login_interrupted', 'not_found'],
  })
  @Get('callback/:provider')
  finish(@Param('provider') slug: string, @Incoming() request: IamRequest): Promise<IamResponse> {
    return this.callback.finish(slug, request);
  }

  @Endpoint({
    summary: 'Public keys of access tokens and ID tokens (RFC 7517)',
    responses: { 200: jwksResponse },
    example: {
      keys: [
        { kty: 'EC', crv: 'P-256', x: '…', y: '…', kid: '…', alg: 'ES256', use: 'sig' },
        { kty: 'RSA', n: '…', e: 'AQAB', kid: '…', alg: 'RS256', use: 'sig' },
      ],
    },
  })
  @Get('jwks')
  jwks() {
    return this.metadata.jwks();
  }

  @Endpoint({
    summary: 'Authorization server metadata (RFC 8414)',
    responses: { 200: metadataResponse },
    example: metadataExample,
  })
  @Get('.well-known/oauth-authorization-server')
  serverMetadata() {
    return this.metadata.serverMetadata();
  }

  @Endpoint({
    summary: 'The same under the name by which OpenID Connect Discovery looks for it',
    responses: { 200: metadataResponse },
    example: metadataExample,
  })
  @Get('.well-known/openid-configuration')
  openidConfiguration() {
    return this.metadata.serverMetadata();
  }
}

/** Where the browser goes. */
const linkStartResponse = z.object({ authorize_uri: z.url() });

/** The redirect flow of a signed-in user; its callback is that of every sign-in. */
@UserController('me/identities')
export class LinkController {
  constructor(
    private readonly authorize: Authorize,
    private readonly crossDevice: CrossDeviceSessions,
  ) {}

  @Endpoint({
    summary: 'Starts to link another WeChat identity; the browser returns with `linked` or `error`',
    responses: { 200: linkStartResponse },
    example: {
      authorize_uri:
        'https://open.weixin.qq.com/connect/qrconnect?appid=wx0000000000000001&…#wechat_redirect',
    },
    errors: [
      'client_unknown',
      'client_disabled',
      'redirect_uri_mismatch',
      'insufficient_permissions',
      ...providerErrors,
      'method_unavailable',
      'browser_unsupported',
      'follow_required',
      'wechat_open_not_configured',
      'wechat_mp_not_configured',
    ],
  })
  @RequireRecentSignIn()
  @Post('authorize')
  async start(
    @Body(new FormLikePipe(linkStartBody)) body: z.infer<typeof linkStartBody>,
    @Incoming() request: IamRequest,
    @CurrentUser() user: AuthenticatedPerson,
  ): Promise<IamResponse> {
    await this.crossDevice.requireForLink(user);
    return this.authorize.startLink(body, request, user);
  }
}
