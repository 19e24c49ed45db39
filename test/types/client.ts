import type { z } from 'zod';
import type { IamUser, ProviderOffer } from '../../client/types.js';
import type { profile } from '../../src/users/profiles.service.js';

/** Compiled and never run: what the clients of front-ends say of a response is what the server says. */

type Said = z.infer<typeof profile> & { roles: string[] };

export const asTheServerSays: (said: Said) => IamUser = (said) => said;

/** Every member of the server's is one of the client's, and the other way round. */
export const nameOfServer = (name: keyof IamUser): keyof Said => name;
export const nameOfClient = (name: keyof Said): keyof IamUser => name;

export const recommended = ({ providers }: ProviderOffer): string | null | undefined =>
  providers[0]?.recommended;

// @ts-expect-error a user has no openid: it stays on the server
export const openid = (user: IamUser): unknown => user.openid;
