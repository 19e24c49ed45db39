import { words } from '../shared/language';

/** The words of this page. */
export const say = words({
  title: ['登录{place}', 'Sign in to {place}'],
  account: ['使用您的{site}账号', 'with your account at {site}'],
  loading: ['正在加载登录方式…', 'Loading the ways to sign in…'],
  otherWays: ['其他登录方式', 'Other ways to sign in'],
  open: ['微信扫码', 'WeChat QR code'],
  follow: ['关注公众号扫码', 'Follow and scan'],
  page: ['微信扫码确认', 'Scan and confirm'],
  page_pending: ['用微信扫码，在手机上确认登录', 'Scan with WeChat and confirm on your phone'],
  page_scanned_number: ['已扫描。请在手机上输入下面的数字', 'Scanned. Type this number on your phone'],
  pageQr: ['登录二维码，请用微信扫一扫', 'QR code to sign in: scan it with WeChat'],
  pageLink: ['无法扫码？在微信中打开此链接', 'Cannot scan it? Open this link in WeChat'],
  mini: ['小程序码登录', 'Mini program code'],
  mini_pending: ['用微信扫码，在小程序中确认登录', 'Scan with WeChat and confirm in the mini program'],
  mini_scanned_tap: [
    '已扫描。请在小程序中核对下面的数字并确认',
    'Scanned. Compare this number in the mini program and confirm',
  ],
  mini_scanned_number: [
    '已扫描。请在小程序中输入下面的数字',
    'Scanned. Type this number in the mini program',
  ],
  mini_expired: ['小程序码已过期', 'This code has expired'],
  miniQr: ['小程序码，请用微信扫一扫', 'Mini program code: scan it with WeChat'],
  mp: ['微信授权', 'Continue in WeChat'],
  oneTap: ['微信一键登录', 'Continue with WeChat'],
  oneTapWith: ['{name} 登录', 'Continue with {name}'],
  goOn: ['前往微信扫码', 'Go on to the WeChat QR code'],
  goOnHint: [
    '已确认关注。再扫一次微信二维码，即可完成登录。',
    'You follow the account. One more scan with WeChat and you are signed in.',
  ],
  insideHint: [
    '将使用您的微信身份登录，{site}不会获得您的微信密码。',
    'You sign in as yourself in WeChat. {site} never sees your WeChat password.',
  ],
  leaving: ['正在前往微信…', 'Going to WeChat…'],
  openHint: ['打开微信，用“扫一扫”扫描二维码', 'Open WeChat and scan this code'],
  openFrame: ['微信登录二维码', 'QR code of WeChat'],
  openPage: ['二维码没有显示？在微信页面打开', 'No code to see? Open it on WeChat’s own page'],
  refresh: ['换一个二维码', 'Get a new code'],
  follow_loading: ['正在获取二维码…', 'Getting the QR code…'],
  follow_pending: ['用微信扫码并关注公众号，即可登录', 'Scan with WeChat and follow the account to sign in'],
  follow_scanned_tap: [
    '已扫描。请在手机上核对下面的数字并确认',
    'Scanned. Compare this number on your phone and confirm',
  ],
  follow_scanned_number: [
    '已扫描。请在公众号里回复下面的数字',
    'Scanned. Send this number to the Official Account',
  ],
  follow_scanned_none: ['已扫描，正在登录…', 'Scanned. Signing in…'],
  follow_confirmed: ['已确认，正在登录…', 'Confirmed. Signing in…'],
  follow_denied: ['您在手机上取消了登录', 'You declined on your phone'],
  follow_expired: ['二维码已过期', 'This code has expired'],
  follow_limited: ['请求过于频繁，请稍等片刻', 'Too many requests. Wait a moment'],
  follow_failed: ['暂时无法获取二维码', 'No QR code can be had right now'],
  follow_offline: ['网络连接不可用', 'You seem to be offline'],
  follow_interrupted: ['连接中断，正在重试…', 'Connection lost, trying again…'],
  followQr: ['公众号二维码，请用微信扫一扫', 'QR code of the Official Account: scan it with WeChat'],
  number: ['核对数字', 'Number'],
  retry: ['重试', 'Try again'],
  offline: ['无法连接，请检查网络后重试', 'No connection. Check your network and try again'],
  broken: ['暂时无法加载登录方式', 'The ways to sign in cannot be loaded right now'],
  none: ['这里还没有设置登录方式', 'No way of signing in is set up here yet'],
  noneHint: ['请联系网站管理员。', 'Please tell the people who run this site.'],
  back: ['返回{place}', 'Back to {place}'],
  problemHint: ['您可以重新登录，或换一种方式。', 'You can try again or choose another way.'],
  phoneTitle: ['请在微信中打开', 'Open this in WeChat'],
  phoneHint: [
    '手机上的其他浏览器无法唤起微信登录。复制链接，发到微信（例如“文件传输助手”），再在微信里点开它。',
    'Other browsers on a phone cannot sign in with WeChat. Copy the link, send it to yourself in WeChat (File Transfer, say) and tap it there.',
  ],
  link: ['要在微信中打开的链接', 'Link to open in WeChat'],
  copy: ['复制链接', 'Copy the link'],
  copied: ['已复制，去微信粘贴吧', 'Copied. Now paste it in WeChat'],
  copyFailed: ['请长按链接手动复制', 'Press and hold the link to copy it'],
  agree: ['我已阅读并同意{documents}', 'I have read and agree to the {documents}'],
  terms: ['《服务条款》', 'terms of use'],
  privacy: ['《隐私政策》', 'privacy policy'],
  and: ['和', ' and '],
  tickFirst: ['请先阅读并勾选同意', 'Tick the box to go on'],
  tickToShow: ['勾选下方同意后显示二维码', 'Tick the box below to see the code'],
  consentFailed: ['无法保存您的同意，请重试', 'Your consent could not be saved. Try again'],
});

const ways = ['open', 'follow', 'page', 'mini', 'mp'] as const;

/** What a method of signing in is called. */
export function nameOf(method: string): string {
  const [name] = ways.filter((way) => way === method);
  return name === undefined ? method : say(name);
}

type CodeState =
  | 'loading'
  | 'pending'
  | `scanned_${'tap' | 'number' | 'none'}`
  | 'confirmed'
  | 'denied'
  | 'expired'
  | 'limited'
  | 'failed'
  | 'offline'
  | 'interrupted';

/** What a QR code of ours says of its state: each way says what is to be done on the phone. */
export function stateOf(method: string, state: CodeState): string {
  const isOwn =
    state === 'pending' || state === 'scanned_tap' || state === 'scanned_number' || state === 'expired';
  if (method === 'page' && (state === 'pending' || state === 'scanned_number')) return say(`page_${state}`);
  return method === 'mini' && isOwn ? say(`mini_${state}`) : say(`follow_${state}`);
}
