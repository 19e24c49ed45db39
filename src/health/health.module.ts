import { Global, Module } from '@nestjs/common';
import { RuntimeModule } from '../runtime/runtime.module.js';
import { WechatModule } from '../wechat/wechat.module.js';
import { SessionsModule } from '../sessions/sessions.module.js';
import { FollowLoginModule } from '../follow-login/follow-login.module.js';
import { Gauges } from './gauges.service.js';
import { IamHealth } from './iam-health.service.js';
import { SchemaWatch } from './schema-watch.service.js';

/** `IamHealth` and the gauges, for operators. */
@Global()
@Module({
  imports: [RuntimeModule, WechatModule, SessionsModule, FollowLoginModule],
  providers: [Gauges, IamHealth, SchemaWatch],
  exports: [IamHealth],
})
export class HealthModule {}
