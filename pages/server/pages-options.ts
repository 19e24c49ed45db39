import { z } from 'zod';
import { parseOptions } from '../../src/config/iam.resolved-options.js';

/** A text in both languages of the pages, or one for both. */
export type LocalizedText = string | { readonly 'zh-CN': string; readonly en: string };

/** What `IamPagesModule.forRoot` takes. */
export interface IamPagesOptions {
  /**
   * Serves the administration at `<path>/ui/admin`.
   * @default false
   */
  readonly admin?: boolean;
  /**
   * Serves the account page of signed-in people at `<path>/ui/account`.
   * @default false
   */
  readonly account?: boolean;
  /**
   * The name of the site, 1 to 60 characters.
   * @default option `siteName` of IamModule
   */
  readonly siteName?: LocalizedText;
  /**
   * The picture beside it: an `https:` address, or a path of this origin such as `/logo.svg`.
   * @default none
   */
  readonly logo?: string;
  /**
   * The colour of buttons and links, as `#rrggbb`; white text on it must be readable (contrast of at least 4.5 to 1).
   * @default #0b7a4b
   */
  readonly accent?: string;
  /**
   * Where the terms of use stand: an `https:` address or a path of this origin. With it, or with `privacy`, people agree before
   * they choose how to sign in, and the audit log has the addresses: let a new version have a new one, e.g. `/terms?v=2`.
   * @default none
   */
  readonly terms?: LocalizedText;
  /**
   * Where the privacy policy stands, as `terms`.
   * @default none
   */
  readonly privacy?: LocalizedText;
  /**
   * Sends a sign-in that names its provider to the page for consent too. `false`: your own pages ask for it, and only people who are
   * sent to it agree there.
   * @default true
   */
  readonly requireConsent?: boolean;
}

const inBoth = <T extends z.ZodType<string, string>>(text: T, error: string) =>
  z
    .union([text, z.strictObject({ 'zh-CN': text, en: text })], { error })
    .transform((value) => (typeof value === 'string' ? { 'zh-CN': value, en: value } : value));

const name = z.string().trim().min(1).max(60);
const address = z.string().max(256).refine(isAddress);

const schema = z.strictObject({
  admin: z.boolean({ error: 'true or false' }).default(false),
  account: z.boolean({ error: 'true or false' }).default(false),
  siteName: inBoth(name, "a name of 1 to 60 characters, or one each for 'zh-CN' and en").optional(),
  logo: address.or(z.never({ error: 'an https: address, or a path such as /logo.svg' })).optional(),
  accent: z
    .string({ error: 'a colour as #rrggbb' })
    .regex(/^#[0-9a-f]{6}$/i, { error: 'a colour as #rrggbb', abort: true })
    .refine((colour) => contrastWithWhite(colour) >= 4.5, {
      error: 'a darker colour: white text on it needs a contrast of at least 4.5 to 1',
    })
    .default('#0b7a4b'),
  terms: inBoth(address, "an https: address or a path, or one each for 'zh-CN' and en").optional(),
  privacy: inBoth(address, "an https: address or a path, or one each for 'zh-CN' and en").optional(),
  requireConsent: z.boolean({ error: 'true or false' }).default(true),
});

/** `IamPagesOptions` with every default filled in. */
export type ResolvedPagesOptions = Readonly<z.output<typeof schema>>;

/** @throws TypeError that names the option and what was expected */
export function resolvePagesOptions(options: IamPagesOptions): ResolvedPagesOptions {
  return Object.freeze(parseOptions(schema, options, 'IamPagesModule'));
}

/** What the policy of the pages lets a browser load or open; `//host/…` would leave this origin. */
function isAddress(text: string): boolean {
  if (/^\/(?![/\\])[^\s\\]*$/.test(text)) return true;
  return URL.canParse(text) && new URL(text).protocol === 'https:';
}

/** WCAG 2.2, relative luminance. */
function contrastWithWhite(colour: string): number {
  const [red = 0, green = 0, blue = 0] = [1, 3, 5]
    .map((at) => parseInt(colour.slice(at, at + 2), 16) / 255)
    .map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4));
  return 1.05 / (0.2126 * red + 0.7152 * green + 0.0722 * blue + 0.05);
}
