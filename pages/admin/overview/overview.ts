/** `GET /admin/overview`. */
export interface Overview {
  readonly sign_ins: readonly {
    readonly method: string;
    readonly outcome: 'signed_in' | 'signed_up' | 'failed' | 'denied';
    readonly error: string | null;
    readonly day: number;
    readonly week: number;
  }[];
  readonly is_complete: boolean;
  /** Null: the administrator may not see it. */
  readonly health: Health | null;
}

/** The report of `IamHealth`. */
export interface Health {
  readonly status: 'up' | 'down';
  readonly problems: readonly string[];
  readonly remedy?: string;
  readonly missing?: readonly string[];
  readonly pending?: readonly string[];
  readonly inbox?: { readonly oldest_seconds: number | null; readonly dead: number };
  readonly audit?: { readonly oldest_seconds: number | null };
  readonly apps?: readonly { readonly appid: string; readonly code: string; readonly since: string }[];
  readonly qr_codes?: readonly { readonly appid: string; readonly used: number }[];
}
