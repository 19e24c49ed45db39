import { Inject, Injectable, type OnModuleInit } from '@nestjs/common';
import { z } from 'zod';
import {
  IAM_OPTIONS,
  type ResolvedIamOptions,
  type ResolvedIamResource,
} from '../config/iam.resolved-options.js';
import { signingAlgorithms } from '../http/client-registry.service.js';
import { IamUrls } from '../http/iam-urls.service.js';
import { pathOf, RESOURCE_METADATA, Resources } from '../http/resources.service.js';
import { RootDocuments } from '../http/root-documents.service.js';
import { ecJwk, rsaJwk } from '../sessions/signing-key.js';
import { SigningKeys } from '../sessions/signing-keys.service.js';
import { clientAlgorithms } from './clients/client-keys.service.js';
import { supportedClaims, supportedScopes } from './openid/scopes.js';
import { WECHAT_ACR } from './openid/id-tokens.service.js';
import { TokenGrants } from './registration.js';
import { prompts } from './authorize-request.js';

const published = { kid: z.string(), use: z.literal('sig') };

/** RFC 7517. */
export const jwksResponse = z.object({
  keys: z.array(
    z.union([
      ecJwk.extend({ ...published, alg: z.literal('ES256') }),
      rsaJwk.extend({ ...published, alg: z.literal('RS256') }),
    ]),
  ),
});

/** RFC 8414 §2 and OpenID Connect Discovery §3: one document, which each standard looks for under a name of its own. */
export const metadataResponse = z.object({
  issuer: z.url(),
  authorization_endpoint: z.url(),
  token_endpoint: z.url(),
  userinfo_endpoint: z.url(),
  device_authorization_endpoint: z.url(),
  revocation_endpoint: z.url(),
  pushed_authorization_request_endpoint: z.url(),
  end_session_endpoint: z.url(),
  introspection_endpoint: z.url(),
  jwks_uri: z.url(),
  scopes_supported: z.array(z.string()),
  response_types_supported: z.array(z.string()),
  response_modes_supported: z.array(z.string()),
  grant_types_supported: z.array(z.string()),
  code_challenge_methods_supported: z.array(z.string()),
  token_endpoint_auth_methods_supported: z.array(z.string()),
  token_endpoint_auth_signing_alg_values_supported: z.array(z.string()),
  revocation_endpoint_auth_methods_supported: z.array(z.string()),
  revocation_endpoint_auth_signing_alg_values_supported: z.array(z.string()),
  introspection_endpoint_auth_methods_supported: z.array(z.string()),
  introspection_endpoint_auth_signing_alg_values_supported: z.array(z.string()),
  authorization_response_iss_parameter_supported: z.boolean(),
  ui_locales_supported: z.array(z.string()),
  prompt_values_supported: z.array(z.string()),
  backchannel_logout_supported: z.boolean(),
  backchannel_logout_session_supported: z.boolean(),
  subject_types_supported: z.array(z.string()),
  id_token_signing_alg_values_supported: z.array(z.string()),
  acr_values_supported: z.array(z.string()),
  claims_supported: z.array(z.string()),
  claims_parameter_supported: z.boolean(),
  request_parameter_supported: z.boolean(),
  request_uri_parameter_supported: z.boolean(),
});

/** What an ID token says beyond the person. */
const tokenClaims = ['iss', 'aud', 'exp', 'iat', 'auth_time', 'nonce', 'amr', 'acr', 'at_hash', 'sid'];

/** How an application proves itself. */
const proofs = ['client_secret_basic', 'client_secret_post', 'private_key_jwt'] as const;
const authenticationMethods = ['none', ...proofs] as const;

/** With RFC 9207's `iss` parameter. */
function metadataOf(
  issuer: string,
  endpoint: (path: string) => string,
  grant_types_supported: string[],
): z.infer<typeof metadataResponse> {
  return {
    issuer,
    authorization_endpoint: endpoint('authorize'),
    token_endpoint: endpoint('token'),
    userinfo_endpoint: endpoint('userinfo'),
    device_authorization_endpoint: endpoint('device_authorization'),
    revocation_endpoint: endpoint('revoke'),
    pushed_authorization_request_endpoint: endpoint('par'),
    end_session_endpoint: endpoint('end_session'),
    introspection_endpoint: endpoint('introspect'),
    jwks_uri: endpoint('jwks'),
    scopes_supported: [...supportedScopes],
    response_types_supported: ['code'],
    response_modes_supported: ['query'],
    grant_types_supported,
    code_challenge_methods_supported: ['S256'],
    token_endpoint_auth_methods_supported: [...authenticationMethods],
    token_endpoint_auth_signing_alg_values_supported: [...clientAlgorithms],
    revocation_endpoint_auth_methods_supported: [...authenticationMethods],
    revocation_endpoint_auth_signing_alg_values_supported: [...clientAlgorithms],
    introspection_endpoint_auth_methods_supported: [...proofs],
    introspection_endpoint_auth_signing_alg_values_supported: [...clientAlgorithms],
    authorization_response_iss_parameter_supported: true,
    ui_locales_supported: ['zh-CN', 'en'],
    prompt_values_supported: [...prompts],
    backchannel_logout_supported: true,
    backchannel_logout_session_supported: true,
    subject_types_supported: ['public', 'pairwise'],
    id_token_signing_alg_values_supported: [...signingAlgorithms],
    acr_values_supported: [WECHAT_ACR],
    claims_supported: [...tokenClaims, ...supportedClaims],
    claims_parameter_supported: false,
    request_parameter_supported: false,
    request_uri_parameter_supported: false,
  };
}

const exampleSite = 'https://app.example.com';

/** The metadata of a host at `https://app.example.com`. */
export const metadataExample = metadataOf(exampleSite, (path) => `${exampleSite}/iam/${path}`, [
  'authorization_code',
  'refresh_token',
]);

const ROOT_PATHS = ['/.well-known/oauth-authorization-server', '/.well-known/openid-configuration'];

/**
 * Authorization server metadata (RFC 8414, OpenID Connect Discovery), that of our resources (RFC 9728), and public keys (RFC 7517).
 */
@Injectable()
export class Metadata implements OnModuleInit {
  constructor(
    @Inject(IAM_OPTIONS) private readonly options: ResolvedIamOptions,
    private readonly urls: IamUrls,
    private readonly keys: SigningKeys,
    private readonly grants: TokenGrants,
    private readonly documents: RootDocuments,
    private readonly resources: Resources,
  ) {}

  onModuleInit(): void {
    for (const path of ROOT_PATHS) this.documents.serve(path, () => this.serverMetadata());
    for (const resource of this.resources.own)
      this.documents.serve(`${RESOURCE_METADATA}${pathOf(resource)}`, () => this.resourceMetadata(resource));
  }

  serverMetadata(): z.infer<typeof metadataResponse> {
    const endpoint = (path: string) => this.urls.endpoint(path);
    return metadataOf(this.options.publicUrl, endpoint, this.grants.types());
  }

  async jwks() {
    return { keys: await this.keys.publicJwks() };
  }

  /** RFC 9728 §2. */
  private resourceMetadata({ identifier: resource, name, scopes }: ResolvedIamResource) {
    return {
      resource,
      authorization_servers: [this.options.publicUrl],
      bearer_methods_supported: ['header'],
      ...(scopes.length > 0 && { scopes_supported: scopes }),
      ...(name !== undefined && { resource_name: name }),
    };
  }
}
