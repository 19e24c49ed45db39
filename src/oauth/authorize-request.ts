import { z } from 'zod';
import { pkceChallenge } from '../crypto/hash.js';
import { isStorable } from '../database/database-errors.js';
import { IamError, type IamErrorCode } from '../errors/iam.error.js';
import type { Client } from '../http/client-registry.service.js';
import { namesOf, type Parameters } from '../http/request-body.js';
import type { Consent } from '../users/subject.js';
import { parseOAuthInput, resourceParameter } from './request-parameters.js';
import { isOpenId } from './openid/scopes.js';
import { methodParameter } from './registration.js';

/** The page on which a person chooses how to sign in; `IamPagesModule` provides it. */
export interface SignInChooser {
  /** Its address for a request to `/authorize`, perhaps with the error of an earlier try. */
  location(parameters: Parameters, error?: IamErrorCode): string;
  /** What is in force and the person in this browser has agreed to on it, for the request with this code challenge alone. */
  findConsent(
    codeChallenge: string,
    cookies: Readonly<Record<string, string | undefined>>,
  ): Consent | undefined;
  /** Whether the documents of an earlier consent are those of now. */
  isInForce(consent: Consent): boolean;
  /** True: no request gets past it without that. */
  readonly requiresConsent: boolean;
}

/** Injection token of the `SignInChooser`, which an application may do without. */
export const SIGN_IN_CHOOSER = Symbol('SIGN_IN_CHOOSER');

/** The values of `prompt` (OpenID Connect Core 3.1.2.1). */
export const prompts = ['none', 'login', 'consent', 'select_account'] as const;

/** The query of `/authorize` beyond client and redirect URI, which are checked before anything may redirect. */
export const authorizeQuery = z.object({
  response_type: z.string().meta({ description: '`code`' }),
  response_mode: z.literal('query').optional(),
  /** Space-separated. Without it, a first-party client gets `profile`, `roles` and a refresh token. */
  scope: z.string().optional(),
  nonce: z
    .string()
    .max(512)
    .refine(isStorable, { error: 'contains NUL or half a character' })
    .optional()
    .meta({ description: 'Comes back in the ID token' }),
  provider: z.string().min(1).max(63).optional().meta({
    description: 'May be left out where one row works, or `IamPagesModule` has a page on which people choose',
  }),
  /** Goes through the sealed cookie, which a browser caps at 4096 bytes. */
  state: z.string().max(1024).optional(),
  code_challenge: z.string().regex(/^[\w-]{43}$/, { error: 'expected 43 base64url characters (S256)' }),
  code_challenge_method: z.literal('S256'),
  method: methodParameter,
  /** What a confirmed scan gave; needed for `method=open` while the QR code is enabled. */
  follow_proof: z.string().max(256).optional(),
  display: z
    .enum(['page', 'popup', 'touch', 'wap', 'widget'])
    .default('page')
    .meta({ description: '`widget` answers JSON; the others of OpenID Connect are as `page`' }),
  from: z
    .literal('chooser')
    .optional()
    .meta({ description: 'Sent by that page: a person whose sign-in fails returns to it' }),
  // Whether WeChat must be asked (OpenID Connect Core §3.1.2.1).
  prompt: z
    .string()
    .transform(namesOf)
    .pipe(z.array(z.enum(prompts)))
    .refine((words) => !words.includes('none') || words.length === 1, { error: 'none stands alone' })
    .optional()
    .meta({ description: '`none`, or some of `login`, `consent` and `select_account`' }),
  max_age: z
    .string()
    .regex(/^\d{1,9}$/, { error: 'a number of seconds' })
    .transform(Number)
    .optional()
    .meta({ description: 'The longest time, in seconds, since the person has signed in with WeChat' }),
  id_token_hint: z
    .string()
    .max(8192)
    .optional()
    .meta({ description: 'An ID token of the person whom the client means, also an expired one' }),
  /** Accepted and without effect: WeChat knows no names. */
  login_hint: z.string().max(1024).optional(),
  /** Accepted and without effect: a person has one name. */
  claims_locales: z.string().max(256).optional(),
  ui_locales: z
    .string()
    .max(256)
    .optional()
    .meta({ description: 'Languages of our pages by preference: `zh-CN`, `en`' }),
  resource: resourceParameter,
  /** Of a request that went over `POST /par`; no other parameter beside it is looked at, but `client_id`. */
  request_uri: z.string().max(256).optional(),
});

/** The parameters of `/authorize` beyond client and redirect URI. */
export type AuthorizeRequest = z.infer<typeof authorizeQuery>;

/** The parameters of `/authorize` as a client may send them: see `withChallenge`. */
export const sentAuthorizeQuery = authorizeQuery.partial({
  code_challenge: true,
  code_challenge_method: true,
});

/**
 * A server that knows no PKCE is protected by its `nonce` instead (RFC 9700 §4.5.3.2): the nonce counts as the verifier, and the
 * client's own proof as that it has it. See `challengeSql` in redemption-statements.ts.
 */
export function withChallenge(query: Parameters, { type }: Client): Parameters {
  const { nonce, scope, code_challenge: challenge } = query;
  if (type === 'public' || challenge !== undefined || typeof nonce !== 'string' || nonce === '') return query;
  if (typeof scope !== 'string' || !isOpenId(scope)) return query;
  return { ...query, code_challenge: pkceChallenge(nonce), code_challenge_method: 'S256' };
}

/** @throws IamError `unsupported_response_type`, `request_not_supported` or `invalid_request`; PKCE with S256 is required (RFC 9700 §2.1.1), see `withChallenge` */
export function parseAuthorizeRequest(query: Parameters): AuthorizeRequest {
  if (typeof query['response_type'] === 'string' && query['response_type'] !== 'code') {
    throw new IamError('unsupported_response_type', 'only response_type=code');
  }
  if (query['request'] !== undefined)
    throw new IamError('request_not_supported', 'a request object (OpenID Connect Core §6.1)');
  return parseOAuthInput(authorizeQuery, query);
}
