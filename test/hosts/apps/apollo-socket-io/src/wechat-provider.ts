import { Injectable, type OnApplicationBootstrap } from '@nestjs/common';
import { IdentityProviders, type IdentityProviderInput } from 'nestjs-wechat-iam';

/** Writes the provider row at start-up. */
@Injectable()
export class WechatProvider implements OnApplicationBootstrap {
  constructor(private readonly providers: IdentityProviders) {}

  async onApplicationBootstrap(): Promise<void> {
    const row: IdentityProviderInput = {
      slug: 'wechat',
      name: '微信',
      open_app_id: process.env['OPEN_APP_ID'],
      open_app_secret: process.env['OPEN_APP_SECRET'],
      mp_app_id: process.env['MP_APP_ID'],
      mp_app_secret: process.env['MP_APP_SECRET'],
    };
    await this.providers.save(row);
  }
}
