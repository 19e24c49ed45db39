import type { IamErrorCode } from './iam.error.js';

/**
 * The fixed text a person may read for a code: it names no host, no secret and no answer of WeChat. `en` is also the
 * `error_description` of OAuth, which RFC 6749 §5.2 limits to ASCII without quotation marks and backslashes.
 */
interface IamErrorText {
  readonly en: string;
  readonly zh: string;
}

/** A code without a text does not compile. */
export const errorTexts: Readonly<Record<IamErrorCode, IamErrorText>> = {
  invalid_request: { en: 'The request is not valid.', zh: '请求无效。' },
  payload_too_large: { en: 'The request is too large.', zh: '请求内容过大。' },
  request_too_slow: { en: 'The request took too long to arrive.', zh: '请求传输超时。' },
  content_encoding_unsupported: {
    en: 'The request must not be compressed.',
    zh: '请求内容不得使用压缩编码。',
  },
  not_found: { en: 'There is nothing here.', zh: '未找到所请求的内容。' },
  rate_limited: { en: 'Too many requests. Wait a moment and try again.', zh: '请求过于频繁，请稍后再试。' },
  precondition_required: {
    en: 'Send the ETag of what you read as If-Match.',
    zh: '请在 If-Match 中附上所读取内容的 ETag。',
  },
  precondition_failed: {
    en: 'Somebody else has changed this in the meantime. Read it again.',
    zh: '内容已被他人修改，请重新读取。',
  },
  already_exists: { en: 'This name is taken.', zh: '该名称已存在。' },
  provider_keys_differ: {
    en: 'Another provider has the same app with another Token or EncodingAESKey.',
    zh: '另一个登录入口已为同一应用设置了不同的 Token 或 EncodingAESKey。',
  },
  in_use: { en: 'This is still in use.', zh: '仍在使用中，无法删除。' },
  event_done: {
    en: 'This event has been worked off. Say force to work on it again.',
    zh: '该事件已处理完毕；如需重新处理，请指定 force。',
  },
  origin_forbidden: { en: 'This site may not make this request.', zh: '不允许从该网站发起此请求。' },

  client_unknown: { en: 'The application is not registered here.', zh: '该应用未在此注册。' },
  redirect_uri_mismatch: { en: 'The return address is not registered.', zh: '回调地址未登记。' },
  client_disabled: { en: 'Signing in to this application is switched off.', zh: '此应用已停用登录。' },
  unauthorized_client: {
    en: 'This application does not offer this way to sign in.',
    zh: '此应用不支持这种登录方式。',
  },
  invalid_client: { en: 'The application could not be authenticated.', zh: '应用身份验证失败。' },
  invalid_grant: { en: 'The code or token is no longer valid.', zh: '授权码或令牌已失效。' },
  invalid_target: {
    en: 'The application may not use the requested resource.',
    zh: '应用不能使用所请求的资源。',
  },
  invalid_scope: {
    en: 'The requested scope is unknown or malformed.',
    zh: '请求的 scope 未知或格式不正确。',
  },
  unsupported_grant_type: { en: 'This grant type is not supported.', zh: '不支持的授权类型。' },
  invalid_request_uri: {
    en: 'This sign-in request has expired or was used. Start again from the application.',
    zh: '登录请求已过期或已使用，请从应用重新开始。',
  },
  unsupported_token_type: { en: 'Tokens of this type cannot be revoked.', zh: '这类令牌不能撤销。' },
  unsupported_response_type: {
    en: 'Only the response type code is supported.',
    zh: '仅支持 code 响应类型。',
  },
  request_not_supported: {
    en: 'Request objects are not supported: send the parameters themselves.',
    zh: '不支持请求对象，请直接发送各参数。',
  },

  authentication_required: { en: 'Sign in first.', zh: '请先登录。' },
  invalid_token: { en: 'The session is no longer valid. Sign in again.', zh: '登录已失效，请重新登录。' },
  session_replaced: {
    en: 'You have signed in elsewhere, which ended this session. Sign in again.',
    zh: '您已在别处登录，此处的登录已结束。请重新登录。',
  },
  person_required: {
    en: 'Only a signed-in person can do this, not a service or an API key.',
    zh: '只有登录的用户本人才能进行此操作，服务和 API 密钥不能。',
  },
  api_key_limit_reached: {
    en: 'There are too many API keys already. End one that is no longer used.',
    zh: 'API 密钥太多了，请先停用不再使用的密钥。',
  },
  insufficient_permissions: { en: 'You are not allowed to do this.', zh: '您没有执行此操作的权限。' },
  first_party_required: {
    en: 'Applications of third parties may not do this.',
    zh: '第三方应用不能执行此操作。',
  },
  insufficient_scope: {
    en: 'The application has not asked for the scope that this needs.',
    zh: '应用没有申请所需的 scope。',
  },

  recent_sign_in_required: {
    en: 'Please sign in again before you do this.',
    zh: '请重新登录后再进行此操作。',
  },
  state_mismatch: {
    en: 'This sign-in was not started in this browser. Start again.',
    zh: '此次登录并非由当前浏览器发起，请重新登录。',
  },
  state_expired: { en: 'The sign-in took too long. Start again.', zh: '登录已超时，请重新登录。' },
  code_already_used: {
    en: 'This sign-in was already used. Start again.',
    zh: '此次登录已被使用，请重新登录。',
  },
  login_interrupted: { en: 'The sign-in was interrupted. Start again.', zh: '登录被中断，请重新登录。' },
  access_denied: { en: 'The sign-in was declined in WeChat.', zh: '您已在微信中拒绝授权。' },
  snapshot_user: {
    en: 'WeChat opened this page in preview mode. Tap its button for the full service at the bottom and sign in again.',
    zh: '当前页面处于快照模式，请点击页面底部的“使用完整服务”后重新登录。',
  },
  browser_unsupported: { en: 'Open this page in WeChat.', zh: '请在微信中打开此页面。' },
  method_unavailable: { en: 'This way of signing in is not available.', zh: '该登录方式不可用。' },
  follow_required: { en: 'Follow the official account first.', zh: '请先关注公众号。' },
  authorization_pending: { en: 'Waiting for the phone.', zh: '等待手机端操作。' },
  slow_down: { en: 'Asked too often. Ask less frequently.', zh: '查询过于频繁，请降低频率。' },
  expired_token: { en: 'The QR code has expired. Get a new one.', zh: '二维码已过期，请重新获取。' },
  approval_forbidden: { en: 'This sign-in is for another mini program.', zh: '此次登录不属于该小程序。' },
  approval_over: {
    en: 'This sign-in was dealt with already or has expired. Get a new code.',
    zh: '此次登录已处理或已过期，请重新获取登录码。',
  },
  user_code_invalid: { en: 'That is not the number that is shown.', zh: '数字不正确，请重新输入。' },
  consent_required: { en: 'Agree on the page of this site first.', zh: '请先在本站的页面上表示同意。' },
  login_required: { en: 'Sign in with WeChat to go on.', zh: '请使用微信登录后继续。' },
  interaction_required: { en: 'One more step is needed to sign in.', zh: '还需完成一个步骤才能登录。' },

  sign_up_refused: { en: 'New accounts are not accepted here.', zh: '此处不接受新用户注册。' },
  session_limit_reached: {
    en: 'You are signed in on as many devices as allowed. Sign out on one of them first.',
    zh: '同时登录的设备数已达上限，请先在其中一台上退出登录。',
  },
  user_disabled: { en: 'This account is disabled.', zh: '该账号已被停用。' },
  binding_required: { en: 'Connect WeChat to your existing account.', zh: '请将微信绑定到您已有的账号。' },
  binding_token_invalid: { en: 'The connection has expired. Sign in again.', zh: '绑定已过期，请重新登录。' },
  last_identity: {
    en: 'This is the only way left to sign in, so it cannot be removed.',
    zh: '这是仅剩的登录方式，无法解除绑定。',
  },
  merge_refused: {
    en: 'WeChat says that these are two different people.',
    zh: '微信显示这是两个不同的人，无法合并。',
  },
  phone_number_taken: {
    en: 'This phone number already belongs to another user.',
    zh: '该手机号已属于其他用户。',
  },
  identity_conflict: {
    en: 'This WeChat account already belongs to another user.',
    zh: '该微信账号已绑定其他用户。',
  },

  provider_not_found: { en: 'This sign-in does not exist.', zh: '该登录入口不存在。' },
  provider_disabled: { en: 'This sign-in is switched off.', zh: '该登录入口已停用。' },
  provider_misconfigured: { en: 'This sign-in is not set up correctly.', zh: '该登录入口配置有误。' },
  wechat_open_not_configured: {
    en: 'Signing in by WeChat QR code is not set up here.',
    zh: '此处尚未配置微信扫码登录。',
  },
  wechat_mini_not_configured: { en: 'Mini program sign-in is not set up.', zh: '尚未配置小程序登录。' },
  wechat_mobile_not_configured: { en: 'Mobile app sign-in is not set up.', zh: '尚未配置移动应用登录。' },
  wechat_mp_not_configured: {
    en: 'Signing in inside WeChat is not set up here.',
    zh: '此处尚未配置微信内登录。',
  },

  webhook_signature_invalid: { en: 'The message is not from WeChat.', zh: '消息并非来自微信。' },

  wechat_unavailable: { en: 'WeChat is not answering. Try again.', zh: '微信暂时没有响应，请稍后再试。' },
  wechat_answer_invalid: { en: 'WeChat gave an unexpected answer. Try again.', zh: '微信返回异常，请重试。' },
  wechat_code_invalid: { en: 'The sign-in has expired. Start again.', zh: '登录凭证已失效，请重新登录。' },
  phone_code_invalid: {
    en: 'The code for the phone number is wrong or was used. It must come from the phone number button.',
    zh: '手机号验证码无效或已使用，请重新点击获取手机号按钮。',
  },
  session_key_missing: { en: 'The mini program must sign in again first.', zh: '请先重新登录小程序。' },
  session_key_stale: {
    en: 'The sign-in of the mini program has expired. Sign in again, then fetch the data again.',
    zh: '小程序登录已过期，请重新登录后再获取数据。',
  },
  wechat_credentials_rejected: {
    en: 'WeChat does not accept this site. Tell its operator.',
    zh: '微信拒绝了本站的凭证，请联系网站管理员。',
  },
  wechat_ip_not_allowed: {
    en: 'WeChat does not accept this server. Tell its operator.',
    zh: '微信未允许本服务器的访问，请联系网站管理员。',
  },
  wechat_quota_exceeded: {
    en: 'WeChat is limiting this site. Try later.',
    zh: '微信调用已达上限，请稍后再试。',
  },
  wechat_permission_missing: {
    en: 'WeChat does not allow this site to do that. Tell its operator.',
    zh: '本站缺少所需的微信权限，请联系网站管理员。',
  },
  wechat_user_restricted: { en: 'WeChat has restricted this account.', zh: '该微信账号已被微信限制。' },

  database_unavailable: { en: 'The service is busy. Try again.', zh: '服务繁忙，请稍后再试。' },
  internal_error: { en: 'Something went wrong. Try again.', zh: '出现错误，请重试。' },
};
