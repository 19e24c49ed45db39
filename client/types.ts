/** The signed-in user, as `GET /iam/me` says. */
export interface IamUser {
  readonly id: string;
  /** The id under which the host knows the user. */
  readonly external_id: string | null;
  readonly nickname: string | null;
  readonly avatar_url: string | null;
  /** With country code, verified by WeChat. */
  readonly phone_number: string | null;
  readonly phone_verified_at: string | null;
  /** When the account is erased, by its user's own wish. */
  readonly deletion_at: string | null;
  readonly created_at: string;
  readonly identities: readonly {
    readonly provider: string;
    readonly kind: string;
    readonly appid: string;
    readonly linked_at: string;
  }[];
  readonly roles: readonly string[];
}

/** Whether the body of `/me` is a user. */
export function isUser(body: unknown): body is IamUser {
  return typeof body === 'object' && body !== null && 'id' in body && 'identities' in body;
}

/** What the calling browser can use, as `GET /iam/providers` says. */
export interface ProviderOffer {
  readonly browser: 'wechat' | 'pc' | 'phone';
  readonly providers: readonly {
    readonly slug: string;
    readonly name: string;
    readonly methods: readonly string[];
    readonly recommended: string | null;
    readonly problem: { readonly code: string; readonly title: string } | null;
  }[];
}
