import type { z } from 'zod';
import type { Client } from '../../pages/admin/clients/client-types.js';
import type { Provider } from '../../pages/admin/providers/provider-types.js';
import type { Consent, Identity, ListedUser, Session, User } from '../../pages/admin/users/user-types.js';
import type { givenConsent } from '../../src/oauth/consent/client-consents.service.js';
import type { ClientView } from '../../src/admin/clients/clients.view.js';
import type { ProviderView } from '../../src/admin/providers/providers.view.js';
import type { sessionList } from '../../src/sessions/session-list.service.js';
import type { DetailedUser, ListedUser as SaidOfListed } from '../../src/users/user-list.js';

/** Compiled and never run: each member that the administration reads of a response is one that the server sends. */

type SaidOfSession = z.infer<typeof sessionList.page>['items'][number];

export const ofClient = (name: keyof Client): keyof ClientView => name;
export const ofProvider = (name: keyof Provider): keyof ProviderView => name;
export const ofListed = (name: keyof ListedUser): keyof SaidOfListed => name;
export const ofUser = (name: keyof User): keyof DetailedUser | 'live_sessions' => name;
export const ofConsent = (name: keyof Consent): keyof z.infer<typeof givenConsent> => name;
export const ofIdentity = (name: keyof Identity): keyof DetailedUser['identities'][number] => name;
export const ofSession = (name: keyof Session): keyof SaidOfSession => name;

/** Where an answer is one of a few words, the page knows them. */
export const status = (said: SaidOfListed['status']): ListedUser['status'] => said;
export const author = (said: DetailedUser['nickname_by']): User['nickname_by'] => said;
