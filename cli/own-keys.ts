import type { Reencryption, SealingKeyUse } from '../src/keys/reencryption.service.js';
import { CommandError } from './errors.js';

/**
 * Stops before something is sealed with a key that the application does not have: keys none of which has sealed anything,
 * where others have, belong to another application. Keys of an empty database cannot be told apart.
 * @throws CommandError `wrong_key` that names keys by their ids
 */
export async function requireOwnKeys(reseal: Reencryption): Promise<void> {
  const uses = await reseal.use();
  const foreign = uses.filter((use) => isForeign(use));
  const isKnown = uses.some((use) => use.is_configured && countOf(use) > 0);
  if (foreign.length > 0 && !isKnown) throw wrongKeys(uses, foreign);
}

/** As `requireOwnKeys`, and that every signing key opens: without that the application does not start either. */
export async function requireSigningKeys(reseal: Reencryption): Promise<void> {
  const uses = await reseal.use();
  const foreign = uses.filter((use) => isForeign(use) && use.signing_keys > 0);
  if (foreign.length > 0) throw wrongKeys(uses, foreign);
}

function isForeign(use: SealingKeyUse): boolean {
  return use.key_id !== null && !use.is_configured && countOf(use) > 0;
}

function countOf({ provider_secrets, signing_keys, session_keys, subject_secrets }: SealingKeyUse): number {
  return provider_secrets + signing_keys + session_keys + subject_secrets;
}

function wrongKeys(uses: readonly SealingKeyUse[], foreign: readonly SealingKeyUse[]): CommandError {
  const idsOf = (some: readonly SealingKeyUse[]) => some.map(({ key_id }) => key_id).join(', ');
  const given = idsOf(uses.filter(({ is_configured }) => is_configured));
  return new CommandError(
    'wrong_key',
    `IAM_KEYS (${given}) are not the keys of this database, which were ${idsOf(foreign)} (first 8 hex digits of the SHA-256): give the option \`keys\` of your application. If those are lost for good, start the application first: its error says what to do`,
  );
}
