import {
  factsOf,
  identityProviderInput,
  plainColumnNames,
  secretColumnNames,
  type PlainColumn,
  type SecretColumn,
} from '../../src/identity-providers/provider-columns.js';
import { checkTexts, code, table, type Language, type ReferencePage, type Text } from './markdown.js';

const slug: Text = {
  en: 'Name in URLs: lower-case letters, digits, `-`, `_`, at most 63; it cannot be changed',
  zh: 'URL 里的名称：小写字母、数字、`-`、`_`，最多 63 个；不能更改',
};

/** What the table of the columns does not say of a secret: it is never shown. */
const secrets: Readonly<Record<SecretColumn, Text>> = {
  open_app_secret: { en: 'AppSecret of the website app', zh: '网站应用的 AppSecret' },
  mp_app_secret: { en: 'AppSecret of the Official Account', zh: '服务号的 AppSecret' },
  mp_token: { en: 'Token of the server URL (服务器配置)', zh: '服务器配置的 Token' },
  mp_token_previous: {
    en: 'The Token before it: accepted while you change it',
    zh: '之前的 Token：更换期间仍然接受',
  },
  mp_encoding_aes_key: { en: 'EncodingAESKey of the server URL', zh: '服务器配置的 EncodingAESKey' },
  mp_encoding_aes_key_previous: {
    en: 'The EncodingAESKey before it: accepted while you change it',
    zh: '之前的 EncodingAESKey：更换期间仍然接受',
  },
  mini_app_secret: { en: 'AppSecret of the mini program', zh: '小程序的 AppSecret' },
  mobile_app_secret: { en: 'AppSecret of the mobile app', zh: '移动应用的 AppSecret' },
};

/** What a choice means, or what a column is for, where the line of the table is too short for it. */
const more: Partial<Record<PlainColumn, Text>> = {
  sign_up: {
    en: '[existing users](../existing-users.md)',
    zh: '[引入已有用户](../existing-users.zh-CN.md)',
  },
  open_app_id: { en: "WeChat's QR code on a PC", zh: '电脑上微信的二维码' },
  mp_app_id: { en: 'sign-in inside WeChat, and follow-to-login', zh: '微信内登录、关注登录' },
  mp_scope: {
    en: 'the silent one gives no profile and usually no `unionid`',
    zh: '静默没有资料，通常也没有 `unionid`',
  },
  mp_message_mode: {
    en: 'what the row says decides, never the request: [why `safe`](../guides/follow-to-login.md)',
    zh: '以这一行为准，绝不看请求：[为什么选 `safe`](../guides/follow-to-login.zh-CN.md)',
  },
  qr_with: {
    en: '`follow` takes the webhook, `page` only the Official Account, `mini` a page of the mini program',
    zh: '`follow` 需要消息推送，`page` 只需要公众号，`mini` 需要小程序里的一个页面',
  },
  qr_login_with: {
    en: 'with `qr_with = follow`: `mp` signs in at once, `open` goes on to the [Open Platform QR code](../guides/follow-to-login.md)',
    zh: '用于 `qr_with = follow`：`mp` 直接登录，`open` 接着扫[开放平台的二维码](../guides/follow-to-login.zh-CN.md)',
  },
  qr_confirmation: {
    en: '[which to choose](../guides/follow-to-login.md); `none` only with `qr_with = follow`',
    zh: '[怎么选](../guides/follow-to-login.zh-CN.md)；`none` 只用于 `qr_with = follow`',
  },
  mini_app_id: {
    en: 'the grant `mini_program`, and `WechatApi`',
    zh: '授权类型 `mini_program`，以及 `WechatApi`',
  },
  mini_session_keys: {
    en: '[what for](../guides/calling-wechat.md)',
    zh: '[用途](../guides/calling-wechat.zh-CN.md)',
  },
  mini_approval_page: {
    en: 'such as `pages/approve/approve`: no leading `/`, no query',
    zh: '例如 `pages/approve/approve`：不以 `/` 开头，没有参数',
  },
  mini_link: {
    en: '`scheme`: the page is declared as plain scheme in the console; not for individuals',
    zh: '`scheme`：该页面已在后台声明为明文 scheme；个人主体不能使用',
  },
  mobile_app_id: { en: 'the grant `mobile_app`', zh: '授权类型 `mobile_app`' },
};

/** The tables of the page: every column of the row stands in one. */
const groups: readonly (readonly [Text, readonly string[]])[] = [
  [{ en: 'The row', zh: '这一行' }, ['slug', 'name', 'enabled', 'sign_up', 'union_scope']],
  [{ en: 'Website app', zh: '网站应用' }, ['open_app_id', 'open_app_secret']],
  [
    { en: 'Official Account', zh: '公众号' },
    [
      'mp_app_id',
      'mp_app_secret',
      'mp_scope',
      'mp_token',
      'mp_token_previous',
      'mp_encoding_aes_key',
      'mp_encoding_aes_key_previous',
      'mp_message_mode',
    ],
  ],
  [
    { en: 'QR code on PCs', zh: '电脑上的二维码' },
    ['qr_enabled', 'qr_with', 'qr_login_with', 'qr_confirmation'],
  ],
  [
    { en: 'Mini program and mobile app', zh: '小程序和移动应用' },
    [
      'mini_app_id',
      'mini_app_secret',
      'mini_approval_page',
      'mini_link',
      'mini_session_keys',
      'mobile_app_id',
      'mobile_app_secret',
    ],
  ],
];

/** docs/reference/provider-columns.md */
export const providerColumnsPage: ReferencePage = {
  name: 'provider-columns',
  title: { en: 'Provider columns', zh: '身份源的列' },
  sources: ['src/identity-providers/provider-columns.ts', 'scripts/docs/provider-columns.ts'],
  intro: {
    en: `One row of \`iam.identity_providers\` is one WeChat set-up. [The first one](../guides/first-provider.md) needs a slug and one pair of
AppID and AppSecret. Secrets are sealed with AES-256-GCM, bound to row and column: a copied value does not open elsewhere.`,
    zh: `\`iam.identity_providers\` 的一行就是一套微信配置。[第一行](../guides/first-provider.zh-CN.md)只需要 slug 和一对 AppID、AppSecret。
密钥用 AES-256-GCM 加密，并绑定到行和列：复制到别处打不开。`,
  },
  body(language) {
    checkTexts(
      'columns of a provider row',
      Object.keys(identityProviderInput.shape),
      Object.fromEntries(groups.flatMap(([, names]) => names.map((name) => [name, true]))),
    );
    const head = { en: ['column', 'default', 'meaning'], zh: ['列', '默认值', '含义'] }[language];
    return groups
      .map(
        ([title, names]) =>
          `## ${title[language]}\n\n${table(
            head,
            names.map((name) => rowOf(name, language)),
          )}`,
      )
      .join('\n\n');
  },
};

function rowOf(name: string, language: Language): string[] {
  const [plain, secret] = [
    plainColumnNames.find((each) => each === name),
    secretColumnNames.find((each) => each === name),
  ];
  if (secret !== undefined) return [code(name), '–', secrets[secret][language]];
  if (plain === undefined) return [code(name), { en: 'required', zh: '必填' }[language], slug[language]];
  const { help, default: initial, options } = factsOf(plain);
  const stop = { en: '; ', zh: '；' }[language];
  const meaning = [help[language], more[plain]?.[language]].filter((text) => text !== undefined).join(stop);
  const choices = options === undefined ? '' : `${options.map(code).join(' | ')}\n`;
  const sentence = meaning.slice(0, 1).toUpperCase() + meaning.slice(1);
  return [code(name), initial === undefined ? '–' : code(String(initial)), choices + sentence];
}
