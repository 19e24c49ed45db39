/** What may be changed of an application. */
export interface ClientMembers {
  readonly name: string;
  readonly logo_uri: string | null;
  readonly client_uri: string | null;
  readonly enabled: boolean;
  readonly redirect_uris: readonly string[];
  readonly origins: readonly string[];
  readonly grants: readonly string[];
  readonly providers: readonly string[];
  readonly tokens: string;
}

/** `GET /admin/clients/{id}`. `test/types` compares it with what the server sends. */
export interface Client extends Omit<ClientMembers, 'grants'> {
  readonly id: string;
  /** `code`: of the option `clients`. */
  readonly source: 'code' | 'database';
  readonly type: 'public' | 'confidential';
  /** Null: every one. */
  readonly grants: readonly string[] | null;
  readonly has_secret: boolean;
  readonly has_previous_secret: boolean;
  readonly secret_created_at: string | null;
  readonly created_at: string | null;
  readonly updated_at: string | null;
}
