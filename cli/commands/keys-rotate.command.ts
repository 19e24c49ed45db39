import { toSigningKeyView } from '../../src/admin/key-answers.js';
import { Reseal } from '../../src/keys/reseal.service.js';
import { KeyRotation } from '../../src/sessions/key-rotation.service.js';
import type { Arguments } from '../arguments.js';
import type { Command, Result } from '../command.js';
import { UsageError } from '../errors.js';
import { keyServices, requireOwnKeys, requireSigningKeys } from '../key-services.js';
import { withIam } from '../open-iam.js';

const LONGEST = 604_800;

/** Publishes a new signing key, which takes over later. */
export const keysRotateCommand: Command = {
  name: 'keys rotate',
  description: `Makes a new key for signing access tokens. It is published at once and signs after --activate-in seconds, so that
whoever keeps the list of keys knows it by then; the old one goes when its last token has ended. Nobody is signed out.
Run again while a key waits, it only brings that one forward.`,
  parameters: [],
  options: {
    'activate-in': {
      value: 'SECONDS',
      summary:
        'until the new key signs (default 600); 0 in an emergency: others may refuse its tokens for a while',
    },
  },
  variables: ['DATABASE_URL', 'IAM_KEYS'],
  example: 'npx nestjs-wechat-iam keys rotate',
  async run({ arguments: given, environment }) {
    const activateIn = secondsOf(given);
    const options = environment.options({ needsPublicUrl: false });
    return withIam(environment, { providers: keyServices, options }, async (iam) => {
      await requireOwnKeys(iam.get(Reseal));
      await requireSigningKeys(iam.get(Reseal));
      const { key, isNew } = await iam
        .get(KeyRotation)
        .rotate(activateIn === undefined ? {} : { activateIn });
      return toResult(toSigningKeyView(key), isNew);
    });
  },
};

function secondsOf(given: Arguments): number | undefined {
  const text = given.value('activate-in');
  if (text === undefined) return undefined;
  if (!/^\d{1,6}$/.test(text) || Number(text) > LONGEST)
    throw new UsageError(`--activate-in: expected 0 to ${LONGEST} seconds`);
  return Number(text);
}

function toResult(key: ReturnType<typeof toSigningKeyView>, isNew: boolean): Result {
  const what = isNew ? 'New signing key' : 'A key was waiting already:';
  return { json: { ...key, is_new: isNew }, text: `${what} ${key.kid}, signs from ${key.active_at}` };
}
