import { ProviderCheck } from '../../src/admin/provider-check.service.js';
import type { Language } from '../../src/http/language.js';
import type { Call, Command, Result } from '../command.js';
import { UsageError } from '../errors.js';
import { withIam } from '../open-iam.js';
import { checkServices } from '../provider-services.js';
import { visible } from '../visible-text.js';

type Check = Awaited<ReturnType<ProviderCheck['run']>>;

const marks = { ok: 'ok     ', warning: 'warning', error: 'ERROR  ', unknown: '?      ' } as const;

/** Asks WeChat whether a provider is set up so that people can sign in. */
export const providerCheckCommand: Command = {
  name: 'provider check',
  description: `Looks at an identity provider and asks WeChat about it: AppIDs and secrets, the IP whitelist, the permission to make QR
codes, and what is to be registered in WeChat's consoles. Run it on a server of your application, or WeChat judges
another address. ? stands for what only the console or a sign-in can tell. Exit code 1 when there is an ERROR.`,
  parameters: ['slug'],
  options: { lang: { value: 'zh-CN|en', summary: 'the language of the findings (default by LANG)' } },
  variables: ['DATABASE_URL', 'IAM_KEYS', 'PUBLIC_URL', 'IAM_PATH', 'WECHAT_API_URL', 'LANG'],
  example: 'npx nestjs-wechat-iam provider check wechat --lang zh-CN',
  async run(call) {
    const { arguments: given, environment } = call;
    const [slug, language] = [given.get('slug'), languageOf(call)];
    const options = environment.options({ needsPublicUrl: true });
    return withIam(environment, { providers: checkServices, options }, async (iam) =>
      toResult(await iam.get(ProviderCheck).run(slug, language)),
    );
  },
};

function languageOf({ arguments: given, environment }: Call): Language {
  const asked = given.value('lang');
  if (asked !== undefined && !/^(zh|en)\b/i.test(asked)) throw new UsageError('--lang: expected zh-CN or en');
  const set = environment.read('LC_ALL') ?? environment.read('LC_MESSAGES') ?? environment.read('LANG');
  return /^zh/i.test(asked ?? set ?? '') ? 'zh' : 'en';
}

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
