import { z } from 'zod';
import { IamError } from '../errors/iam.error.js';
import { parseOAuthInput } from './oauth-input.js';
import type { Parameters } from '../http/iam-request.js';

/** The query of `/authorize` beyond client and redirect URI, which are checked before anything may redirect. */
export const authorizeQuery = z.object({
  response_type: z.string().meta({ description: '`code`' }),
  response_mode: z.literal('query').optional(),
  /** Space-separated; a first-party client gets all of them, asked or not. */
  scope: z.string().optional(),
  provider: z.string().min(1).max(63),
  /** Goes through the sealed cookie, which a browser caps at 4096 bytes. */
  state: z.string().max(1024).optional(),
  code_challenge: z.string().regex(/^[\w-]{43}$/, { error: 'expected 43 base64url characters (S256)' }),
  code_challenge_method: z.literal('S256'),
  method: z.enum(['auto', 'open', 'mp', 'follow']).default('auto'),
  /** What a confirmed scan gave; needed for `method=open` while the QR code is enabled. */
  follow_proof: z.string().max(256).optional(),
  display: z.enum(['page', 'widget']).default('page'),
});

/** The parameters of `/authorize` beyond client and redirect URI. */
export type AuthorizeRequest = z.infer<typeof authorizeQuery>;

/** @throws IamError `unsupported_response_type` or `invalid_request`; PKCE with S256 is required (RFC 9700 §2.1.1) */
export function parseAuthorizeRequest(query: Parameters): AuthorizeRequest {
  if (typeof query['response_type'] === 'string' && query['response_type'] !== 'code') {
    throw new IamError('unsupported_response_type', 'only response_type=code');
  }
  return parseOAuthInput(authorizeQuery, query);
}
