import type { Language } from '../../http/user-agent.js';

/** A text in the languages of the pages. */
export type CheckText = Readonly<Record<Language, string>>;

/** `unknown`: only WeChat's console or a sign-in can show it. */
type CheckStatus = 'ok' | 'warning' | 'error' | 'unknown';

/** Status and texts of a finding; `{name}` in a text stands for the fact of that name. */
export interface FindingText {
  readonly status: CheckStatus;
  readonly detail: CheckText;
  /** Null where no action is needed. */
  readonly remedy: CheckText | null;
}

type Words = readonly [zh: string, en: string, remedyInChinese?: string, remedy?: string];

const finding =
  (status: CheckStatus) =>
  (...[zh, en, remedyInChinese, remedy]: Words): FindingText => ({
    status,
    detail: { zh, en },
    remedy:
      remedyInChinese === undefined || remedy === undefined ? null : { zh: remedyInChinese, en: remedy },
  });

/** Findings by their status: the detail in both languages, then the remedy. */
export const [ok, warning, error, unknown] = [
  finding('ok'),
  finding('warning'),
  finding('error'),
  finding('unknown'),
];

/** Findings from the row and the options. */
export const localFindings = {
  row_enabled: ok('已启用。', 'It is enabled.'),
  row_disabled: warning(
    '已停用，没有人能由此登录。',
    'It is disabled: nobody can sign in here.',
    '将 enabled 设为 true。',
    'Set enabled to true.',
  ),
  secrets_open: ok('所有密钥都能解密。', 'Every secret opens.'),
  secret_unreadable: error(
    '{columns} 无法解密：由另一把密钥加密，或曾被改动。',
    '{columns} cannot be opened: sealed with another key, or altered.',
    '重新填写；或把旧密钥放回选项 keys。',
    'Enter it again, or put the old key back into the option keys.',
  ),
  methods_complete: ok('已配置：{apps}。', 'Configured: {apps}.'),
  no_pair: error(
    '没有任何一对完整的 AppID 与 AppSecret，无法登录。',
    'No AppID has its AppSecret: nobody can sign in.',
    '至少填写一对。',
    'Fill in at least one pair.',
  ),
  sign_up_auto: ok('自动创建新用户。', 'A new user is created.'),
  sign_up_off: ok('不接受新用户。', 'They are refused.'),
  sign_up_bind: unknown(
    '新用户须先绑定已有账号。应用是否会处理 binding_required，从这里无法得知。',
    'They must connect an account they have. Whether your application answers binding_required cannot be seen from here.',
    '用 IamUsers.bind 兑换 binding_token，或由已登录的浏览器提交到 /me/identities。',
    'Redeem the binding_token with IamUsers.bind, or let a signed-in browser post it to /me/identities.',
  ),
  union_scope_own: ok(
    '范围为“{union_scope}”，没有其他入口共用。',
    'The scope is "{union_scope}", shared with no other provider.',
  ),
  union_scope_shared: ok(
    '范围为“{union_scope}”，与 {providers} 共用：这些应用必须绑定到同一个开放平台账号。',
    'The scope is "{union_scope}", shared with {providers}: their apps must be bound to one Open Platform account.',
  ),
  union_scope_split: warning(
    '{appid} 也在 {providers} 中，但 unionid 范围不同：同一个人可能成为两个用户。',
    '{appid} is also in {providers} under another union scope: one person may become two users.',
    '给这些入口写相同的 union_scope。',
    'Give these providers the same union_scope.',
  ),

  url_public: ok('{public_url}', '{public_url}'),
  url_local: warning(
    '{public_url} 是本机地址，只能配合模拟器使用。',
    '{public_url} is this machine: it works with the emulator only.',
    '将 publicUrl 设为 https 的公网域名。',
    'Set publicUrl to an https domain.',
  ),
  url_plain_http: warning(
    '{public_url} 没有使用 https，令牌与 Cookie 会以明文传输。',
    '{public_url} is not https: tokens and cookies travel in clear.',
    '为该域名启用 https。',
    'Serve the domain over https.',
  ),
  url_port: error(
    '{public_url} 带有端口：服务号的网页授权会报错 10003，消息推送只到 80 或 443 端口。',
    '{public_url} has a port: in-WeChat sign-in fails with 10003, and WeChat pushes to port 80 or 443 only.',
    '使用 443 端口的 https，并从 publicUrl 去掉端口。',
    'Serve https on 443 and leave the port out of publicUrl.',
  ),
  url_address: error(
    '{public_url} 是 IP 地址，微信只接受域名。',
    '{public_url} is an IP address; WeChat takes domains only.',
    '将 publicUrl 改为域名。',
    'Set publicUrl to a domain.',
  ),
  pair_incomplete: error(
    '缺少 {missing}，这一对不会被使用。',
    '{missing} is missing, so the pair is not used.',
    '填写 {missing}，或清空另一个。',
    'Fill in {missing}, or clear the other one.',
  ),
  appid_form: warning(
    '“{appid}”不像 AppID（wx 加 16 位十六进制字符，区分大小写）。',
    '"{appid}" does not look like an AppID (wx and 16 hex digits, case-sensitive).',
    '从控制台重新复制。',
    'Copy it from the console again.',
  ),
  pair_complete: ok('{appid} 已填写完整。', '{appid} is complete.'),
  register_domain: unknown(
    '登记的域名必须正好是 {domain}（不带协议、端口、路径），微信没有接口可查。回调地址：{callback_url}',
    'The domain registered must be exactly {domain} (no scheme, port or path); WeChat offers no way to ask. The callback is {callback_url}',
    '在控制台核对。',
    'Compare it in the console.',
  ),
  register_webhook: unknown(
    '服务器地址必须是 {webhook_url}，微信没有接口可查。',
    'The server URL must be {webhook_url}; WeChat offers no way to ask.',
    '在控制台核对，并点击“启用”。',
    'Compare it in the console, and press 启用.',
  ),
  qr_off: ok('未启用，PC 上使用开放平台二维码。', 'It is off: PCs use the Open Platform QR code.'),
  qr_ready: ok('已启用。', 'It is on, and what it needs is there.'),
  qr_without_pair: error(
    '已启用，但缺少服务号的 AppID 与 AppSecret。',
    'It is on, but the Official Account pair is missing.',
    '填写 mp_app_id 与 mp_app_secret，或关闭 qr_enabled。',
    'Fill in mp_app_id and mp_app_secret, or switch qr_enabled off.',
  ),
  qr_without_mini_pair: error(
    '已启用，但缺少小程序的 AppID 与 AppSecret。',
    'It is on, but the mini program pair is missing.',
    '填写 mini_app_id 与 mini_app_secret，或更改 qr_with。',
    'Fill in mini_app_id and mini_app_secret, or change qr_with.',
  ),
  qr_without_approval_page: error(
    '已启用，但没有填写小程序中确认登录的页面。',
    'It is on, but the page of the mini program that confirms sign-ins is not set.',
    '填写 mini_approval_page，或更改 qr_with。',
    'Fill in mini_approval_page, or change qr_with.',
  ),
  qr_open_pair_missing: error(
    '扫码之后应继续开放平台登录，但缺少那一对。',
    'After the scan it goes on to the Open Platform, whose pair is missing.',
    '填写 open_app_id 与 open_app_secret，或将 qr_login_with 设为 mp。',
    'Fill in open_app_id and open_app_secret, or set qr_login_with to mp.',
  ),
  token_set: ok('已填写，格式正确。', 'It is set, and its form is right.'),
  token_missing: error(
    '未填写 mp_token，微信的消息都会被拒绝。',
    "mp_token is not set: WeChat's messages are all refused.",
    '在此生成（rotate），并填到微信控制台。',
    'Generate one here (rotate) and enter it in the console.',
  ),
  keys_differ: error(
    '登录入口 {provider} 为同一应用设置了不同的 Token 或 EncodingAESKey。',
    'The provider {provider} has the same app with another Token or EncodingAESKey.',
    '微信只认一个：将两行改为控制台中的值。',
    'WeChat knows one of each: give both rows what the console has.',
  ),
  token_malformed: error(
    'mp_token 应为 3 到 32 位字母或数字。',
    'mp_token must be 3 to 32 letters and digits.',
    '重新生成，并填到微信控制台。',
    'Generate a new one and enter it in the console.',
  ),
  key_set: ok('已填写，格式正确。', 'It is set, and its form is right.'),
  key_not_needed: ok('明文模式不需要。', 'The plain mode needs none.'),
  key_missing: error(
    '未填写 mp_encoding_aes_key，加密的消息无法解密。',
    'mp_encoding_aes_key is not set: encrypted messages cannot be read.',
    '在此生成（rotate），并填到微信控制台。',
    'Generate one here (rotate) and enter it in the console.',
  ),
  key_malformed: error(
    'mp_encoding_aes_key 应为 43 位字母或数字。',
    'mp_encoding_aes_key must be 43 letters and digits.',
    '重新生成，并填到微信控制台。',
    'Generate a new one and enter it in the console.',
  ),
  mode_safe: ok('安全模式。', 'The safe mode.'),
  mode_weaker: warning(
    '{mode} 模式：消息内容可以被读取。',
    'The {mode} mode: messages can be read on their way.',
    '在控制台与此处都改为安全模式（safe）。',
    'Choose the safe mode (安全模式) in the console and here.',
  ),
  rotation_finished: ok('没有未完成的更换。', 'No change is under way.'),
  rotation_open: warning(
    '{columns} 仍在使用：更换尚未完成。',
    '{columns} still works: the change is not finished.',
    '微信控制台保存新值之后，将 {columns} 设为 null。',
    'Once the console has the new value, set {columns} to null.',
  ),
} as const satisfies Readonly<Record<string, FindingText>>;
