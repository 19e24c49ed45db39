import { toSealingKeyView, toSigningKeyView } from '../../src/admin/key-answers.js';
import { Reseal } from '../../src/keys/reseal.service.js';
import { KeyRotation } from '../../src/sessions/key-rotation.service.js';
import type { Command } from '../command.js';
import { keyServices } from '../key-services.js';
import { withIam } from '../open-iam.js';
import { table } from '../table.js';

/** Shows which keys sign and which have sealed what; never a key itself. */
export const keysListCommand: Command = {
  name: 'keys list',
  description: `Lists the keys that sign access tokens, and how much each sealing key holds. A sealing key is named by the first 8 hex
digits of its SHA-256. One that is not configured and holds something is missing in IAM_KEYS; one that is not the first
and holds nothing can be taken away.`,
  parameters: [],
  options: {},
  variables: ['DATABASE_URL', 'IAM_KEYS'],
  example: 'npx nestjs-wechat-iam keys list',
  async run({ environment }) {
    const options = environment.options({ needsPublicUrl: false });
    return withIam(environment, { providers: keyServices, options }, async (iam) => {
      const signing = (await iam.get(KeyRotation).list()).map(toSigningKeyView);
      const sealing = (await iam.get(Reseal).use()).map(toSealingKeyView);
      return {
        json: { signing_keys: signing, sealing_keys: sealing },
        text: `Signing keys\n${signingTable(signing)}\n\nSealing keys\n${sealingTable(sealing)}`,
      };
    });
  },
};

function signingTable(keys: readonly ReturnType<typeof toSigningKeyView>[]): string {
  if (keys.length === 0) return 'none yet: the application makes the first one when it starts';
  return table(
    ['kid', 'state', 'signs from', 'verifies until'],
    keys.map(({ kid, state, active_at, retires_at }) => [kid, state, active_at, retires_at]),
  );
}

function sealingTable(keys: readonly ReturnType<typeof toSealingKeyView>[]): string {
  return table(
    ['key', 'in IAM_KEYS', 'seals', 'provider secrets', 'signing keys'],
    keys.map((key) => [
      key.key_id ?? 'plain:',
      key.is_configured,
      key.is_current,
      key.provider_secrets,
      key.signing_keys,
    ]),
  );
}
