import type { AuthenticatedUser } from '../http/authenticated-user.js';
import type { ActingSession } from './user-sessions.service.js';

/** Who acts on their own account, and in which session. */
export function actingSession({ id, sessionId }: AuthenticatedUser): ActingSession {
  return { userId: id, sessionId };
}
