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
  description: {
    en: `Looks at an identity provider and asks WeChat about it: AppIDs and secrets, the IP whitelist, the permission to make QR
codes, and what is to be registered in WeChat's consoles. Run it on a server of your application, or WeChat judges
another address. ? stands for what only the console or a sign-in can tell. Exit code 1 when there is an ERROR.`,
    zh: `检查一个身份源，并向微信核对：AppID 与密钥、IP 白名单、生成二维码的权限，以及要在微信后台登记的内容。
请在应用的服务器上运行，否则微信看到的是另一个地址。? 表示只有后台页面或一次登录才能知道。有 ERROR 时退出码为 1。`,
  },
  parameters: ['slug'],
  options: { lang: languageOption },
  variables: ['DATABASE_URL', 'IAM_KEYS', 'PUBLIC_URL', 'IAM_PATH', 'WECHAT_API_URL', 'WECHAT_PROXY', 'LANG'],
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
