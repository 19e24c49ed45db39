import type { OAuthEndpoint, EndpointDescription } from '../http/endpoint.decorator.js';

/** Who may call a route. */
export type Access = 'everybody' | 'users' | 'administrators';

/** What a route says of itself, and what its place in a controller says of it. */
export interface RouteDescription extends EndpointDescription {
  readonly access: Access;
  /** RFC 6749 §5.2 or RFC 9457. */
  /** The OAuth endpoint that it is, whose errors are those of RFC 6749 §5.2; null for any other route. */
  readonly oauthEndpoint: OAuthEndpoint | null;
  /** People navigate here, so that an error may be a page. */
  readonly isNavigation: boolean;
}
