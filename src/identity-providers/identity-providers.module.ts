import { Global, Module } from '@nestjs/common';
import { RuntimeModule } from '../runtime/runtime.module.js';
import { DatabaseModule } from '../database/database.module.js';
import { WechatModule } from '../wechat/wechat.module.js';
import { HttpModule } from '../http/http.module.js';
import { UsersModule } from '../users/users.module.js';
import { AccountMigration } from './account-migration.service.js';
import { ProviderCheck } from './check/provider-check.service.js';
import { WechatCheck } from './check/wechat-check.service.js';
import { AcceptedSecrets } from './confirmations.service.js';
import { IdentityProviders } from './identity-providers.service.js';
import { ProviderRows } from './provider-rows.service.js';
import { SessionKeys } from './session-keys.service.js';
import { WechatApi } from './wechat-api.service.js';

/** The rows that an admin configures, and what WeChat says of them. */
@Global()
@Module({
  imports: [RuntimeModule, DatabaseModule, WechatModule, HttpModule, UsersModule],
  providers: [
    WechatApi,
    SessionKeys,
    AccountMigration,
    IdentityProviders,
    ProviderRows,
    AcceptedSecrets,
    ProviderCheck,
    WechatCheck,
  ],
  exports: [WechatApi, SessionKeys, IdentityProviders, ProviderRows, AcceptedSecrets, ProviderCheck],
})
export class IdentityProvidersModule {}
