import { Post } from '@nestjs/common';
import { z } from 'zod';
import { providerErrors, wechatErrors } from '../errors/iam.error.js';
import { Endpoint } from '../http/endpoint.decorator.js';
import type { IamRequest } from '../http/iam-request.js';
import { empty, type IamResponse } from '../http/iam-response.js';
import { Incoming, Body } from '../http/parameter.decorators.js';
import { PublicController } from '../http/endpoint-responses.service.js';
import { OAuthPipe } from './request-parameters.js';
import { Introspection, introspectionBody, introspectionResponse } from './introspection.service.js';
import { PushedAuthorization, pushedBody, pushedResponse } from './pushed-authorization.service.js';
import { grantErrors, tokenBody } from './registration.js';
import { Revocation, revocationBody, Token } from './token.service.js';

/** RFC 6749 §5.1; a cookie client gets no tokens in the body. */
const tokenResponse = z.object({
  access_token: z.string().optional(),
  token_type: z.string(),
  expires_in: z.number(),
  refresh_token: z.string().optional(),
  scope: z.string().optional().meta({ description: 'What was granted, where the client asked for a scope' }),
  id_token: z.string().optional().meta({ description: 'With `openid` (OpenID Connect Core §2)' }),
});

/** The error codes of more than one grant. */
const tokenErrors = [
  'invalid_client',
  'client_disabled',
  'unauthorized_client',
  'rate_limited',
  'invalid_grant',
  'invalid_scope',
  'invalid_target',
  'unsupported_grant_type',
  'binding_required',
  'user_disabled',
  'session_limit_reached',
  'session_replaced',
  'sign_up_refused',
  'identity_conflict',
  'origin_forbidden',
  'access_denied',
  'code_already_used',
  'snapshot_user',
  'login_interrupted',
  ...providerErrors,
  'method_unavailable',
  'wechat_open_not_configured',
  'wechat_mp_not_configured',
  'wechat_code_invalid',
  ...wechatErrors,
  'wechat_user_restricted',
] as const;

/** The endpoints a client calls with a form or JSON body; errors are those of RFC 6749 §5.2. */
@PublicController()
export class TokenController {
  constructor(
    private readonly tokens: Token,
    private readonly revocation: Revocation,
    private readonly pushing: PushedAuthorization,
    private readonly introspection: Introspection,
  ) {}

  @Endpoint({
    summary: 'Tokens for a code, a refresh token, a device code or the code of an app (RFC 6749, RFC 8628)',
    body: tokenBody,
    bodyType: 'form',
    responses: { 200: tokenResponse },
    example: { access_token: 'eyJ…', token_type: 'Bearer', expires_in: 900, refresh_token: '1f2e…' },
    get errors() {
      return [...tokenErrors, ...grantErrors()];
    },
  })
  @Post('token')
  token(@Incoming() request: IamRequest): Promise<IamResponse> {
    return this.tokens.grant(request);
  }

  @Endpoint({
    summary: 'Ends the session of a refresh or access token (RFC 7009)',
    responses: { 200: null },
    errors: [
      'invalid_client',
      'invalid_grant',
      'invalid_scope',
      'unsupported_token_type',
      'origin_forbidden',
      'rate_limited',
    ],
  })
  @Post('revoke')
  async revoke(
    @Body(new OAuthPipe(revocationBody)) body: z.infer<typeof revocationBody>,
    @Incoming() request: IamRequest,
  ): Promise<IamResponse> {
    return { ...empty(200), cookies: await this.revocation.revoke(body, request) };
  }

  @Endpoint({
    summary: 'Takes an authorization request, for `/authorize` with the `request_uri` (RFC 9126)',
    body: pushedBody,
    bodyType: 'form',
    responses: { 201: pushedResponse },
    example: { request_uri: 'urn:ietf:params:oauth:request_uri:kzA0…', expires_in: 90 },
    errors: [
      'invalid_client',
      'client_disabled',
      'unauthorized_client',
      'redirect_uri_mismatch',
      'unsupported_response_type',
      'invalid_scope',
      'invalid_target',
      'rate_limited',
    ],
  })
  @Post('par')
  push(@Incoming() request: IamRequest): Promise<IamResponse> {
    return this.pushing.push(request);
  }

  @Endpoint({
    summary: 'Whether a token works now, for the application or API that it is of (RFC 7662)',
    responses: { 200: introspectionResponse },
    example: {
      active: true,
      token_type: 'Bearer',
      iss: 'https://app.example.com',
      sub: '0198c0de-0000-7000-8000-000000000001',
      aud: 'https://api.example.com/orders',
      client_id: 'shop',
      roles: ['clerk'],
      iat: 1769846400,
      exp: 1769847300,
      jti: '0c7f3f0e-7d3c-4c5b-9a64-2f1d2b1a9e77',
      auth_time: 1769846400,
    },
    errors: ['invalid_client', 'client_disabled', 'rate_limited'],
  })
  @Post('introspect')
  introspect(
    @Body(new OAuthPipe(introspectionBody)) body: z.infer<typeof introspectionBody>,
    @Incoming() request: IamRequest,
  ): Promise<z.infer<typeof introspectionResponse>> {
    return this.introspection.inspect(body, request);
  }
}
