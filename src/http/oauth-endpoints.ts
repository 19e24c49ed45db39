/** Endpoints whose errors are those of RFC 6749 §5.2. */
export const oauthEndpoints: ReadonlySet<string> = new Set(['token', 'revoke', 'device_authorization']);
