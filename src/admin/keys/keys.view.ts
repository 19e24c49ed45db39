import { z } from 'zod';
import type { ReencryptionReport, SealingKeyUse } from '../../keys/reencryption.service.js';
import type { ListedSigningKey } from '../../sessions/key-rotation.service.js';

const MAX_LEAD_SECONDS = 7 * 86_400;

const signingKey = z.object({
  kid: z.string(),
  state: z.enum(['next', 'signing', 'verifying', 'retired']),
  created_at: z.iso.datetime(),
  active_at: z.iso.datetime(),
  retires_at: z.iso.datetime().nullable(),
});

const sealingKey = z.object({
  key_id: z.string().nullable(),
  is_configured: z.boolean(),
  is_current: z.boolean(),
  provider_secrets: z.int(),
  signing_keys: z.int(),
});

/** Signing keys, the newest first, and how much each sealing key still holds; never a key itself. */
export const keysResponse = z.object({
  signing_keys: z.array(signingKey),
  sealing_keys: z.array(sealingKey),
});

/** Seconds until the new key signs; 0 in an emergency. */
export const rotateBody = z.strictObject({ activate_in: z.int().min(0).max(MAX_LEAD_SECONDS).optional() });

/** The key that signs next, and whether this request created it. */
export const rotateResponse = signingKey.extend({ is_new: z.boolean() });

/** How many secrets were re-encrypted, and how many are left that the configured keys do not open. */
export const reencryptionResponse = z.object({
  provider_secrets: z.int(),
  signing_keys: z.int(),
  left: z.int(),
});

/** Field by field. */
export function toSigningKeyView(key: ListedSigningKey): z.infer<typeof signingKey> {
  return {
    kid: key.kid,
    state: key.state,
    created_at: key.created_at.toISOString(),
    active_at: key.active_at.toISOString(),
    retires_at: key.retires_at?.toISOString() ?? null,
  };
}

/** Field by field. */
export function toSealingKeyView(use: SealingKeyUse): z.infer<typeof sealingKey> {
  return {
    key_id: use.keyId,
    is_configured: use.isConfigured,
    is_current: use.isCurrent,
    provider_secrets: use.providerSecrets,
    signing_keys: use.signingKeys,
  };
}

/** Field by field. */
export function toReencryptionView(report: ReencryptionReport): z.infer<typeof reencryptionResponse> {
  return {
    provider_secrets: report.providerSecrets,
    signing_keys: report.signingKeys,
    left: report.left,
  };
}
