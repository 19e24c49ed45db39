/** What one key of the host's option `keys` has sealed. */
export interface SealingKeyUse {
  /** The first 8 hex digits of the key's SHA-256; null stands for secrets that nobody has sealed yet. */
  readonly keyId: string | null;
  /** Among the host's `keys` now. */
  readonly isConfigured: boolean;
  /** The first of them: what is sealed anew is sealed with it. */
  readonly isCurrent: boolean;
  /** Secrets of identity providers. */
  readonly providerSecrets: number;
  readonly signingKeys: number;
}

/** Counts seals by the key that made them; configured keys come first, in their order, also those that sealed nothing. */
export function countSeals(
  configured: readonly string[],
  seals: {
    readonly providerSecrets: readonly (string | null)[];
    readonly signingKeys: readonly (string | null)[];
  },
): SealingKeyUse[] {
  const ids = new Set<string | null>([...configured, ...seals.providerSecrets, ...seals.signingKeys]);
  return [...ids].map((keyId) => ({
    keyId,
    isConfigured: keyId !== null && configured.includes(keyId),
    isCurrent: keyId === configured[0],
    providerSecrets: seals.providerSecrets.filter((id) => id === keyId).length,
    signingKeys: seals.signingKeys.filter((id) => id === keyId).length,
  }));
}
