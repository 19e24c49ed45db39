/** What may be changed of an application. */
export interface ClientMembers {
  readonly name: string;
  readonly logo_uri: string | null;
  readonly client_uri: string | null;
  readonly enabled: boolean;
  readonly first_party: boolean;
  readonly redirect_uris: readonly string[];
  readonly post_logout_redirect_uris: readonly string[];
  readonly origins: readonly string[];
  readonly backchannel_logout_uri: string | null;
  readonly grants: readonly string[];
  /** Null: every one. */
  readonly scopes: readonly string[] | null;
  readonly resources: readonly string[];
  readonly providers: readonly string[];
  readonly tokens: string;
  readonly sso: boolean;
  readonly jwks: Readonly<Record<string, unknown>> | null;
  readonly jwks_uri: string | null;
  readonly roles: readonly string[];
  readonly subject_type: string;
  readonly sector_identifier_uri: string | null;
  readonly id_token_signed_response_alg: string;
  readonly access_token_signed_response_alg: string;
}

/** `GET /admin/clients/{id}`. `test/types` compares it with what the server sends. */
export interface Client extends Omit<ClientMembers, 'grants'> {
  readonly id: string;
  /** `code`: of the option `clients`. */
  readonly source: 'code' | 'database';
  readonly type: 'public' | 'confidential' | 'service';
  /** Null: every one. */
  readonly grants: readonly string[] | null;
  readonly has_secret: boolean;
  readonly has_previous_secret: boolean;
  readonly secret_created_at: string | null;
  readonly created_at: string | null;
  readonly updated_at: string | null;
}
