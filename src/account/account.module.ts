import { Global, Module } from '@nestjs/common';
import { WechatModule } from '../wechat/wechat.module.js';
import { HttpModule } from '../http/http.module.js';
import { UsersModule } from '../users/users.module.js';
import { SessionsModule } from '../sessions/sessions.module.js';
import { SignInModule } from '../sign-in/sign-in.module.js';
import { OAuthModule } from '../oauth/oauth.module.js';
import { PrivacyModule } from '../privacy/privacy.module.js';
import { IamUsers } from './iam-users.service.js';
import { MeApiKeysController } from './me-api-keys.controller.js';
import { MeIdentitiesController } from './me-identities.controller.js';
import { MeController } from './me.controller.js';
import { MeSessionsController } from './me-sessions.controller.js';

/** The signed-in person’s own account, and `IamUsers` for the host. */
@Global()
@Module({
  imports: [WechatModule, HttpModule, UsersModule, SessionsModule, SignInModule, OAuthModule, PrivacyModule],
  controllers: [MeController, MeIdentitiesController, MeSessionsController, MeApiKeysController],
  providers: [IamUsers],
  exports: [IamUsers],
})
export class AccountModule {}
