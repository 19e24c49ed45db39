import { z } from 'zod';
import { SealError, type Sealer } from '../crypto/sealer.js';
import { sha256 } from '../crypto/hash.js';

/** What a browser must carry until WeChat answers. Nothing of it is stored here before the callback (design section 1, idea 3). */
export const attemptSchema = z.object({
  state: z.string(),
  provider: z.string(),
  /** The name of the method of signing in. */
  method: z.string(),
  /** The key pair in use is the one of the start, never derived again from the callback's User-Agent. */
  appid: z.string(),
  clientId: z.string(),
  redirectUri: z.string(),
  clientState: z.string().optional(),
  codeChallenge: z.string(),
  /** The confirmed scan that this Open Platform step goes on from. */
  followLoginId: z.string().optional(),
  /** The user who links another identity by this attempt, and the session in which they asked to. */
  link: z.object({ userId: z.string(), sessionId: z.string() }).optional(),
  /** Milliseconds since the epoch. */
  startedAt: z.number(),
});

/** See `attemptSchema`. */
export type Attempt = Readonly<z.infer<typeof attemptSchema>>;

/** The sealed form of an attempt, bound to its state. */
export function sealAttempt(sealer: Sealer, attempt: Attempt): string {
  return sealer.seal(JSON.stringify(attempt), attempt.state);
}

/** The attempt of a state; null when the text was not sealed by us for exactly this state. */
export function openAttempt(sealer: Sealer, sealed: string, state: string): Attempt | null {
  try {
    const json: unknown = JSON.parse(sealer.open(sealed, state));
    const attempt = attemptSchema.parse(json);
    return attempt.state === state ? attempt : null;
  } catch (error) {
    if (error instanceof SealError || error instanceof z.ZodError || error instanceof SyntaxError)
      return null;
    throw error;
  }
}

/** What a row keeps of an attempt's state. */
export function attemptHash(state: string): string {
  return sha256(state);
}

/** Distinguishes the cookies of attempts that wait side by side. */
export function attemptId(hash: string): string {
  return hash.slice(0, 16);
}
