import { z } from 'zod';
import { isPkceVerifier } from '../crypto/hash.js';
import { parseInput } from '../http/zod.pipe.js';
import { parseOAuthInput } from './oauth-input.js';
import { IamError } from '../errors/iam.error.js';

const client_id = z.string().min(1).max(128);

const authorizationCode = z.object({
  grant_type: z.literal('authorization_code'),
  client_id,
  code: z.string().min(1).max(512),
  redirect_uri: z.string().max(2048).optional(),
  code_verifier: z
    .string()
    .refine(isPkceVerifier, { error: '43 to 128 unreserved characters (RFC 7636 §4.1)' }),
});

const refreshToken = z.object({
  grant_type: z.literal('refresh_token'),
  client_id,
  /** A cookie client has it in its cookie. */
  refresh_token: z.string().min(1).max(512).optional(),
});

const deviceCode = z.object({
  grant_type: z.literal('urn:ietf:params:oauth:grant-type:device_code'),
  client_id,
  device_code: z.string().min(1).max(256),
});

/** RFC 6749 §4.5: a code that WeChat gave to an app of the row, which no browser carried. */
const appCode = { client_id, provider: z.string().min(1).max(63), code: z.string().min(1).max(512) };
const miniProgram = z.object({ grant_type: z.literal('urn:wechat:grant:mini_program'), ...appCode });
const mobileApp = z.object({ grant_type: z.literal('urn:wechat:grant:mobile_app'), ...appCode });

const grantType = z.object({ grant_type: z.string().min(1) });
/** The body of `POST /token`, by `grant_type`. */
export const tokenBody = z.discriminatedUnion('grant_type', [
  authorizationCode,
  refreshToken,
  deviceCode,
  miniProgram,
  mobileApp,
]);

/** A `/token` request of a grant that we have. */
export type TokenRequest = z.infer<typeof tokenBody>;

/** The grants, as the metadata names them. */
export const grantTypes: readonly string[] = tokenBody.options.map((option) => option.shape.grant_type.value);

/** @throws IamError `invalid_request` or `unsupported_grant_type` (RFC 6749 §5.2) */
export function parseTokenRequest(body: unknown): TokenRequest {
  const { grant_type } = parseOAuthInput(grantType, body);
  if (!grantTypes.includes(grant_type)) throw new IamError('unsupported_grant_type', 'not a grant of ours');
  return parseInput(tokenBody, body);
}
