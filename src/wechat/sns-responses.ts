import { z } from 'zod';

/** Ids are opaque printable ASCII; WeChat's are 28 characters long, but no document promises a length. */
export const openid = z.string().regex(/^[\x21-\x7e]{1,128}$/);

/** Absent for an app outside any Open Platform account; some answers say so by an empty text. */
export const unionid = z
  .string()
  .regex(/^[\x21-\x7e]{0,64}$/)
  .transform((id) => (id === '' ? undefined : id))
  .optional();

const token = z.string().regex(/^[\x21-\x7e]{1,2048}$/);

/** Anything but a clear "no" is a snapshot: its ids are virtual and must never become a user. */
const snapshot = z
  .unknown()
  .optional()
  .transform((flag) => flag !== undefined && flag !== null && flag !== 0 && flag !== '0' && flag !== false);

/** `/sns/oauth2/access_token` and `/sns/oauth2/refresh_token`. */
export const grantResponse = z.object({
  openid,
  unionid,
  access_token: token,
  refresh_token: token,
  expires_in: z.number().int().positive(),
  scope: z.string().max(1024).default(''),
  is_snapshotuser: snapshot,
});

export type GrantResponse = z.output<typeof grantResponse>;

const userinfoResponse = z.object({
  openid,
  unionid,
  nickname: z.unknown().optional(),
  headimgurl: z.unknown().optional(),
});

/**
 * `/sns/userinfo` about the person of the grant and nobody else. Nickname and avatar are texts to clean, not to trust,
 * and never make a sign-in fail.
 */
export function userinfoAnswerOf(grant: { readonly openid: string; readonly unionid: string | null }) {
  return userinfoResponse
    .refine((answer) => answer.openid === grant.openid, { path: ['openid'] })
    .refine(({ unionid }) => grant.unionid === null || unionid === undefined || unionid === grant.unionid, {
      path: ['unionid'],
    });
}

/** `/sns/jscode2session`. */
export const sessionResponse = z.object({ openid, unionid, session_key: token });

/** An answer whose only news is that there is no errcode. */
export const plainResponse = z.object({});
