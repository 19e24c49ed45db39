import { ProviderRows } from '../../src/identity-providers/provider-rows.service.js';
import { Reseal } from '../../src/keys/reseal.service.js';
import type { Command } from '../command.js';
import { UsageError } from '../errors.js';
import { requireOwnKeys } from '../key-services.js';
import { withIam } from '../open-iam.js';
import { providerOptions, refuseSecretOption } from '../provider-options.js';
import { readProviderRow } from '../provider-row.js';
import { providerServices } from '../provider-services.js';
import { describeProvider, showProvider } from '../provider-view.js';
import { sourceHelp } from '../secret-source.js';

/** Changes the columns that are given; the others stay. */
export const providerSetCommand: Command = {
  name: 'provider set',
  description: `Changes the columns given of an identity provider; it acts within 5 seconds on every replica. To change a Token,
EncodingAESKey or AppSecret that is in use, see provider rotate.

${sourceHelp}`,
  parameters: ['slug'],
  options: {
    ...providerOptions,
    clear: { value: 'COLUMN', summary: 'empty this column, e.g. mp_token_previous', repeated: true },
  },
  variables: ['DATABASE_URL', 'IAM_KEYS', 'PUBLIC_URL', 'IAM_PATH'],
  example: 'npx nestjs-wechat-iam provider set wechat --qr-enabled true --clear mp_token_previous',
  refuse: refuseSecretOption,
  async run(call) {
    const { environment } = call;
    const options = environment.options({ needsPublicUrl: false });
    const { slug, ...changes } = await readProviderRow(call);
    if (Object.keys(changes).length === 0) throw new UsageError('Nothing to change: give a column');
    return withIam(environment, { providers: providerServices, options }, async (iam) => {
      await requireOwnKeys(iam.get(Reseal));
      const stored = await iam.get(ProviderRows).change({ slug, version: null }, changes);
      const shown = showProvider(stored, iam, environment);
      return { json: shown.json, text: describeProvider(shown) };
    });
  },
};
