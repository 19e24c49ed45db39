/** The columns of a provider row that the API shows. `test/types` compares these types with what the server sends. */
export interface ProviderColumns {
  readonly name: string;
  readonly enabled: boolean;
  readonly sign_up: string;
  readonly open_app_id: string | null;
  readonly mp_app_id: string | null;
  readonly mp_scope: string;
  readonly mp_message_mode: string;
  readonly qr_enabled: boolean;
  readonly qr_with: string;
  readonly qr_login_with: string;
  readonly qr_confirmation: string;
  readonly mini_app_id: string | null;
  readonly mini_session_keys: boolean;
  readonly mini_approval_page: string | null;
  readonly mini_link: string;
  readonly mobile_app_id: string | null;
  readonly union_scope: string | null;
}

/** A column that the API shows. */
export type PlainColumn = keyof ProviderColumns;

export const secretColumns = [
  'open_app_secret',
  'mp_app_secret',
  'mp_token',
  'mp_token_previous',
  'mp_encoding_aes_key',
  'mp_encoding_aes_key_previous',
  'mini_app_secret',
  'mobile_app_secret',
] as const;

/** A column of which the API shows only whether it is set. */
export type SecretColumn = (typeof secretColumns)[number];

/** The Token and the EncodingAESKey: WeChat's console holds them too, so a change of them has two sides. */
export type SharedSecret = 'mp_token' | 'mp_encoding_aes_key';

export type CheckStatus = 'ok' | 'warning' | 'error' | 'unknown';

/** An item of the check, in the language of the request. */
export interface CheckItem {
  readonly id: string;
  readonly status: CheckStatus;
  readonly title: string;
  readonly detail: string;
  readonly remedy: string | null;
  readonly where: string | null;
  readonly facts: Readonly<Record<string, string>>;
}

export interface CheckResult {
  readonly ok: boolean;
  readonly items: readonly CheckItem[];
}

/** `GET /admin/providers/{slug}`. */
export interface Provider extends ProviderColumns {
  readonly id: string;
  readonly slug: string;
  readonly union_scope_in_force: string;
  readonly secrets: Readonly<Record<SecretColumn, boolean>>;
  readonly callback_url: string;
  readonly callback_domain: string;
  readonly webhook_url: string;
  /** What the row alone shows, without asking WeChat. */
  readonly problems: readonly CheckItem[];
  readonly created_at: string;
  readonly updated_at: string;
  readonly etag: string;
}

/** `POST /admin/providers/{slug}/rotate`. */
export interface Rotation {
  readonly value?: string | undefined;
  readonly provider: Provider;
}
