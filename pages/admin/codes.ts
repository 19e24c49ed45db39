import { codeWords } from '../shared/language';

/** Words for the codes of the API. The audit log has its own, beside its view. */
export const statusWord = codeWords({
  active: ['正常', 'active'],
  disabled: ['已停用', 'disabled'],
  session_limit: ['超出会话数上限', 'one session too many'],
  merged: ['已合并', 'merged'],
  live: ['有效', 'live'],
  over: ['已结束', 'over'],
  pending: ['等待中', 'waiting'],
  processing: ['处理中', 'in work'],
  done: ['已处理', 'done'],
  dead: ['已放弃', 'given up'],
  scanned: ['已扫描', 'scanned'],
  confirmed: ['已确认', 'confirmed'],
  authenticated: ['已验证', 'authenticated'],
  binding: ['等待绑定', 'waits for binding'],
  consumed: ['已登录', 'signed in'],
  denied: ['已拒绝', 'denied'],
  failed: ['失败', 'failed'],
  expired: ['已过期', 'expired'],
  next: ['即将启用', 'signs soon'],
  signing: ['签名中', 'signs'],
  verifying: ['仅验证', 'verifies only'],
  retired: ['已退役', 'retired'],
});

/** How a status is coloured; the word says the same. */
export function statusTone(status: string): 'good' | 'warn' | 'bad' | 'note' | '' {
  if (['active', 'live', 'consumed', 'signing', 'done'].includes(status)) return 'good';
  if (['dead', 'failed', 'disabled'].includes(status)) return 'bad';
  if (['pending', 'processing', 'scanned', 'confirmed', 'authenticated', 'binding', 'next'].includes(status))
    return 'note';
  return ['denied', 'expired'].includes(status) ? 'warn' : '';
}

/** Ways of signing in. */
export const methodWord = codeWords({
  open: ['网站扫码', 'website QR code'],
  mp: ['微信内', 'inside WeChat'],
  follow: ['关注公众号', 'follow to sign in'],
  page: ['微信内确认页', 'page in WeChat'],
  device: ['设备授权', 'device'],
  mini: ['小程序', 'mini program'],
  mobile: ['移动应用', 'mobile app'],
});

/** Kinds of apps at WeChat. */
export const kindWord = codeWords({
  open: ['网站应用', 'website app'],
  mp: ['公众号', 'Official Account'],
  mini: ['小程序', 'mini program'],
  mobile: ['移动应用', 'mobile app'],
});

/** Why a session ended. */
export const endWord = codeWords({
  ended_by_user: ['本人结束', 'by the user'],
  ended_by_admin: ['管理员结束', 'by an administrator'],
  user_disabled: ['用户停用', 'user disabled'],
  refresh_reused: ['刷新令牌被重复使用', 'refresh token used twice'],
  code_reused: ['授权码被重复使用', 'code used twice'],
  revoked: ['退出登录', 'signed out'],
  signed_out: ['退出登录（所有应用）', 'signed out of all applications'],
  replaced: ['被新会话取代', 'replaced by another session'],
  merged: ['用户合并', 'users merged'],
  identity_unlinked: ['解除绑定', 'identity unlinked'],
  identity_bound: ['绑定了新的微信身份', 'another identity bound'],
  identity_linked: ['本人绑定了微信身份', 'the user linked an identity'],
  authorization_revoked: ['在微信撤回了授权', 'authorization withdrawn in WeChat'],
  consent_withdrawn: ['撤回了对应用的同意', 'consent withdrawn'],
  session_limit: ['会话数已达上限', 'as many sessions as allowed'],
  client_deleted: ['服务已删除', 'service deleted'],
  deletion_requested: ['用户申请注销', 'user asked to be erased'],
  wechat_account_closed: ['微信账号已注销', 'WeChat account closed'],
});
