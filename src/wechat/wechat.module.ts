import { Global, Module } from '@nestjs/common';
import { RuntimeModule } from '../runtime/runtime.module.js';
import { AppHealth, WechatGateway } from './wechat-gateway.service.js';

/** This application's one client of WeChat. */
@Global()
@Module({
  imports: [RuntimeModule],
  providers: [AppHealth, WechatGateway],
  exports: [AppHealth, WechatGateway],
})
export class WechatModule {}
