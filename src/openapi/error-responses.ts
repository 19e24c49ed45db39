import { oauthErrorOf, oauthStatus } from '../http/error-responses.js';
import type { EndpointDescription, OAuthEndpoint } from '../http/endpoint.decorator.js';
import { errorCatalogue, type IamErrorCode } from '../errors/iam.error.js';
import { errorTexts } from '../errors/iam.error-texts.js';

/** Who may call a route. */
export type Access = 'everybody' | 'users' | 'administrators';

/** What a route says of itself, and what its place in a controller says of it. */
export interface RouteDescription extends EndpointDescription {
  readonly access: Access;
  /** Unique in the description. */
  readonly operationId: string;
  /** The OAuth endpoint that it is, whose errors are those of RFC 6749 §5.2; null for any other route. */
  readonly oauthEndpoint: OAuthEndpoint | null;
  /** People navigate here, so that an error may be a page. */
  readonly isNavigation: boolean;
}

interface ErrorResponse {
  readonly status: number;
  readonly content: Record<string, { schema: object; example?: object }>;
}

type Codes = readonly [IamErrorCode, ...IamErrorCode[]];

const anywhere: readonly IamErrorCode[] = ['invalid_request', 'database_unavailable', 'internal_error'];
const withBody: readonly IamErrorCode[] = [
  'payload_too_large',
  'request_too_slow',
  'content_encoding_unsupported',
];
const byAccess: Readonly<Record<Access, readonly IamErrorCode[]>> = {
  everybody: [],
  users: [
    'authentication_required',
    'invalid_token',
    'person_required',
    'first_party_required',
    'user_disabled',
    'origin_forbidden',
    'rate_limited',
  ],
  administrators: [
    'authentication_required',
    'invalid_token',
    'insufficient_permissions',
    'first_party_required',
    'origin_forbidden',
    'rate_limited',
  ],
};

/** Every error that a route may answer with, by HTTP status: RFC 6749 §5.2 where the route is OAuth's, else RFC 9457. */
export function errorResponses(route: RouteDescription): ErrorResponse[] {
  const codes = new Set([
    ...(route.errors ?? []),
    ...byAccess[route.access],
    ...(route.body === undefined ? [] : withBody),
    ...anywhere,
  ]);
  const { oauthEndpoint } = route;
  const byStatus = new Map<number, Codes>();
  for (const code of codes) {
    const status = oauthEndpoint !== null ? oauthStatus(code) : errorCatalogue[code].status;
    const [first = code, ...others] = byStatus.get(status) ?? [];
    byStatus.set(status, first === code ? [code] : [first, ...others, code]);
  }
  return [...byStatus]
    .sort(([a], [b]) => a - b)
    .map(([status, of]) => ({
      status,
      content: oauthEndpoint === null ? problems(status, of, route) : oauthErrors(of, oauthEndpoint),
    }));
}

function oauthErrors(codes: Codes, endpoint: OAuthEndpoint): ErrorResponse['content'] {
  const names = [...new Set(codes.map((code) => oauthErrorOf(code, endpoint)))];
  const schema = {
    type: 'object',
    required: ['error', 'error_description', 'code'],
    properties: {
      error: { type: 'string', enum: names },
      error_description: { type: 'string' },
      code: { type: 'string', enum: codes },
    },
  };
  const example = { error: names[0], error_description: errorTexts[codes[0]].en, code: codes[0] };
  return { 'application/json': { schema, example } };
}

const wrong = {
  type: 'string',
  description: 'Of `invalid_request`: the member of the body that is not valid, e.g. `redirect_uris.0`',
};

function problems(
  status: number,
  codes: Codes,
  { isNavigation, body }: RouteDescription,
): ErrorResponse['content'] {
  const schema = {
    type: 'object',
    required: ['type', 'title', 'status', 'code'],
    properties: {
      type: { type: 'string' },
      title: { type: 'string', description: 'Safe to show, in the language of the reader' },
      status: { type: 'integer' },
      code: { type: 'string', enum: codes },
      correlation_id: { type: 'string', description: 'Leads to the log' },
      ...(body !== undefined && codes.includes('invalid_request') && { member: wrong }),
    },
  };
  const example = { type: 'about:blank', title: errorTexts[codes[0]].en, status, code: codes[0] };
  return {
    'application/problem+json': { schema, example },
    ...(isNavigation && { 'text/html': { schema: { type: 'string' } } }),
  };
}
