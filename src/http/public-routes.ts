const closed = new WeakSet<object>();

/**
 * From now on `IamGuard` admits this request to no `@Public()` route. Those of the admin API are public for the global guard
 * alone, which leaves them to theirs; that must not become anybody's admission when a guard of the host asks `IamGuard`.
 */
export function closePublicRoutes(request: object): void {
  closed.add(request);
}

/** True after `closePublicRoutes`. */
export function arePublicRoutesClosed(request: object): boolean {
  return closed.has(request);
}
