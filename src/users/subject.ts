import { z } from 'zod';

/** What WeChat proved of a person: the one normal form in which every flow hands a sign-in to `Users`. */
export const subjectSchema = z.object({
  /** Slug of the provider row. */
  provider: z.string(),
  appKind: z.enum(['open', 'mp', 'mini', 'mobile']),
  appid: z.string(),
  openid: z.string(),
  /** The Open Platform account within which `unionid` means something. */
  unionScope: z.string(),
  unionid: z.string().nullable(),
  /** Null when the profile was not read this time. */
  profile: z.object({ nickname: z.string().nullable(), avatarUrl: z.string().nullable() }).nullable(),
});

/** See `subjectSchema`. */
export type Subject = Readonly<z.infer<typeof subjectSchema>>;
