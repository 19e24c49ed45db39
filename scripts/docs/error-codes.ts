import { errorCatalogue, type IamErrorCode } from '../../src/errors/iam.error.js';
import { errorTexts } from '../../src/errors/iam.error-texts.js';
import { applicationErrors } from './application-errors.js';
import { code, table, type ReferencePage, type Text } from './markdown.js';

/** What a code tells the developer and the operator; one without a line does not compile. */
const meanings: Readonly<Record<IamErrorCode, Text>> = {
  invalid_request: {
    en: 'A parameter is missing, wrong or given twice; of a JSON body, `member` says which, e.g. `redirect_uris.0`',
    zh: '参数缺失、错误或重复；JSON 请求体中由 `member` 指出哪一项，例如 `redirect_uris.0`',
  },
  payload_too_large: { en: 'The body is over 64 KiB', zh: '请求体超过 64 KiB' },
  request_too_slow: { en: 'The body did not arrive within 3 seconds', zh: '请求体没有在 3 秒内到达' },
  content_encoding_unsupported: {
    en: 'A compressed body where none is taken',
    zh: '不接受压缩的地方用了压缩',
  },
  not_found: { en: 'No such address, login or user', zh: '没有这个地址、登录或用户' },
  rate_limited: { en: 'Too many requests; see `Retry-After`', zh: '请求太多，见 `Retry-After`' },
  origin_forbidden: {
    en: 'A form of ours, or a request with our cookies, from somewhere else',
    zh: '我们的表单或带有我们 cookie 的请求，却来自别处',
  },
  precondition_required: { en: 'An admin change without `If-Match`', zh: '管理操作没有带 `If-Match`' },
  precondition_failed: {
    en: '`If-Match` is not the current `ETag`: read it again',
    zh: '`If-Match` 不是当前的 `ETag`：请重新读取',
  },
  already_exists: {
    en: 'The slug or role name is taken, or a request at the same moment wrote the same',
    zh: 'slug 或角色名已被占用，或同一时刻有另一请求写入了相同的内容',
  },
  provider_keys_differ: {
    en: 'Another row has the same app with another Token or EncodingAESKey; WeChat knows one of each',
    zh: '另一行为同一应用设置了不同的 Token 或 EncodingAESKey；微信只认一个',
  },
  in_use: {
    en: 'A provider with identities or a role with users or services cannot be deleted; a row that alone takes the withdrawals for an app with people (`used_by: withdrawals`) cannot be deleted or lose that app, its Token or its key',
    zh: '还有身份的身份源、还有用户或服务的角色不能删除；某应用已有用户、且只有这一行接收其撤回通知时（`used_by: withdrawals`），不能删除该行，也不能清空该应用、Token 或密钥',
  },
  event_done: {
    en: 'A processed event is only replayed with `force`',
    zh: '已处理完毕的事件，只有带 `force` 才重新处理',
  },
  ...applicationErrors,
  state_mismatch: {
    en: 'This browser did not start the sign-in: forged, foreign, or its cookies are gone',
    zh: '登录不是这个浏览器发起的：伪造、别人的，或 cookie 没了',
  },
  state_expired: { en: 'WeChat came back after `loginLifetime`', zh: '微信回来时已超过 `loginLifetime`' },
  code_already_used: {
    en: "WeChat's code was seen before in another sign-in",
    zh: '微信的 code 已在另一次登录中出现过',
  },
  login_interrupted: { en: 'The replica died in the middle; start again', zh: '副本中途停了；重新开始' },
  access_denied: { en: 'The person declined in WeChat', zh: '用户在微信里拒绝了' },
  snapshot_user: {
    en: 'A snapshot page: ask the person to tap 使用完整服务',
    zh: '快照页：请用户点“使用完整服务”',
  },
  browser_unsupported: { en: 'A phone browser outside WeChat', zh: '手机上微信以外的浏览器' },
  method_unavailable: { en: 'The row does not offer this method', zh: '这一行不提供该方式' },
  follow_required: {
    en: 'The row asks for the follow step first, or the person does not follow the account',
    zh: '这一行要求先关注，或用户没有关注公众号',
  },
  approval_forbidden: {
    en: 'The token did not begin in the mini program of this sign-in',
    zh: '令牌不是在这次登录的小程序中取得的',
  },
  approval_over: {
    en: 'The sign-in of the other device was decided, opened by another person, or has expired',
    zh: '另一设备的登录已处理、已由他人打开，或已过期',
  },
  user_code_invalid: {
    en: 'Not the number that the other device shows; the third wrong one ends the sign-in',
    zh: '与另一设备上显示的数字不符；第三次输错即结束这次登录',
  },
  consent_required: {
    en: 'The person has yet to agree to the terms on the sign-in page, or to what a [third party](../guides/applications.md) asks for, and with `prompt=none` cannot be asked',
    zh: '用户还没有在登录页上同意条款，或还没有同意[第三方应用](../guides/applications.zh-CN.md)的请求；带 `prompt=none` 时也无法询问',
  },
  login_required: {
    en: '`prompt=none`, and nobody is signed in in this browser, or not recently enough; or another person has signed in than `id_token_hint` names',
    zh: '带有 `prompt=none`，而此浏览器中没有人登录，或登录时间过久；或者登录的人不是 `id_token_hint` 所指的人',
  },
  interaction_required: {
    en: 'Followed; now the Open Platform step at `authorize_uri`. With `prompt=none`: the person signed in by a way that this request or the row does not admit',
    zh: '已关注；接下来到 `authorize_uri` 完成开放平台一步。带 `prompt=none` 时：用户当时的登录方式不被本次请求或这一行接受',
  },
  authorization_pending: { en: 'Not confirmed yet; keep polling', zh: '还没确认，继续轮询' },
  slow_down: { en: 'Polled too soon', zh: '轮询太快' },
  expired_token: { en: 'The QR code has expired', zh: '二维码已过期' },
  sign_up_refused: {
    en: '`sign_up` is `off`, or your hook refused',
    zh: '`sign_up` 是 `off`，或你的钩子拒绝了',
  },
  session_limit_reached: {
    en: '`sessions.limit` with `refuse`: the code stays valid for its time, so the client can try again once another session has ended',
    zh: '`sessions.limit` 为 `refuse`：code 在有效期内仍可用，另一个会话结束后客户端可以再试',
  },
  user_disabled: { en: 'The user is disabled', zh: '用户已停用' },
  binding_required: {
    en: '`sign_up` is `bind`; comes with `binding_token`',
    zh: '`sign_up` 是 `bind`；附带 `binding_token`',
  },
  binding_token_invalid: {
    en: 'The binding token is used, expired or foreign: not ours, of another client, or of another browser',
    zh: '绑定令牌已用、过期或不属于此处：不是我们的，或属于别的客户端、别的浏览器',
  },
  identity_conflict: {
    en: 'The WeChat identity or external id belongs to another user',
    zh: '这个微信身份或 external id 属于另一个用户',
  },
  phone_number_taken: {
    en: 'Another user has the phone number, and the option `phone.unique` is on',
    zh: '另一个用户已有这个手机号，且选项 `phone.unique` 已打开',
  },
  last_identity: { en: 'The last identity cannot be unlinked', zh: '最后一个身份不能解绑' },
  merge_refused: {
    en: 'Each of the two users has another `unionid` of one scope',
    zh: '两个用户在同一范围内各有不同的 `unionid`',
  },
  provider_not_found: { en: 'No row with this slug', zh: '没有这个 slug 的行' },
  provider_disabled: { en: 'The row is disabled', zh: '这一行已停用' },
  provider_misconfigured: {
    en: 'A value of the row cannot be used; see the log',
    zh: '这一行里有不能用的值；见日志',
  },
  wechat_open_not_configured: { en: 'The row has no Open Platform pair', zh: '这一行没有开放平台一对' },
  wechat_mp_not_configured: { en: 'The row has no Official Account pair', zh: '这一行没有公众号一对' },
  wechat_mini_not_configured: { en: 'The row has no mini program pair', zh: '该行没有小程序的 AppID 和密钥' },
  wechat_mobile_not_configured: {
    en: 'The row has no mobile app pair',
    zh: '该行没有移动应用的 AppID 和密钥',
  },
  webhook_signature_invalid: {
    en: 'A push that WeChat did not send, or a wrong Token, mode or AppSecret',
    zh: '推送不是微信发的，或 Token、模式、AppSecret 不对',
  },
  wechat_unavailable: { en: 'WeChat is busy, down or too slow', zh: '微信繁忙、停了或太慢' },
  wechat_answer_invalid: { en: "WeChat's answer makes no sense", zh: '微信的应答不合理' },
  wechat_code_invalid: {
    en: "WeChat refuses the code or the person's token; start again",
    zh: '微信拒绝了 code 或用户令牌；重新开始',
  },
  phone_code_invalid: {
    en: "The code of the phone number button is wrong, used, somebody else's, or one of `wx.login`",
    zh: '手机号按钮的 code 错误、已使用、属于别人，或是 `wx.login` 的 code',
  },
  session_key_missing: {
    en: 'No `session_key` of this person is kept: the mini program signs in (again)',
    zh: '没有保存此人的 `session_key`：小程序需（重新）登录',
  },
  session_key_stale: {
    en: "The kept `session_key` is no longer this person's: `wx.login`, sign in, get the data anew",
    zh: '保存的 `session_key` 已不是此人的：`wx.login`、登录、重新获取数据',
  },
  wechat_credentials_rejected: {
    en: 'Wrong AppID or AppSecret in the row',
    zh: '这一行的 AppID 或 AppSecret 错误',
  },
  wechat_ip_not_allowed: {
    en: "The server's address is not in WeChat's IP 白名单",
    zh: '服务器地址不在微信的 IP 白名单',
  },
  wechat_quota_exceeded: { en: 'A quota of the WeChat app is used up', zh: '微信应用的额度用完了' },
  wechat_permission_missing: {
    en: 'The account or scope does not allow the call',
    zh: '账号或 scope 不允许该调用',
  },
  wechat_user_restricted: { en: 'WeChat has restricted this person', zh: '微信限制了这个人' },
  database_unavailable: { en: 'PostgreSQL does not answer', zh: 'PostgreSQL 没有应答' },
  internal_error: {
    en: 'A fault of ours; the `correlation_id` leads to the log',
    zh: '我们的故障；用 `correlation_id` 查日志',
  },
};

const codes = Object.keys(errorCatalogue).filter((name): name is IamErrorCode => name in errorCatalogue);

/** docs/reference/error-codes.md */
export const errorCodesPage: ReferencePage = {
  name: 'error-codes',
  title: { en: 'Error codes', zh: '错误代码' },
  sources: [
    'src/errors/iam.error.ts',
    'src/errors/iam.error-texts.ts',
    'scripts/docs/error-codes.ts',
    'scripts/docs/application-errors.ts',
  ],
  intro: {
    en: `On a redirect and on \`/token\`, \`/revoke\`, \`/par\`, \`/introspect\` and \`/device_authorization\`, an error is the RFC's \`error\` and
\`error_description\`; the endpoints add \`code\`, and there every 4xx is 400, except 401, 413 and 429. \`/token\` and
\`/revoke\` give only registered values in \`error\` (a value of ours below becomes \`access_denied\`, \`invalid_grant\` or
\`invalid_request\`), plus \`binding_required\` and \`interaction_required\`. Elsewhere an error is \`application/problem+json\` (RFC
9457) with \`code\` and a \`correlation_id\` that leads to the log. A navigation that cannot return to the client gets a
small page. The last column is the text that people read there, and \`error_description\`.`,
    zh: `在跳转、\`/token\`、\`/revoke\`、\`/par\`、\`/introspect\`、\`/device_authorization\` 上，错误是 RFC 的 \`error\` 和 \`error_description\`；这些端点还有 \`code\`，那里的
4xx 都是 400，除了 401、413、429。\`/token\` 和 \`/revoke\` 的 \`error\` 只用注册过的值（下表中我们自己的值会变成
\`access_denied\`、\`invalid_grant\` 或 \`invalid_request\`），另外还有 \`binding_required\`、\`interaction_required\`。其他地方的错误是
\`application/problem+json\`（RFC 9457），带 \`code\` 和可以查日志的 \`correlation_id\`。回不到客户端的页面跳转会看到一个小页面；最后一列是用户在那里读到的文字。`,
  },
  body(language) {
    const head = {
      en: ['code', 'HTTP', 'OAuth `error`', 'meaning', 'what people read'],
      zh: ['代码', 'HTTP', 'OAuth `error`', '含义', '用户看到的文字'],
    }[language];
    return table(
      head,
      codes.map((name) => {
        const { status, oauth } = errorCatalogue[name];
        return [
          code(name),
          String(status),
          code(oauth),
          meanings[name][language],
          errorTexts[name][language],
        ];
      }),
    );
  },
};
