/** The bearer of a valid access token, as `@CurrentUser()` gives it. */
export interface AuthenticatedUser {
  /** The user's id (`sub`). */
  readonly id: string;
  /** The session (`sid`). */
  readonly sessionId: string;
  /** The front-end the token was issued to (`client_id`). */
  readonly clientId: string;
  readonly roles: readonly string[];
  /** How the session began: `open`, `mp`, `follow`, `mini` or `mobile`. */
  readonly method: string;
  /** When the person signed in; refreshing changes nothing of it. */
  readonly signedInAt: Date;
}

const users = new WeakMap<object, AuthenticatedUser>();

/** Notes who made a request; kept beside the request, so that a host's own `request.user` stays what it was. */
export function setAuthenticatedUser(request: object, user: AuthenticatedUser): void {
  users.set(request, user);
}

/** Who made a request; null when no guard of ours admitted it. */
export function findAuthenticatedUser(request: object): AuthenticatedUser | null {
  return users.get(request) ?? null;
}
