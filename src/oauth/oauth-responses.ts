import { z } from 'zod';
import { errorCatalogue, type IamErrorCode } from '../errors/iam.error.js';
import { methodName } from './registration.js';

const code = z.custom<IamErrorCode>((value) => typeof value === 'string' && value in errorCatalogue);

/** `GET /providers`. */
export const providerListResponse = z.object({
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

/** `GET /authorize?display=widget`: the options of WeChat's `new WxLogin({…})`. */
export const widgetResponse = z.object({
  appid: z.string(),
  scope: z.literal('snsapi_login'),
  redirect_uri: z.string(),
  state: z.string(),
  expires_in: z
    .number()
    .int()
    .meta({ description: 'Seconds until the attempt ends: ask again and show a new QR code before' }),
});

/** RFC 7517. */
export const jwksResponse = z.object({
  keys: z.array(
    z.object({
      kty: z.literal('EC'),
      crv: z.string(),
      x: z.string(),
      y: z.string(),
      kid: z.string(),
      alg: z.literal('ES256'),
      use: z.literal('sig'),
    }),
  ),
});

/** RFC 8414 §2. */
export const metadataResponse = z.object({
  issuer: z.url(),
  authorization_endpoint: z.url(),
  token_endpoint: z.url(),
  device_authorization_endpoint: z.url(),
  revocation_endpoint: z.url(),
  jwks_uri: z.url(),
  scopes_supported: z.array(z.string()),
  response_types_supported: z.array(z.string()),
  response_modes_supported: z.array(z.string()),
  grant_types_supported: z.array(z.string()),
  code_challenge_methods_supported: z.array(z.string()),
  token_endpoint_auth_methods_supported: z.array(z.string()),
  revocation_endpoint_auth_methods_supported: z.array(z.string()),
  authorization_response_iss_parameter_supported: z.boolean(),
  ui_locales_supported: z.array(z.string()),
});

const iam = 'https://app.example.com/iam';

/** The metadata of a host at `https://app.example.com`. */
export const metadataExample: z.infer<typeof metadataResponse> = {
  issuer: 'https://app.example.com',
  authorization_endpoint: `${iam}/authorize`,
  token_endpoint: `${iam}/token`,
  device_authorization_endpoint: `${iam}/device_authorization`,
  revocation_endpoint: `${iam}/revoke`,
  jwks_uri: `${iam}/jwks`,
  scopes_supported: ['profile', 'roles', 'offline_access'],
  response_types_supported: ['code'],
  response_modes_supported: ['query'],
  grant_types_supported: ['authorization_code', 'refresh_token'],
  code_challenge_methods_supported: ['S256'],
  token_endpoint_auth_methods_supported: ['none'],
  revocation_endpoint_auth_methods_supported: ['none'],
  authorization_response_iss_parameter_supported: true,
  ui_locales_supported: ['zh-CN', 'en'],
};
