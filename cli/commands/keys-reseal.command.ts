import { toResealView } from '../../src/admin/key-answers.js';
import { Reseal, type ResealReport } from '../../src/keys/reseal.service.js';
import type { Command, Result } from '../command.js';
import { keyServices, requireOwnKeys } from '../key-services.js';
import { withIam } from '../open-iam.js';

/** Lets an old sealing key be taken away. */
export const keysResealCommand: Command = {
  name: 'keys reseal',
  description: `Seals every provider secret and signing key anew with the first of IAM_KEYS, row by row, beside running
applications: stopped in the middle, what is done stays done. IAM_KEYS must be what every replica has already
(keys: [new, old]). Exit code 1 when something is left that IAM_KEYS does not open.`,
  parameters: [],
  options: {},
  variables: ['DATABASE_URL', 'IAM_KEYS'],
  example: 'IAM_KEYS=$NEW,$OLD npx nestjs-wechat-iam keys reseal',
  async run({ environment, progress }) {
    const options = environment.options({ needsPublicUrl: false });
    return withIam(environment, { providers: keyServices, options }, async (iam) => {
      const reseal = iam.get(Reseal);
      await requireOwnKeys(reseal);
      const report = await reseal.run(({ done, total }) => {
        if (done % 100 === 0 || done === total) progress(`${done} of ${total}`);
      });
      return toResult(report);
    });
  },
};

function toResult(report: ResealReport): Result {
  const { providerSecrets, signingKeys, left } = report;
  const rest =
    left === 0
      ? 'Nothing else is sealed with another key.'
      : `${left} are left that IAM_KEYS does not open: see keys list.`;
  return {
    json: toResealView(report),
    text: `Sealed anew: ${providerSecrets} provider secrets, ${signingKeys} signing keys. ${rest}`,
    foundProblems: left > 0,
  };
}
