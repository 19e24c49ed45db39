import { Module } from '@nestjs/common';
import { ProviderCheck } from '../../src/identity-providers/check/provider-check.service.js';
import { IdentityProvidersModule } from '../../src/identity-providers/identity-providers.module.js';
import { languageOf, languageOption, type Command, type Result } from '../command.js';
import { withIam } from '../open-iam.js';
import { visible } from '../output.js';

/** What the check needs. */
@Module({ imports: [IdentityProvidersModule] })
class ProviderCheckModule {}

type Check = Awaited<ReturnType<ProviderCheck['check']>>;

const marks = { ok: 'ok     ', warning: 'warning', error: 'ERROR  ', unknown: '?      ' } as const;

/** Asks WeChat whether a provider is set up so that people can sign in. */
export const providerCheckCommand: Command = {
  name: 'provider check',
  description: `Looks at an identity provider and asks WeChat about it: AppIDs and secrets, the IP whitelist, the permission to make QR
codes, and what is to be registered in WeChat's consoles. Run it on a server of your application, or WeChat judges
another address. ? stands for what only the console or a sign-in can tell. Exit code 1 when there is an ERROR.`,
  parameters: ['slug'],
  options: { lang: languageOption },
  variables: ['DATABASE_URL', 'IAM_KEYS', 'PUBLIC_URL', 'IAM_PATH', 'WECHAT_API_URL', 'LANG'],
  example: 'npx nestjs-wechat-iam provider check wechat --lang zh-CN',
  async run(call) {
    const { arguments: given, environment } = call;
    const [slug, language] = [given.get('slug'), languageOf(call)];
    const options = environment.options({ needsPublicUrl: true });
    return withIam(environment, { module: ProviderCheckModule, options }, async (iam) =>
      toResult(await iam.get(ProviderCheck).check(slug, language)),
    );
  },
};

function toResult({ ok, items }: Check): Result {
  const lines = items.flatMap(({ status, title, detail, remedy, where }) => [
    `${marks[status]}  ${title}`,
    `         ${visible(detail)}`,
    ...(remedy === null ? [] : [`         → ${visible(remedy)}${where === null ? '' : ` (${where})`}`]),
  ]);
  const problems = items.filter(({ status }) => status === 'error').length;
  const verdict = ok ? 'ok' : `${problems} ERROR`;
  return { json: { ok, items }, text: [...lines, verdict].join('\n'), foundProblems: !ok };
}
