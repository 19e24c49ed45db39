import { Inject, Injectable, type OnModuleDestroy } from '@nestjs/common';
import { IAM_OPTIONS, type ResolvedIamOptions } from '../iam.resolved-options.js';
import { WechatHttp } from '../wechat/wechat-http.js';
import { WechatSns } from '../wechat/sns.js';

/** This application's one way to WeChat: its connections are closed with the module. */
@Injectable()
export class WechatGateway implements OnModuleDestroy {
  readonly http: WechatHttp;
  readonly sns: WechatSns;

  constructor(@Inject(IAM_OPTIONS) { wechat }: ResolvedIamOptions) {
    const { endpoints, allowLoopback, timeout } = wechat;
    this.http = new WechatHttp({ endpoints, allowLoopback, timeoutMs: timeout });
    this.sns = new WechatSns(this.http);
  }

  async onModuleDestroy(): Promise<void> {
    await this.http.close();
  }
}
