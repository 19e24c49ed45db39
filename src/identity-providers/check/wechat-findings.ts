import { error, ok, unknown, warning, type FindingText } from './local-findings.js';

/** Findings from calls to WeChat. */
export const wechatFindings = {
  wechat_reached: ok('微信已应答。', 'WeChat answered.'),
  wechat_unreachable: error(
    '微信没有应答，其余项目无法核对。',
    'WeChat did not answer, so what depends on it could not be checked.',
    '检查服务器能否访问 api.weixin.qq.com:443，然后重试。',
    'See whether the server can reach api.weixin.qq.com:443, then try again.',
  ),

  pair_accepted: ok('微信接受了 {appid} 的这一对。', 'WeChat accepts the pair of {appid}.'),
  pair_rejected: error(
    '微信拒绝了 {appid} 的这一对（errcode {errcode}）。',
    'WeChat rejects the pair of {appid} (errcode {errcode}).',
    '核对 AppID；密钥若已丢失或重置，把新的 AppSecret 填到这里。',
    'Compare the AppID; if the secret was lost or reset, enter the new AppSecret here.',
  ),
  secret_frozen: error(
    '{appid} 的 AppSecret 已冻结（errcode {errcode}）。',
    'The AppSecret of {appid} is frozen (errcode {errcode}).',
    '在控制台解冻，约 10 分钟后生效。',
    'Unfreeze it in the console; this takes about ten minutes.',
  ),
  app_restricted: error(
    '微信限制了 {appid}（errcode {errcode}）。',
    'WeChat has restricted {appid} (errcode {errcode}).',
    '在控制台的站内信中查看原因。',
    'See the notices in the console for the reason.',
  ),
  app_kind_wrong: error(
    '{appid} 不能调用此接口（errcode {errcode}）：账号类型不符，或缺少接口权限。',
    '{appid} may not call this interface (errcode {errcode}): another kind of account, or a permission is missing.',
    '核对 AppID 属于哪一种账号。',
    'See which kind of account the AppID belongs to.',
  ),
  pair_not_refused: unknown(
    '微信没有对 {appid} 的这一对提出异议。微信没有文档说明会先核对密钥，是否正确要到第一次登录才知道。',
    'WeChat did not object to the pair of {appid}. That it looks at the secret first is not documented, so the first sign-in will tell.',
  ),
  not_asked: unknown(
    '未能核对。',
    'It could not be checked.',
    '先解决其他项目，然后重试。',
    'Solve the other items first, then try again.',
  ),
  answer_unexpected: unknown(
    '微信的应答出乎意料（errcode {errcode}）。',
    'WeChat answered unexpectedly (errcode {errcode}).',
    '稍后重试；仍然如此时，查看日志中的 rid。',
    'Try again later; if it stays so, see the rid in the log.',
  ),
  answer_unreadable: unknown(
    '微信的应答无法解析。',
    "WeChat's answer cannot be read.",

    '稍后重试；仍然如此时，检查选项 wechat.endpoints。',
    'Try again later; if it stays so, look at the option wechat.endpoints.',
  ),
  quota_used_up: warning(
    '{appid} 的调用次数已达上限（errcode {errcode}）。',
    'The quota of {appid} is used up (errcode {errcode}).',
    '等到配额恢复：每日配额在北京时间 0 点恢复。',
    'Wait: daily quotas come back at midnight in Beijing.',
  ),
  ip_admitted: ok('微信接受本服务器的地址。', "WeChat accepts this server's address."),
  ip_refused: error(
    '微信拒绝了本服务器的地址 {address}（errcode {errcode}）。',
    "WeChat refuses this server's address {address} (errcode {errcode}).",

    '把 {address} 与其他出口地址加入 IP 白名单，5 到 10 分钟后生效。',
    'Add {address}, and every other address your servers call from, to the IP whitelist; this takes five to ten minutes.',
  ),
  ip_refused_unnamed: error(
    '微信拒绝了本服务器的地址，但没有说明是哪一个（errcode {errcode}）。',
    "WeChat refuses this server's address and does not say which it is (errcode {errcode}).",

    '把服务器的所有出口地址加入 IP 白名单，5 到 10 分钟后生效。',
    'Add every address your servers call from to the IP whitelist; this takes five to ten minutes.',
  ),
  ip_awaits_admin: error(
    '管理员尚未确认本服务器的地址（errcode {errcode}）。',
    "The account's administrator has not confirmed this server's address yet (errcode {errcode}).",

    '请管理员在微信消息中确认，然后重试。',
    'Ask the administrator to confirm the message in WeChat, then try again.',
  ),
  ip_blocked: error(
    '管理员拒绝了本服务器的地址（errcode {errcode}）。',
    "The account's administrator has rejected this server's address (errcode {errcode}).",

    '拒绝一次停用 1 小时，两次 24 小时；之后请管理员确认。',
    'It is blocked for an hour, after a second rejection for a day; then let the administrator confirm it.',
  ),

  qr_code_made: ok('微信生成了一个 60 秒的临时二维码。', 'WeChat made a temporary code of 60 seconds.'),
  mini_code_made: ok(
    '微信为确认页面生成了小程序码。',
    'WeChat made a code of the page that confirms sign-ins.',
  ),
  mini_page_missing: error(
    '小程序已发布的版本中没有 mini_approval_page 所写的页面（errcode {errcode}）。',
    'The released version of the mini program has no such page as mini_approval_page says (errcode {errcode}).',
    '发布含有该页面的版本，或改正 mini_approval_page。',
    'Release a version with that page, or correct mini_approval_page.',
  ),
  qr_code_forbidden: error(
    '微信不允许该账号生成二维码（errcode {errcode}）。',
    'WeChat does not let the account make QR codes (errcode {errcode}).',
    '只有已认证的服务号有此权限。',
    'Only verified service accounts may.',
  ),
} as const satisfies Readonly<Record<string, FindingText>>;
