import { codeWords, type Word } from '../../shared/language';
import type { Registration } from './provider-fields';
import type { PlainColumn, SecretColumn } from './provider-types';

type NamedColumn = 'slug' | PlainColumn | SecretColumn | Registration;

/** The names of columns, as labels and in sentences. */
export const columnName = codeWords({
  slug: ['标识', 'Slug'],
  name: ['名称', 'Name'],
  enabled: ['启用', 'Enabled'],
  sign_up: ['第一次登录的人', 'People not seen before'],
  union_scope: ['unionid 范围', 'Union scope'],
  open_app_id: ['AppID', 'AppID'],
  open_app_secret: ['AppSecret', 'AppSecret'],
  mp_app_id: ['AppID', 'AppID'],
  mp_app_secret: ['AppSecret', 'AppSecret'],
  mp_scope: ['授权方式', 'Authorization'],
  mp_token: ['令牌（Token）', 'Token (令牌)'],
  mp_token_previous: ['旧的 Token', 'Previous Token'],
  mp_encoding_aes_key: ['消息加解密密钥（EncodingAESKey）', 'EncodingAESKey (消息加解密密钥)'],
  mp_encoding_aes_key_previous: ['旧的 EncodingAESKey', 'Previous EncodingAESKey'],
  mp_message_mode: ['消息加解密方式', 'Message encryption (消息加解密方式)'],
  qr_enabled: ['电脑上显示二维码', 'QR code on PCs'],
  qr_with: ['二维码打开', 'The QR code opens'],
  qr_login_with: ['扫码之后', 'After the scan'],
  qr_confirmation: ['手机上的确认', 'Confirmation on the phone'],
  mini_app_id: ['AppID', 'AppID'],
  mini_app_secret: ['AppSecret', 'AppSecret'],
  mini_session_keys: ['保管 session_key', 'Keep session keys'],
  mini_approval_page: ['确认页面的路径', 'Path of the approval page'],
  mini_link: ['在手机浏览器中', 'In a phone’s browser'],
  mobile_app_id: ['AppID', 'AppID'],
  mobile_app_secret: ['AppSecret', 'AppSecret'],
  callback_domain: ['授权域名', 'Authorized domain'],
  callback_url: ['回调地址', 'Callback URL'],
  webhook_url: ['服务器地址（URL）', 'Server URL (服务器地址)'],
  ip_whitelist: ['IP 白名单', 'IP whitelist (IP白名单)'],
} satisfies Readonly<Record<NamedColumn, Word>>);

/** What a column does, for somebody who sees it for the first time. */
export const columnHelp = codeWords({
  slug: [
    '出现在网址中，创建后不能修改。小写字母、数字、- 与 _，例如 wechat。',
    'Part of the URLs; it cannot be changed later. Lower-case letters, digits, - and _, such as wechat.',
  ],
  name: ['显示在登录页上，最多 100 个字符。', 'Shown on the sign-in page, at most 100 characters.'],
  enabled: [
    '停用后没有人能由此登录；已登录的人不受影响。',
    'Nobody can sign in through it while it is off; people who are signed in stay signed in.',
  ],
  sign_up: [
    '微信验证了一个还没有用户的人时，如何处理。',
    'What happens when WeChat proves a person who has no user yet.',
  ],
  union_scope: [
    '值相同的登录入口共用 unionid：它们的应用必须绑定到同一个开放平台账号。留空则用标识。',
    'Providers with the same value share unionids: their apps must be bound to one Open Platform account. Empty: the slug.',
  ],
  open_app_id: [
    'wx 加 16 位十六进制字符，例如 wx0123456789abcdef。',
    'wx and 16 hex digits, such as wx0123456789abcdef.',
  ],
  mp_app_id: [
    '已认证的服务号。wx 加 16 位十六进制字符。',
    'A verified Official Account (服务号). wx and 16 hex digits.',
  ],
  mini_app_id: ['wx 加 16 位十六进制字符。', 'wx and 16 hex digits.'],
  mini_session_keys: [
    '加密保存每个人最近一次登录的 session_key，服务器可用它签名与解密。不需要就关闭。',
    'Stores the session key of each person’s last login, sealed, so that the server can sign and decrypt. Off unless it is needed.',
  ],
  mobile_app_id: ['wx 加 16 位十六进制字符。', 'wx and 16 hex digits.'],
  mp_scope: [
    '静默授权不询问用户，也得不到昵称与头像。',
    'The silent one asks nothing, and learns neither nickname nor picture.',
  ],
  mp_token: [
    '3 到 32 位字母或数字，与控制台中的完全一致。',
    '3 to 32 letters and digits, exactly as in the console.',
  ],
  mp_encoding_aes_key: [
    '43 位字母或数字，与控制台中的完全一致。',
    '43 letters and digits, exactly as in the console.',
  ],
  mp_message_mode: ['必须与控制台中选择的一致。', 'Must be what is chosen in the console.'],
  qr_enabled: [
    '电脑上的人扫描二维码，在手机上确认即登录。关闭时使用开放平台的二维码。',
    'People on a PC scan a QR code and confirm on the phone. Off: the QR code of the Open Platform.',
  ],
  qr_with: [
    '关注公众号需要服务器配置；网页只需要公众号；小程序需要其中有确认页面。',
    'Following needs the server configuration, the page only the Official Account, the mini program a page in it.',
  ],
  qr_login_with: [
    '关注之后，用哪个身份登录。只用于关注公众号。',
    'The identity that signs in once they follow. For following only.',
  ],
  mini_approval_page: [
    '小程序已发布版本中的页面，例如 pages/approve/approve。',
    'A page of the released mini program, such as pages/approve/approve.',
  ],
  mini_link: [
    '明文 scheme 须先在小程序后台（隐私与安全）声明此页面；个人主体不能使用。',
    'The plain scheme takes this page to be declared in the console (隐私与安全); individuals cannot have it.',
  ],
  qr_confirmation: [
    '防止有人被骗去扫描他人屏幕上的二维码。',
    'Protects people who are talked into scanning the code on somebody else’s screen.',
  ],
  callback_domain: [
    '只填域名，不带 https://、端口与路径。',
    'The bare domain: no https://, no port, no path.',
  ],
  webhook_url: ['微信把消息与事件推送到这里。', 'WeChat pushes messages and events here.'],
  ip_whitelist: [
    '服务器的出口 IP。检查会指出微信拒绝了哪个地址。',
    'The addresses from which this server calls WeChat. The check names one that WeChat refuses.',
  ],
});

/** Where in WeChat's consoles the values of a section are found. The consoles are in Chinese, so both languages have their words. */
export const sectionPlace = codeWords({
  openApp: ['微信开放平台 → 管理中心 → 网站应用', 'open.weixin.qq.com → 管理中心 → 网站应用'],
  mpApp: ['微信公众平台 → 设置与开发 → 基本配置', 'mp.weixin.qq.com → 设置与开发 → 基本配置'],
  mpServer: [
    '微信公众平台 → 设置与开发 → 开发接口管理 → 服务器配置',
    'mp.weixin.qq.com → 设置与开发 → 开发接口管理 → 服务器配置',
  ],
  miniApp: ['微信公众平台（小程序）→ 开发管理', 'mp.weixin.qq.com (小程序) → 开发管理'],
  mobileApp: ['微信开放平台 → 管理中心 → 移动应用', 'open.weixin.qq.com → 管理中心 → 移动应用'],
});

/** Where a value of ours is entered, by `tab:registration`. */
export const registrationPlace = codeWords({
  'open:callback_domain': [
    '微信开放平台 → 网站应用 → 授权回调域',
    'open.weixin.qq.com → 网站应用 → 授权回调域',
  ],
  'mp:callback_domain': [
    '微信公众平台 → 设置与开发 → 网页授权域名',
    'mp.weixin.qq.com → 设置与开发 → 网页授权域名',
  ],
  'mp:ip_whitelist': [
    '微信公众平台 → 设置与开发 → 基本配置 → IP白名单',
    'mp.weixin.qq.com → 设置与开发 → 基本配置 → IP白名单',
  ],
  'mp:webhook_url': [
    '微信公众平台 → 设置与开发 → 开发接口管理 → 服务器配置',
    'mp.weixin.qq.com → 设置与开发 → 开发接口管理 → 服务器配置',
  ],
  'mini:ip_whitelist': ['微信公众平台（小程序）→ IP白名单', 'mp.weixin.qq.com (小程序) → IP白名单'],
});

/** What the options of a choice are called, by `column:option`. */
export const optionName = codeWords({
  'sign_up:auto': ['自动创建用户', 'Create a user'],
  'sign_up:bind': ['要求绑定已有账号', 'Ask them to connect an account they have'],
  'sign_up:off': ['拒绝', 'Refuse them'],
  'mp_scope:snsapi_userinfo': [
    '询问昵称与头像（snsapi_userinfo）',
    'Ask for nickname and picture (snsapi_userinfo)',
  ],
  'mp_scope:snsapi_base': ['静默（snsapi_base）', 'Silent (snsapi_base)'],
  'mp_message_mode:safe': ['安全模式（推荐）', 'Safe mode (安全模式), recommended'],
  'mp_message_mode:compatible': ['兼容模式', 'Compatible mode (兼容模式)'],
  'mp_message_mode:plain': ['明文模式', 'Plain mode (明文模式)'],
  'qr_with:follow': ['公众号：关注即登录', 'The Official Account, to follow it'],
  'qr_with:page': ['网页：在微信中确认', 'A page in WeChat, to confirm'],
  'qr_with:mini': ['小程序：在其中确认', 'The mini program, to confirm'],
  'mini_link:none': ['不打开小程序', 'Does not open the mini program'],
  'mini_link:scheme': ['用明文 scheme 打开', 'Opens it by its plain scheme (明文 scheme)'],
  'qr_login_with:mp': ['以公众号身份登录', 'Sign in with the Official Account'],
  'qr_login_with:open': ['继续开放平台的扫码', 'Go on to the Open Platform’s code'],
  'qr_confirmation:tap': ['点开链接并确认（推荐）', 'Open a link and confirm (recommended)'],
  'qr_confirmation:number': ['输入电脑上显示的数字', 'Type the number that the PC shows'],
  'qr_confirmation:none': ['不需要确认（不安全）', 'None (unsafe)'],
});

/** The tabs, and what each is for. */
export const tabTitle = codeWords({
  row: ['概况', 'Overview'],
  open: ['网站应用', 'Website app'],
  mp: ['公众号', 'Official Account'],
  follow: ['电脑二维码', 'QR code on PCs'],
  mini: ['小程序', 'Mini program'],
  mobile: ['移动应用', 'Mobile app'],
  advanced: ['高级', 'Advanced'],
});

export const tabPurpose = codeWords({
  open: [
    '电脑浏览器里显示微信二维码，用手机微信扫码登录。需要开放平台的网站应用。',
    'A WeChat QR code in a PC’s browser, scanned with the phone. Needs a website app of the Open Platform.',
  ],
  mp: [
    '在微信里打开网页时一键登录，也是关注登录的前提。需要已认证的服务号。',
    'One tap for pages opened inside WeChat, and what follow-to-login builds on. Needs a verified Official Account (服务号).',
  ],
  follow: [
    '电脑上显示二维码，手机扫码并确认即可登录：关注公众号、打开网页，或打开小程序。',
    'A PC shows a QR code, a phone scans it and confirms: by following the account, on a page, or in the mini program.',
  ],
  mini: ['小程序用 wx.login 的 code 登录。', 'A mini program signs in by the code of wx.login.'],
  mobile: [
    'iOS 与 Android 应用用 Open SDK 的 code 登录。',
    'iOS and Android apps sign in by the code of the Open SDK.',
  ],
});

export const sectionTitle = codeWords({
  entry: ['登录入口', 'Provider'],
  openApp: ['应用', 'App'],
  mpApp: ['账号', 'Account'],
  mpServer: ['服务器配置', 'Server configuration'],
  follow: ['电脑二维码', 'QR code on PCs'],
  miniApp: ['应用', 'App'],
  mobileApp: ['应用', 'App'],
  advanced: ['高级', 'Advanced'],
});

/** The ways of signing in that a row offers. */
export const wayName = codeWords({
  open: ['网站扫码', 'Website QR code'],
  mp: ['微信内', 'Inside WeChat'],
  follow: ['电脑二维码', 'QR code on PCs'],
  mini: ['小程序', 'Mini program'],
  mobile: ['移动应用', 'Mobile app'],
});

export const checkStatusWord = codeWords({
  ok: ['正常', 'Fine'],
  warning: ['提醒', 'Warning'],
  error: ['错误', 'Error'],
  unknown: ['无法核对', 'Cannot be checked'],
});
