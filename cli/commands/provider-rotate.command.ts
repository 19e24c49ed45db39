import {
  identityProviderChanges,
  type IdentityProviderChanges,
} from '../../src/identity-providers/identity-provider.input.js';
import {
  isSharedSecret,
  newSharedSecret,
  rotatableSecrets,
  type RotatableSecret,
} from '../../src/identity-providers/provider-rotation.js';
import { ProviderRows } from '../../src/identity-providers/provider-rows.service.js';
import { Reseal } from '../../src/keys/reseal.service.js';
import type { Call, Command, Result } from '../command.js';
import { UsageError } from '../errors.js';
import { requireOwnKeys } from '../key-services.js';
import { nearestName } from '../nearest-name.js';
import { withIam } from '../open-iam.js';
import { providerServices } from '../provider-services.js';
import { showProvider, type ShownProvider } from '../provider-view.js';
import { readSecret, secretInArguments, SOURCE, sourceHelp } from '../secret-source.js';

/** Replaces a secret without a moment in which WeChat's messages are refused. */
export const providerRotateCommand: Command = {
  name: 'provider rotate',
  description: `Replaces a secret: ${rotatableSecrets.join(', ')}.
A Token or EncodingAESKey is generated and shown this once; the one before goes on working, until you have entered the
new one in WeChat's console and cleared it (provider set <slug> --clear mp_token_previous). An AppSecret is WeChat's to
choose: --from says where the new one is.

${sourceHelp}`,
  parameters: ['slug', 'column'],
  options: {
    from: {
      value: SOURCE,
      summary: 'where the new value is; left out, a Token or EncodingAESKey is generated',
    },
  },
  variables: ['DATABASE_URL', 'IAM_KEYS', 'PUBLIC_URL', 'IAM_PATH'],
  example: `npx nestjs-wechat-iam provider rotate wechat mp_token
npx nestjs-wechat-iam provider rotate wechat mp_app_secret --from env:NEW_SECRET`,
  refuse: (option) =>
    option === null || /secret|token|key|value/.test(option) ? secretInArguments('from') : null,
  async run(call) {
    const { arguments: given, environment } = call;
    const [slug, column] = [given.get('slug'), columnOf(given.get('column'))];
    const options = environment.options({ needsPublicUrl: false });
    const { value, isGenerated } = await valueFor(column, call);
    return withIam(environment, { providers: providerServices, options }, async (iam) => {
      await requireOwnKeys(iam.get(Reseal));
      const stored = await iam.get(ProviderRows).rotate({ slug, version: null }, column, value);
      return toResult(showProvider(stored, iam, environment), column, isGenerated ? value : null);
    });
  },
};

function columnOf(given: string): RotatableSecret {
  const named = given.replaceAll('-', '_');
  const column = rotatableSecrets.find((each) => each === named);
  if (column !== undefined) return column;
  const nearest = nearestName(named, rotatableSecrets);
  const hint = nearest === null ? `expected ${rotatableSecrets.join(', ')}` : `did you mean ${nearest}?`;
  throw new UsageError(`<column>: ${hint}`);
}

async function valueFor(column: RotatableSecret, call: Call) {
  const source = call.arguments.value('from');
  if (source !== undefined)
    return { value: checked(column, await readSecret(source, 'from', call)), isGenerated: false };
  if (!isSharedSecret(column))
    throw new UsageError(`${column} comes from WeChat: say where it is with --from`);
  return { value: newSharedSecret(column), isGenerated: true };
}

function checked(column: RotatableSecret, value: string): string {
  const changes: IdentityProviderChanges = { [column]: value };
  const result = identityProviderChanges.safeParse(changes);
  if (!result.success) throw new UsageError(`${column}: ${result.error.issues[0]?.message ?? 'not valid'}`);
  return result.data[column] ?? value;
}

function toResult(
  { json: provider, view }: ShownProvider,
  secret: RotatableSecret,
  generated: string | null,
): Result {
  if (generated === null)
    return { json: { secret, provider }, text: `${secret} of ${view.slug} is replaced.` };
  const console = "Enter it in WeChat's console (服务器配置)";
  const previous = `provider set ${view.slug} --clear ${secret}_previous`;
  return {
    json: { secret, value: generated, provider },
    text: `${generated}\n${console}, then: ${previous}`,
    isShownOnce: true,
  };
}
