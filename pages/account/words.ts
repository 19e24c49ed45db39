import { codeWords, words } from '../shared/language';

/** The words of the account page. */
export const say = words({
  title: ['我的账号', 'My account'],
  loading: ['正在加载…', 'Loading…'],
  retry: ['重试', 'Try again'],
  offline: ['无法连接，请检查网络后重试', 'No connection. Check your network and try again'],
  failed: ['操作没有成功，请稍后重试', 'That did not work. Try again later'],
  reference: ['参考编号 {id}', 'Reference {id}'],
  cancel: ['取消', 'Cancel'],
  close: ['关闭', 'Close'],
  signOut: ['退出登录', 'Sign out'],
  signedOut: ['您已退出登录', 'You are signed out'],
  signedOutHint: ['再次登录即可管理您的账号。', 'Sign in again to manage your account.'],
  erased: ['您的账号已删除', 'Your account has been deleted'],
  erasedHint: [
    '我们保存的关于您的全部资料已被移除。',
    'Everything that was held about you has been removed.',
  ],
  signIn: ['登录', 'Sign in'],
  signInFailed: ['登录没有完成', 'The sign-in was not completed'],

  unnamed: ['未设置昵称', 'No nickname'],
  since: ['{date} 加入', 'Member since {date}'],
  nickname: ['昵称', 'Nickname'],
  editNickname: ['修改昵称', 'Change nickname'],
  nicknameHint: [
    '最多 64 个字。留空则使用微信昵称。',
    'At most 64 characters. Leave it empty to use the one of WeChat.',
  ],
  nicknameInvalid: ['昵称里没有可见的字符', 'There is nothing visible in this nickname'],
  save: ['保存', 'Save'],
  saved: ['昵称已保存', 'Nickname saved'],
  accountId: ['账号 ID', 'Account ID'],

  identities: ['登录方式', 'Ways to sign in'],
  identitiesHint: [
    '下列每个微信身份都能登录这个账号。',
    'Each of these WeChat identities signs in to this account.',
  ],
  kind_open: ['微信扫码登录', 'WeChat QR code'],
  kind_mp: ['微信公众号', 'Official Account'],
  kind_mini: ['微信小程序', 'Mini program'],
  kind_mobile: ['手机应用', 'Mobile app'],
  follows: ['已关注', 'Following'],
  linkedAt: ['{date} 绑定', 'Linked on {date}'],
  unlink: ['解除绑定', 'Unlink'],
  unlinkWhich: ['解除绑定：{name}', 'Unlink {name}'],
  lastIdentity: ['唯一的登录方式不能解除', 'The only way to sign in cannot be removed'],
  unlinkTitle: ['解除绑定“{name}”？', 'Unlink “{name}”?'],
  unlinkMeaning: [
    '之后不能再用这个微信身份登录此账号；用它登录的设备会退出，可能也包括这一台。账号里的资料不受影响。',
    'This WeChat identity will no longer sign in to this account. Devices that signed in with it are signed out, perhaps this one too. What is in the account stays.',
  ],
  endOthers: ['同时退出其他所有设备', 'Also sign out all other devices'],
  unlinked: ['已解除绑定', 'Unlinked'],
  unlinkedRejoins: [
    '已解除绑定。您的另一个微信身份属于同一个人，所以再用它登录时仍会回到此账号。',
    'Unlinked. Another identity of the same WeChat person stays, so signing in with this one leads here again.',
  ],
  link: ['绑定其他微信', 'Link another WeChat'],
  linkTitle: ['绑定其他微信', 'Link another WeChat'],
  linkMeaning: [
    '绑定后，那个微信也能登录此账号。请只绑定您自己的微信；已属于其他账号的微信不能绑定。',
    'The other WeChat will then sign in to this account too. Link only your own; one that belongs to another account cannot be linked.',
  ],
  linkVia: ['通过哪个入口绑定', 'Link by'],
  linkGo: ['前往微信确认', 'Confirm in WeChat'],
  linkNone: [
    '这个浏览器无法绑定微信，请在电脑浏览器或微信中打开本页。',
    'This browser cannot link a WeChat. Open this page on a computer or in WeChat.',
  ],
  linked: ['绑定成功', 'Linked'],
  linkFailed: ['绑定没有完成', 'The link was not completed'],

  devices: ['登录的设备', 'Signed-in devices'],
  devicesHint: [
    '如有不认识的设备，请将其退出并检查登录方式。',
    'If you do not recognise a device, sign it out and check the ways to sign in.',
  ],
  current: ['当前设备', 'This device'],
  lastUsed: ['最近使用 {when}', 'Last used {when}'],
  signedInAt: ['登录于 {date}', 'Signed in on {date}'],
  method_open: ['微信扫码', 'WeChat QR code'],
  method_mp: ['微信内', 'in WeChat'],
  method_follow: ['关注公众号', 'by following'],
  method_page: ['扫码确认', 'by scanning and confirming'],
  method_device: ['输入设备代码', 'by a typed code'],
  method_mini: ['小程序', 'mini program'],
  method_mobile: ['手机应用', 'mobile app'],
  end: ['退出', 'Sign out'],
  endWhich: ['退出设备：{name}', 'Sign out {name}'],
  ended: ['该设备已退出', 'That device is signed out'],
  endAllOthers: ['退出其他所有设备', 'Sign out all other devices'],
  endAllTitle: ['退出其他所有设备？', 'Sign out all other devices?'],
  endAllMeaning: [
    '只有当前设备保持登录。其他设备最迟在几分钟内退出。',
    'Only this device stays signed in. The others are out within minutes.',
  ],
  endedCount: ['已退出 {count} 台设备', 'Signed out {count} devices'],
  limitEnds: [
    '最多同时登录 {count} 台设备；再登录时，最早登录的一台会退出。',
    'At most {count} devices at the same time: one more signs out the one that signed in first.',
  ],
  limitRefuses: [
    '最多同时登录 {count} 台设备；再登录前请先退出一台。',
    'At most {count} devices at the same time: sign one out before you sign in on another.',
  ],
  clientLimitEnds: [
    '每个应用最多同时登录 {count} 台设备；再登录时，最早登录的一台会退出。',
    'At most {count} devices at the same time in each application: one more signs out the one that signed in first.',
  ],
  clientLimitRefuses: [
    '每个应用最多同时登录 {count} 台设备；再登录前请先退出一台。',
    'At most {count} devices at the same time in each application: sign one out before you sign in on another.',
  ],
  onlyThis: ['没有其他已登录的设备', 'No other device is signed in'],

  phone: ['手机号', 'Phone number'],
  phoneVerified: ['{date} 由微信验证', 'Verified by WeChat on {date}'],
  forgetPhone: ['删除手机号', 'Remove'],
  forgetPhoneTitle: ['删除手机号 {number}？', 'Remove the phone number {number}?'],
  forgetPhoneMeaning: [
    '网站将不再知道您的手机号。您可以在小程序里重新验证。',
    'The site will no longer know your number. You can verify it again in the mini program.',
  ],
  phoneForgotten: ['手机号已删除', 'Phone number removed'],

  privacy: ['数据与隐私', 'Data and privacy'],
  export: ['我的数据', 'My data'],
  download: ['下载', 'Download'],
  exportHint: [
    '一个 JSON 文件，包含我们保存的关于您的全部资料。',
    'One JSON file with everything that is held about you.',
  ],
  exporting: ['正在准备…', 'Preparing…'],
  exported: ['数据已下载', 'Your data has been downloaded'],
  erase: ['删除账号', 'Delete my account'],
  eraseBegin: ['删除…', 'Delete…'],
  eraseHint: ['永久移除账号和全部资料。', 'Removes the account and everything in it for good.'],
  eraseTitle: ['删除账号？', 'Delete your account?'],
  eraseMeaning: [
    '其他设备会立即退出。宽限期过后，账号、登录方式、设备记录和资料将被永久移除，无法恢复；在那之前您可以随时撤回。',
    'All other devices are signed out at once. When the waiting period is over, the account, its ways to sign in, its devices and its data are removed for good and cannot be restored. Until then you can change your mind.',
  ],
  eraseTick: ['我明白账号将被永久删除', 'I understand that the account will be gone for good'],
  eraseGo: ['删除账号', 'Delete my account'],
  erasePlanned: ['您的账号将于 {date} 删除', 'Your account will be deleted on {date}'],
  erasePlannedHint: [
    '在此之前您可以撤回，一切照旧。',
    'You can take this back until then, and nothing changes.',
  ],
  keep: ['保留我的账号', 'Keep my account'],
  kept: ['您的账号将保留', 'Your account stays'],

  stepUpTitle: ['请再次登录确认身份', 'Sign in again to confirm it is you'],
  stepUpMeaning: [
    '为了您的账号安全，此操作需要最近登录过。登录后会回到这里，您填写的内容都会保留。',
    'This change needs a recent sign-in, for the safety of your account. You come back here afterwards, and nothing that you filled in is lost.',
  ],
  stepUpGo: ['用微信确认', 'Confirm with WeChat'],
  stepUpOther: [
    '刚才登录的是另一个账号，所以没有继续之前的操作。',
    'Another account has signed in just now, so what you had begun was not continued.',
  ],
});

/** What the codes of refused requests mean here. */
export const problemWords = codeWords({
  access_denied: ['您在微信里取消了', 'You declined in WeChat'],
  identity_conflict: ['这个微信已属于另一个账号', 'This WeChat belongs to another account'],
  last_identity: ['唯一的登录方式不能解除', 'The only way to sign in cannot be removed'],
  in_use: [
    '账号仍被网站的其他功能使用，暂时无法删除，请联系网站',
    'The site still needs the account. Please contact the site',
  ],
  browser_unsupported: ['请在电脑浏览器或微信中打开本页', 'Open this page on a computer or in WeChat'],
});
