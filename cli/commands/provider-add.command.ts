import { ProviderRows } from '../../src/identity-providers/provider-rows.service.js';
import { Reseal } from '../../src/keys/reseal.service.js';
import type { Command } from '../command.js';
import { requireOwnKeys } from '../key-services.js';
import { withIam } from '../open-iam.js';
import { providerOptions, refuseSecretOption } from '../provider-options.js';
import { readProviderRow } from '../provider-row.js';
import { providerServices } from '../provider-services.js';
import { describeProvider, showProvider } from '../provider-view.js';
import { sourceHelp } from '../secret-source.js';

/** Makes a row; a slug that is taken is refused. */
export const providerAddCommand: Command = {
  name: 'provider add',
  description: `Creates an identity provider; it acts within 5 seconds on every replica. The columns are explained in the README
("Provider columns").

${sourceHelp}`,
  parameters: ['slug'],
  options: providerOptions,
  variables: ['DATABASE_URL', 'IAM_KEYS', 'PUBLIC_URL', 'IAM_PATH'],
  example: `npx nestjs-wechat-iam provider add wechat --mp-app-id wx0123456789abcdef --mp-app-secret-from -
npx nestjs-wechat-iam provider add wechat --from row.json`,
  refuse: refuseSecretOption,
  async run(call) {
    const { environment } = call;
    const options = environment.options({ needsPublicUrl: false });
    const row = await readProviderRow(call);
    return withIam(environment, { providers: providerServices, options }, async (iam) => {
      await requireOwnKeys(iam.get(Reseal));
      const shown = showProvider(await iam.get(ProviderRows).create(row), iam, environment);
      return { json: shown.json, text: describeProvider(shown) };
    });
  },
};
