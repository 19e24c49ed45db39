import type { IdentityProviderInput } from 'nestjs-wechat-iam';

/** The row of the demo: one Open Platform account with a website app and an Official Account, all of them the emulator's. */
export const demoProviders: readonly IdentityProviderInput[] = [
  {
    slug: 'wechat',
    name: '微信',
    open_app_id: 'wxdemo0000000open',
    open_app_secret: 'demo-secret-of-the-website-app00',
    mp_app_id: 'wxdemo000000000mp',
    mp_app_secret: 'demo-secret-of-the-account000000',
  },
];
