import { auditActions, type AuditAction } from '../../src/audit/audit-actions.js';
import { code, table, type ReferencePage } from './markdown.js';

/** The sentences of `auditActions` in Chinese; an action without one does not compile. */
const chinese: Readonly<Record<AuditAction, string>> = {
  'api_key.created': '新建了一个 API 密钥。',
  'api_key.ended': '一个 API 密钥已停用；原因见 `detail.reason`。',
  'backchannel_logout.given_up': '无法通知某个应用一个会话已结束。',
  'backchannel_logout.retried': '管理员要求重新通知某个应用一个会话已结束。',
  'browser_session.ended': '一个已登录的浏览器退出了登录；原因见 `detail.reason`。',
  'browser_session.started': '有人在浏览器中登录了一个带 `sso` 的应用。',
  'client.created': '登记了一个应用。',
  'client.deleted': '删除了一个应用。',
  'client.secret_cleared': '清空了一个应用的上一个密钥。',
  'client.secret_rotated': '一个应用得到新的密钥。',
  'client.updated': '修改了一个应用。',
  'consent.declined': '此人拒绝了第三方应用的请求。',
  'consent.given': '此人同意了第三方应用的请求。',
  'consent.withdrawn': '此人（或管理员代其）撤回了同意，其在该应用中的会话已结束。',
  'login.authenticated': '微信证明了一个已知用户；会话尚未开始。',
  'login.confirmed': '此人在手机上确认了登录。',
  'login.denied': '此人在手机上拒绝了登录。',
  'login.failed': '一次登录失败；错误码见 `detail`。',
  'login.number_confirmed': '此人在手机页面上输入了电脑显示的数字。',
  'login.number_denied': '此人在手机页面上最后一次输错数字，登录因此结束。',
  'login.number_typed': '一位粉丝把数字发给了公众号；结果见 `detail.outcome`。',
  'login.number_wrong': '此人在手机页面上输错了数字。',
  'login.scanned': '有人扫描了登录的二维码。',
  'session.code_reused': '一个授权码被使用了两次，其会话因此结束。',
  'session.ended': '会话结束；原因见 `detail.reason`。',
  'session.refresh_reused': '旧的刷新令牌被再次使用，其会话因此结束。',
  'session.refused': '一次登录被拒绝：该用户的会话数已达上限。',
  'session.replaced': '被同一浏览器的另一会话取代。',
  'session.revoked': '客户端让用户退出登录。',
  'session.started': '会话开始。',
  'identity.account_closed': '此人注销了微信账号。',
  'identity.authorization_revoked': '此人撤回了应用读取其资料的授权。',
  'identity.link_refused': '某个身份未能关联；原因见 `detail`。',
  'identity.linked': '某个身份关联到了该用户。',
  'identity.move_refused': '另一个公众号中的 openid 未添加：它属于另一个用户，或在封禁范围内。',
  'identity.moved': '该用户获得了自己在另一个公众号中的 openid。',
  'identity.unionid_learned': '微信给出了一个已知身份的 unionid。',
  'identity.unlinked': '某个身份从该用户移除。',
  'user.ban_lifted': '解除了一个已抹除用户的封禁。',
  'user.created': '宿主应用创建了一个用户。',
  'user.deletion_cancelled': '用户不再注销账号。',
  'user.deletion_requested': '用户请求注销账号。',
  'user.disabled': '管理员停用了用户。',
  'user.enabled': '管理员重新启用了用户。',
  'user.erased': '删除了所持有的关于该用户的一切。',
  'user.exported': '用户导出了所持有的关于自己的一切。',
  'user.matched_by_host': '宿主的钩子 `matchUser` 指出了一个新人属于哪个账号。',
  'user.merge_refused': '两个用户未合并：微信认为他们是两个人。',
  'user.merged': '另一个用户合并到该用户。',
  'user.phone_removed': '手机号被删除。',
  'user.phone_verified': '微信验证了手机号。',
  'user.role_assigned': '用户获得一个角色。',
  'user.role_removed': '用户失去一个角色。',
  'user.signed_up': '新用户首次登录。',
  'user.updated': '修改了用户的字段；字段名见 `detail`。',
  'provider.created': '创建了一个身份源。',
  'provider.deleted': '删除了一个身份源。',
  'provider.secret_rotated': '更换了身份源的一个密钥。',
  'provider.updated': '修改了一个身份源。',
  'role.created': '创建了一个角色。',
  'role.deleted': '删除了一个角色。',
  'role.updated': '修改了一个角色。',
  'key.resealed': '某一行或一批行的密钥改由当前的封存密钥重新封存。',
  'key.revoked': '一个签名密钥被移除：它签发的令牌被拒绝。',
  'key.rotated': '发布了新的签名密钥，或提前了其启用时间。',
  'event.replayed': '管理员让一个已存储的事件重新处理。',
  'webhook.replay_refused': '推送带有另一条消息已用过的微信签名，被拒绝。',
  'limit.refused': '一个请求因频率限制被拒绝。',
};

const actions = Object.keys(chinese).filter((name): name is AuditAction => name in auditActions);

/** docs/reference/audit-actions.md */
export const auditActionsPage: ReferencePage = {
  name: 'audit-actions',
  title: { en: 'Audit actions', zh: '审计动作' },
  sources: ['src/audit/audit-actions.ts', 'scripts/docs/audit-actions.ts'],
  intro: {
    en: `Every change of state has an entry in \`iam.audit_log\`, in the transaction that it is about. \`GET /iam/admin/audit\` finds
entries by action, also by a family such as \`login.*\`. [Administration](../administration.md) says what an entry has.`,
    zh: `每次状态变化都在 \`iam.audit_log\` 里有一条记录，与变化在同一个事务中。\`GET /iam/admin/audit\` 可按动作查找，也可按一类查找，如 \`login.*\`。
一条记录里有什么，见[管理](../administration.zh-CN.md)。`,
  },
  body(language) {
    const head = { en: ['action', 'what has happened'], zh: ['动作', '发生了什么'] }[language];
    return table(
      head,
      actions.map((name) => [code(name), language === 'en' ? auditActions[name] : chinese[name]]),
    );
  },
};
