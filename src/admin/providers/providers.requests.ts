import { z } from 'zod';
import {
  identityProviderChanges,
  identityProviderInput,
  isSharedSecret,
  rotatableSecrets,
} from '../../identity-providers/provider-columns.js';
import { pageQuery } from '../page.js';
import { plainText } from '../../database/database-errors.js';

/** `GET /admin/providers`: sorted by slug. */
export const providerQuery = pageQuery.omit({ order: true }).extend({
  enabled: z.stringbool().optional().describe('Only those that are enabled, or that are not'),
  q: plainText(100).optional().describe('The beginning of a slug or name'),
});

/** `POST /admin/providers`. */
export const createProviderBody = identityProviderInput;

/** `PATCH /admin/providers/{slug}`: what is left out stays, null clears. */
export const updateProviderBody = identityProviderChanges;

/** `POST /admin/providers/{slug}/rotate`. */
export const rotateBody = z
  .strictObject({
    secret: z.enum(rotatableSecrets),
    value: z.string().optional().describe('Left out, a Token or EncodingAESKey is generated'),
  })
  .refine(({ secret, value }) => value !== undefined || isSharedSecret(secret), {
    path: ['value'],
    error: 'an AppSecret comes from WeChat',
  });
