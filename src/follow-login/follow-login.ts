import { z } from 'zod';
import type { IdentityProvider } from '../identity-providers/identity-provider.js';
import type { ActingSession } from '../sessions/user-sessions.service.js';
import type { LoginStatus } from '../sign-in/login.entity.js';

/** A device authorization as its row stands; `is_live` is the database's clock speaking. */
export const followLoginRow = z.object({
  id: z.string(),
  status: z.custom<LoginStatus>((value) => typeof value === 'string'),
  error: z.string().nullable(),
  provider: z.string(),
  appid: z.string(),
  openid: z.string().nullable(),
  client_id: z.string(),
  redirect_uri: z.string().nullable(),
  code_challenge: z.string().nullable(),
  attempt_hash: z.string().nullable(),
  user_id: z.string().nullable(),
  link_session_id: z.string().nullable(),
  linked_identity_id: z.string().nullable(),
  user_code: z.string().nullable(),
  user_code_hash: z.string().nullable(),
  confirmation: z.enum(['tap', 'number', 'none']).nullable(),
  number_tries: z.number(),
  ip: z.string().nullable(),
  user_agent: z.string().nullable(),
  created_at: z.date(),
  is_live: z.boolean(),
});

/** See `followLoginRow`. */
export type FollowLogin = Readonly<z.infer<typeof followLoginRow>>;

/** What a waiting browser is told; `done` means that another request has collected the sign-in already. */
export type FollowState = 'pending' | 'scanned' | 'confirmed' | 'denied' | 'expired' | 'failed' | 'done';

/** What the phone must do after a scan. */
export type Confirmation = IdentityProvider['qr']['confirmation'];

/**
 * What the phone must do after a scan at this row. `none` holds for a sign-in alone: without a question, one scan would put
 * the scanner's WeChat into the account of somebody else, by a link or by the binding that `sign_up: bind` leads to.
 */
export function confirmationOf(
  { qr, signUp }: Pick<IdentityProvider, 'qr' | 'signUp'>,
  link: ActingSession | undefined,
): Confirmation {
  const connectsAccounts = link !== undefined || signUp === 'bind';
  return qr.confirmation === 'none' && connectsAccounts ? 'tap' : qr.confirmation;
}

/** Who links an identity by this scan, in which session; undefined for a sign-in. */
export function linkOf({
  user_id: userId,
  link_session_id: sessionId,
}: Pick<FollowLogin, 'user_id' | 'link_session_id'>): ActingSession | undefined {
  return userId === null || sessionId === null ? undefined : { userId, sessionId };
}

/** The state of a login for its browser. Expiry is not written anywhere: it is read from the clock. */
export function followStateOf({ status, is_live }: Pick<FollowLogin, 'status' | 'is_live'>): FollowState {
  switch (status) {
    case 'denied':
    case 'failed':
    case 'expired':
      return status;
    case 'consumed':
    case 'binding':
      return 'done';
    case 'authenticated':
    case 'confirmed':
      return is_live ? 'confirmed' : 'expired';
    case 'pending':
    case 'scanned':
      return is_live ? status : 'expired';
  }
}
