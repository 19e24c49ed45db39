/** `test/types` compares these types with what the server sends. */
export interface ListedUser {
  readonly id: string;
  readonly external_id: string | null;
  readonly nickname: string | null;
  readonly avatar_url: string | null;
  readonly status: 'active' | 'disabled' | 'merged';
  readonly merged_into: string | null;
  readonly roles: readonly string[];
  readonly identity_count: number;
  readonly phone_number: string | null;
  readonly deletion_at: string | null;
  readonly last_sign_in_at: string | null;
  readonly created_at: string;
}

/** A WeChat account in one app, as it belongs to a user. */
export interface Identity {
  readonly id: string;
  readonly provider: string;
  readonly kind: string;
  readonly appid: string;
  readonly openid: string;
  readonly unionid: string | null;
  readonly union_scope: string;
  readonly follows: boolean | null;
  readonly profile_read_at: string | null;
  readonly withdrawn_at: string | null;
  readonly linked_at: string;
}

/** `GET /admin/users/{id}`. */
export interface User extends ListedUser {
  readonly nickname_by: 'wechat' | 'host' | 'user';
  readonly updated_at: string;
  readonly phone_verified_at: string | null;
  readonly phone_appid: string | null;
  readonly identities: readonly Identity[];
  readonly live_sessions: number;
}

/** One of `GET /admin/users/{id}/consents`. */
export interface Consent {
  readonly client_id: string;
  readonly name: string;
  readonly logo_uri: string | null;
  readonly client_uri: string | null;
  readonly scopes: readonly string[];
  readonly resources: readonly string[];
  readonly created_at: string;
  readonly updated_at: string;
}

/** `GET /admin/sessions`. */
export interface Session {
  readonly id: string;
  readonly user_id: string;
  readonly nickname: string | null;
  readonly client_id: string;
  readonly provider: string;
  readonly method: string;
  readonly ip: string | null;
  readonly user_agent: string | null;
  readonly live: boolean;
  readonly created_at: string;
  readonly last_used_at: string;
  readonly expires_at: string;
  readonly ended_at: string | null;
  readonly end_reason: string | null;
}
