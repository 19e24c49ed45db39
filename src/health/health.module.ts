import { Global, Module } from '@nestjs/common';
import { RuntimeModule } from '../runtime/runtime.module.js';
import { WechatModule } from '../wechat/wechat.module.js';
import { SessionsModule } from '../sessions/sessions.module.js';
import { QrLoginModule } from '../qr-login/qr-login.module.js';
import { Gauges } from './gauges.service.js';
import { IamHealth } from './iam-health.service.js';
import { SchemaWatch } from './schema-watch.service.js';

/** `IamHealth` and the gauges, for operators. */
@Global()
@Module({
  imports: [RuntimeModule, WechatModule, SessionsModule, QrLoginModule],
  providers: [Gauges, IamHealth, SchemaWatch],
  exports: [IamHealth],
})
export class HealthModule {}
