import type { IdentityProviderInput } from 'nestjs-wechat-iam';

/** One Open Platform account with a website app and an Official Account, all of them the emulator's. */
const apps = {
  open_app_id: 'wxde00000000000001',
  open_app_secret: 'demo-secret-of-the-website-app00',
  mp_app_id: 'wxde00000000000002',
  mp_app_secret: 'demo-secret-of-the-account000000',
};

/** Follow-to-login. The Official Account has one server URL, which is that of the first row with its Token. */
const following = {
  ...apps,
  union_scope: 'wechat',
  mp_token: 'demoTokenOfTheAccount',
  mp_encoding_aes_key: 'demoEncodingAESKeyOfTheAccount0000000000000',
  qr_enabled: true,
};

/** A mini program of the shop, whose page confirms sign-ins of other devices. */
const mini = {
  union_scope: 'wechat',
  mini_app_id: 'wxde00000000000005',
  mini_app_secret: 'demo-secret-of-the-mini-program0',
  mini_approval_page: 'pages/approve/approve',
  mini_link: 'scheme',
} as const;

/**
 * The apps of the members' page, in an Open Platform account of their own: a person whom the other rows know is not known
 * here, so that the page can show how WeChat and an account come together.
 */
const members = {
  open_app_id: 'wxde00000000000003',
  open_app_secret: 'demo-secret-of-the-members-site0',
  mp_app_id: 'wxde00000000000004',
  mp_app_secret: 'demo-secret-of-members-account00',
  union_scope: 'members',
};

/** The row of the members' page. */
export const membersProvider = 'wechat-members';

/**
 * The rows of the demo: five entrances with the same apps, so that a person is one user at all of them, and one of
 * `/members`, which asks who is not known yet for an account of the shop.
 */
export const demoProviders: readonly IdentityProviderInput[] = [
  { slug: 'wechat', name: '微信', ...apps },
  {
    slug: 'wechat-follow',
    name: '公众号',
    ...following,
    qr_login_with: 'mp',
    qr_confirmation: 'tap',
  },
  {
    slug: 'wechat-follow-open',
    name: '公众号 + 开放平台',
    ...following,
    qr_login_with: 'open',
    qr_confirmation: 'tap',
  },
  {
    slug: 'wechat-page',
    name: '扫码确认',
    ...apps,
    union_scope: 'wechat',
    qr_enabled: true,
    qr_with: 'page',
    qr_confirmation: 'tap',
  },
  {
    slug: 'wechat-mini',
    name: '小程序码登录',
    ...apps,
    ...mini,
    qr_enabled: true,
    qr_with: 'mini',
    qr_confirmation: 'tap',
  },
  { slug: membersProvider, name: '微信（老会员）', sign_up: 'bind', ...members },
];
