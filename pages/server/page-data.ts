/** A text in each language of the pages. */
export type Texts = Readonly<Record<'zh-CN' | 'en', string>>;

/** What the scripts of every page read, from an attribute of the document. */
export interface Settings {
  readonly clientId: string;
  /** The origin at which people sign in. */
  readonly origin: string;
  /** The path of the API without a slash at the end: `/iam`, or `/api/iam` on a host with a global prefix. */
  readonly base: string;
  /** Which pages this site has. */
  readonly pages: { readonly admin: boolean; readonly account: boolean };
  readonly siteName: Texts;
  readonly logo?: string | undefined;
  readonly accent: string;
  readonly terms?: Texts | undefined;
  readonly privacy?: Texts | undefined;
}

/** What the chooser reads of the request that has led to it. */
export interface SignInRequest {
  /** Where people sign in; null: a part of the site without a name of its own. */
  readonly application: { readonly name: string; readonly logo: string | null } | null;
  /** Where the site of the client is: a person takes this address to another app. */
  readonly home: string;
  /** Returns to the client without a sign-in. */
  readonly back: string;
  /** Why the sign-in before this one failed. */
  readonly problem: { readonly code: string; readonly texts: Texts } | null;
  /** The person has agreed already, to this very request. */
  readonly isAgreed: boolean;
  /** The origin of WeChat's embedded QR code. */
  readonly wechat: string;
}
