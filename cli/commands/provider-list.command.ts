import {
  StoredProviders,
  type StoredProvider,
} from '../../src/identity-providers/stored-providers.service.js';
import type { Command, Result } from '../command.js';
import { withIam } from '../open-iam.js';
import { providerServices } from '../provider-services.js';
import { describeProblems, showProvider, type ShownProvider } from '../provider-view.js';
import { table } from '../table.js';

const PAGE = 200;

/** Shows every row; of secrets only whether they are set. */
export const providerListCommand: Command = {
  name: 'provider list',
  description:
    'Lists the identity providers, and what can be seen to be wrong without asking WeChat. Secrets are never shown.',
  parameters: [],
  options: {},
  variables: ['DATABASE_URL', 'IAM_KEYS', 'PUBLIC_URL', 'IAM_PATH'],
  example: 'npx nestjs-wechat-iam provider list',
  async run({ environment }) {
    const options = environment.options({ needsPublicUrl: false });
    return withIam(environment, { providers: providerServices, options }, async (iam) => {
      const stored = await listAll(iam.get(StoredProviders));
      return toResult(stored.map((each) => showProvider(each, iam, environment)));
    });
  },
};

async function listAll(providers: StoredProviders): Promise<StoredProvider[]> {
  const all: StoredProvider[] = [];
  for (let after: string | null = null; ; after = all.at(-1)?.row.slug ?? null) {
    const page = await providers.list({ after, limit: PAGE });
    all.push(...page);
    if (page.length < PAGE) return all;
  }
}

function toResult(providers: readonly ShownProvider[]): Result {
  const heading = ['slug', 'name', 'enabled', 'open', 'mp', 'mini', 'mobile', 'qr', 'sign-up'];
  const rows = providers.map(({ view }) => [
    view.slug,
    view.name,
    view.enabled,
    view.open_app_id,
    view.mp_app_id,
    view.mini_app_id,
    view.mobile_app_id,
    view.qr_enabled,
    view.sign_up,
  ]);
  const problems = providers.flatMap(({ view }) => describeProblems(view));
  const text = providers.length === 0 ? 'None yet: provider add makes one.' : table(heading, rows);
  return { json: { providers: providers.map(({ json }) => json) }, text: [text, ...problems].join('\n') };
}
