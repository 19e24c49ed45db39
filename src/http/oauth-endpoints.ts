const endpoints = ['token', 'revoke', 'device_authorization'] as const;

/** An endpoint whose errors are those of RFC 6749 §5.2. */
export type OAuthEndpoint = (typeof endpoints)[number];

/** The OAuth endpoint of a path below the module's own; null for any other. */
export function findOAuthEndpoint(path: string | null): OAuthEndpoint | null {
  return endpoints.find((endpoint) => endpoint === path) ?? null;
}
