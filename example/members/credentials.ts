import { z } from 'zod';

/** What a member types to sign in. */
export const credentials = z.object({
  login: z.string().trim().min(1).max(64),
  password: z.string().min(1).max(256),
});

/** See `credentials`. */
export type Credentials = Readonly<z.infer<typeof credentials>>;
