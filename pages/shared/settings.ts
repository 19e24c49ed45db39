import type { Texts } from './language';

/** What the server tells the pages, in an attribute of the document. */
export interface Settings {
  readonly clientId: string;
  /** The origin at which people sign in. */
  readonly origin: string;
  /** The path of the API without a slash at the end: `/iam`, or `/api/iam` on a host with a global prefix. */
  readonly base: string;
  /** Which pages this site has. */
  readonly pages: { readonly admin: boolean; readonly account: boolean };
  readonly siteName: Texts;
  readonly logo?: string;
  readonly accent: string;
  readonly terms?: Texts;
  readonly privacy?: Texts;
}

/** Written by our own server, of the same version as this script. */
function read(): Settings {
  const content = document.querySelector('meta[name="iam-settings"]')?.getAttribute('content');
  // eslint-disable-next-line @typescript-eslint/no-unsafe-return
  return JSON.parse(content ?? '{}');
}

export const settings: Settings = read();
