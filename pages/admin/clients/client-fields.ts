import { codeWords } from '../../shared/language';
import type { Client, ClientMembers } from './client-types';

/** What a control edits: a line, lines, a JSON document, a box, one of a few, or some of a few. */
type Control =
  | { readonly kind: 'text' | 'lines' | 'json' }
  /** What the box means where it is ticked, and where not. */
  | { readonly kind: 'box'; readonly on: string | boolean; readonly off: string | boolean }
  | { readonly kind: 'choice'; readonly options: readonly string[] }
  /** `isOpen`: all of them is null, those of later versions too. */
  | { readonly kind: 'set'; readonly options: readonly string[]; readonly isOpen?: boolean };

/** What decides which fields an application has. */
interface Kind {
  readonly type: Client['type'];
  readonly isThird: boolean;
}

/** A member of an application in the form. */
export type ClientField = Control & {
  readonly member: keyof ClientMembers;
  readonly isFor?: (kind: Kind) => boolean;
};

const ofPeople = ({ type }: Kind) => type !== 'service';
const ofServers = ({ type }: Kind) => type !== 'public';
const ofThird = ({ isThird }: Kind) => isThird;
const algorithms = ['RS256', 'ES256'];

/** The grants of an application to which people sign in. */
export const grants = [
  'authorization_code',
  'refresh_token',
  'urn:ietf:params:oauth:grant-type:device_code',
  'urn:wechat:grant:mini_program',
  'urn:wechat:grant:mobile_app',
];
/** Those of a third party. */
export const thirdPartyGrants = ['authorization_code', 'refresh_token'];

/** The form, card by card. */
export const groups: readonly { readonly name: string; readonly fields: readonly ClientField[] }[] = [
  {
    name: 'who',
    fields: [
      { member: 'name', kind: 'text' },
      { member: 'enabled', kind: 'box', on: true, off: false },
      { member: 'first_party', kind: 'box', on: false, off: true, isFor: ofPeople },
      { member: 'client_uri', kind: 'text', isFor: ofPeople },
      { member: 'logo_uri', kind: 'text', isFor: ofPeople },
    ],
  },
  {
    name: 'ways',
    fields: [
      { member: 'redirect_uris', kind: 'lines', isFor: ofPeople },
      { member: 'origins', kind: 'lines', isFor: ofPeople },
      {
        member: 'tokens',
        kind: 'box',
        on: 'cookie',
        off: 'bearer',
        isFor: ({ type, isThird }) => type === 'public' && !isThird,
      },
      { member: 'grants', kind: 'set', options: grants, isFor: ofPeople },
      { member: 'providers', kind: 'lines', isFor: ofPeople },
      { member: 'sso', kind: 'box', on: true, off: false, isFor: ofPeople },
    ],
  },
  {
    name: 'rights',
    fields: [
      {
        member: 'scopes',
        kind: 'set',
        options: ['openid', 'profile', 'phone', 'roles', 'offline_access'],
        isOpen: true,
        isFor: ofPeople,
      },
      { member: 'resources', kind: 'lines' },
      { member: 'roles', kind: 'lines', isFor: ({ type }) => type === 'service' },
    ],
  },
  {
    name: 'proof',
    fields: [
      { member: 'jwks_uri', kind: 'text', isFor: ofServers },
      { member: 'jwks', kind: 'json', isFor: ofServers },
    ],
  },
  {
    name: 'openid',
    fields: [
      { member: 'id_token_signed_response_alg', kind: 'choice', options: algorithms, isFor: ofPeople },
      { member: 'access_token_signed_response_alg', kind: 'choice', options: algorithms },
      { member: 'subject_type', kind: 'box', on: 'pairwise', off: 'public', isFor: ofThird },
      { member: 'sector_identifier_uri', kind: 'text', isFor: ofThird },
    ],
  },
  {
    name: 'logout',
    fields: [
      { member: 'post_logout_redirect_uris', kind: 'lines', isFor: ofPeople },
      { member: 'backchannel_logout_uri', kind: 'text', isFor: ofPeople },
    ],
  },
];

/** What a card is about. */
export const groupTitle = codeWords({
  who: ['应用', 'The application'],
  ways: ['登录', 'Signing in'],
  rights: ['可以请求什么', 'What it may ask for'],
  proof: ['用公钥证明自己', 'Proof by public keys'],
  openid: ['OpenID Connect', 'OpenID Connect'],
  logout: ['退出登录', 'Signing out'],
});

/** What a member is called. */
export const memberName = codeWords({
  name: ['名称', 'Name'],
  enabled: ['启用', 'Enabled'],
  first_party: ['由第三方提供', 'A third party offers it'],
  client_uri: ['主页', 'Home page'],
  logo_uri: ['图标地址', 'Address of its logo'],
  redirect_uris: ['返回地址', 'Redirect URIs'],
  origins: ['脚本的来源（CORS）', 'Origins of scripts (CORS)'],
  tokens: ['令牌放在 HttpOnly cookie 中', 'Keep tokens in HttpOnly cookies'],
  grants: ['登录方式', 'Grants'],
  providers: ['登录入口', 'Providers'],
  sso: ['单点登录', 'Single sign-on'],
  scopes: ['Scope', 'Scopes'],
  resources: ['资源', 'Resources'],
  roles: ['角色', 'Roles'],
  jwks_uri: ['公钥集地址', 'Address of its keys'],
  jwks: ['公钥集（JWKS）', 'Its keys (JWKS)'],
  id_token_signed_response_alg: ['ID Token 的签名', 'Signature of ID tokens'],
  access_token_signed_response_alg: ['访问令牌的签名', 'Signature of access tokens'],
  subject_type: ['成对的用户标识（pairwise）', 'Pairwise subjects'],
  sector_identifier_uri: ['sector 标识地址', 'Sector identifier URI'],
  post_logout_redirect_uris: ['退出后返回的地址', 'Addresses after signing out'],
  backchannel_logout_uri: ['接收退出通知的地址', 'Address for notices of sign-outs'],
});

/** What else is to be known of it; the name of the member where there is nothing. */
export const memberHelp = codeWords({
  name: [
    '用户登录时读到的名称；自己的应用没有名称时显示为网站。',
    'What people read of where they sign in; an own application without one is shown as the site.',
  ],
  enabled: [
    '停用后没有人能登录它，它也得不到令牌。',
    'Otherwise nobody signs in to it, and it gets no tokens.',
  ],
  first_party: [
    '用户需要同意它的请求；它只能得到同意的内容，不能使用你的 API。',
    'People have to agree to what it asks for. It gets that and nothing of your own API.',
  ],
  redirect_uris: ['每行一个，逐字比较。', 'One a line; they are compared exactly.'],
  origins: [
    '每行一个，例如 https://www.example.com。与本站相同的来源不必填写。',
    'One a line, such as https://www.example.com. The origin of this site needs no line.',
  ],
  providers: [
    '允许通过哪些登录入口（标识，每行一个）进入；不填则全部。',
    'The slugs of those through which people may come, one a line; none: all.',
  ],
  sso: [
    '在此浏览器已登录的人直接进入，不再询问微信。',
    'Who is signed in in this browser comes in without WeChat being asked again.',
  ],
  scopes: ['全部勾选：以后新增的也包括在内。', 'All of them: those of later versions too.'],
  resources: [
    '可以为哪些 API 请求访问令牌，每行一个。',
    'The APIs that it may ask access tokens for, one a line.',
  ],
  roles: ['它的令牌可以做什么，每行一个角色。', 'What its tokens may do: one role a line.'],
  jwks_uri: [
    '用 private_key_jwt 证明自己，代替密钥。',
    'It proves itself by private_key_jwt, without a secret.',
  ],
  jwks: ['JSON。填写后不填上面的地址。', 'JSON, in place of the address.'],
  subject_type: [
    '每个主机看到不同的 sub，无法互相比对。',
    'Each host sees another sub, so that they cannot compare people.',
  ],
  sector_identifier_uri: [
    '列出全部返回地址的 JSON 文档；返回地址有多个主机时需要。',
    'A JSON document that lists all redirect URIs; needed where they have several hosts.',
  ],
  post_logout_redirect_uris: ['每行一个，逐字比较。', 'One a line; they are compared exactly.'],
});

const addressWrong = [
  '需要完整的地址，例如 https://www.example.com/；除服务器本机（localhost）与内网外必须是 https。',
  'It has to be a complete address such as https://www.example.com/, by https but for localhost and private networks.',
] as const;
const lineWrong = [
  `“{line}” 不能使用：${addressWrong[0]}`,
  `“{line}” is not taken. ${addressWrong[1]}`,
] as const;

/** Why the API refuses a member, and with a dot one of its lines. */
const refusals = codeWords({
  id: ['机器的 client_id 不能是 UUID。', 'The client_id of a machine may be no UUID.'],
  name: ['1 到 100 个字，写在一行。', 'One line of 1 to 100 characters.'],
  client_uri: addressWrong,
  logo_uri: addressWrong,
  redirect_uris: [
    '成对的用户标识：返回地址只能有一个主机，否则请填写 sector 标识地址。',
    'Pairwise subjects: all have to be of one host, or the sector identifier URI has to be given.',
  ],
  'redirect_uris.': lineWrong,
  'post_logout_redirect_uris.': lineWrong,
  'origins.': [
    '“{line}” 不是来源：只写协议、主机与端口，末尾没有 /。',
    '“{line}” is no origin: scheme, host and port alone, without a / at the end.',
  ],
  grants: ['至少选择一种。', 'It needs at least one.'],
  tokens: [
    'cookie 只用于自己的浏览器应用。',
    'Cookies are for an application of your own in the browser alone.',
  ],
  'providers.': ['没有登录入口 “{line}”。', 'There is no provider “{line}”.'],
  resources: [
    'cookie 不会发给别的 API：不能填写资源。',
    'No other API gets the cookies, so that they go with no resources.',
  ],
  'resources.': [
    '“{line}” 不在代码的选项 resources 中。',
    '“{line}” is not among the `resources` that the application’s code names.',
  ],
  roles: ['其中有不存在的角色。', 'There is no role of one of these names.'],
  jwks_uri: [
    '需要完整的 https 地址；http 只用于服务器本机（localhost）。',
    'It has to be a complete https address; http is for localhost alone.',
  ],
  jwks: [
    '需要带 keys 的公钥集：每个公钥有自己的 kid，没有私钥部分，也不填上面的地址。',
    'It has to be a set of public keys (keys), each with a kid of its own and without private parts, and no address beside it.',
  ],
  subject_type: ['只用于第三方应用。', 'It is for applications of third parties alone.'],
  sector_identifier_uri: [
    '此地址必须给出列有全部返回地址的 JSON 数组，并能从服务器访问。',
    'The server has to get a JSON array there that lists all redirect URIs.',
  ],
  backchannel_logout_uri: [
    '需要完整的 https 地址；http 只用于服务器本机（localhost）。',
    'It has to be a complete https address; http is for localhost alone.',
  ],
  other: ['服务器不接受。', 'The server does not take it.'],
});

/** The box that makes the server refuse a list as a whole; without it the text is of no use. */
export const wholeBy: Readonly<Record<string, keyof ClientMembers>> = {
  redirect_uris: 'subject_type',
  resources: 'tokens',
};

/** See `refusals`; `line` is the entry that is refused. */
export function memberWrong(member: string, line: string | undefined): string {
  const code = line === undefined ? member : `${member}.`;
  const text = refusals(code);
  return (text === code ? refusals('other') : text).replace('{line}', line ?? '');
}

/** What an option of a member means. */
export const optionName = codeWords({
  authorization_code: ['浏览器跳转登录', 'Sign-in by redirect'],
  refresh_token: ['刷新', 'Refresh'],
  'urn:ietf:params:oauth:grant-type:device_code': ['自己页面上的扫码登录', 'QR code on a page of its own'],
  'urn:wechat:grant:mini_program': ['小程序', 'Mini program'],
  'urn:wechat:grant:mobile_app': ['移动应用', 'Mobile app'],
});
