import { Inject, Injectable, type OnApplicationShutdown } from '@nestjs/common';
import { z } from 'zod';
import { Clock } from '../runtime/clock.js';
import { IamLogger } from '../runtime/iam-logger.js';
import { IAM_OPTIONS, type ResolvedIamOptions } from '../config/iam.resolved-options.js';
import { Telemetry } from '../runtime/telemetry.service.js';
import { BaseTokens } from './base-token.js';
import { phoneAnswerOf } from './phone-response.js';
import { openid, unionid } from './sns-responses.js';
import { WechatSns } from './sns.js';
import type { WechatApp } from './wechat-app.js';
import { WechatError } from './wechat-error.js';
import { WechatHttp, type WechatCallReport } from './wechat-http.js';
import { AppHealth } from './app-health.service.js';

const qrCodeResponse = z.object({ url: z.string().min(1).max(1024) });
const followerResponse = z.object({ subscribe: z.number().optional(), unionid });

/** A row is `ok` with a new openid, or says why there is none. */
const changedOpenids = z.object({
  result_list: z.array(
    z.object({ ori_openid: z.string(), new_openid: openid.optional(), err_msg: z.string().default('') }),
  ),
});

/** The openid of a call does not fit. */
const OPENID_REFUSED = 40003;

/** What WeChat says of one openid of an Official Account that has moved into another one. */
export type ChangedOpenid = Readonly<z.infer<typeof changedOpenids>['result_list'][number]>;

/** What WeChat says of somebody who scanned. */
export interface FollowerResponse {
  readonly follows: boolean;
  readonly unionid: string | null;
}

/** This application's one way to WeChat: its connections are closed with the module. */
@Injectable()
export class WechatGateway implements OnApplicationShutdown {
  readonly http: WechatHttp;
  readonly sns: WechatSns;
  readonly baseTokens: BaseTokens;

  constructor(
    @Inject(IAM_OPTIONS) { wechat }: ResolvedIamOptions,
    clock: Clock,
    telemetry: Telemetry,
    appHealth: AppHealth,
  ) {
    const { endpoints, allowLoopback, allowPrivateEndpoints, proxy, timeout } = wechat;
    if (allowPrivateEndpoints)
      new IamLogger('IamWechat').warn(
        `wechat.allowPrivateEndpoints is on: secrets go to ${endpoints.api}, which need be neither public nor https. Never with people's real WeChat accounts, unless that host is your own relay`,
      );
    const onCall = (report: WechatCallReport) => {
      telemetry.wechatCall(report);
      appHealth.note(report);
    };
    this.http = new WechatHttp({
      endpoints,
      allowLoopback,
      allowPrivateEndpoints,
      proxy,
      timeoutMs: timeout,
      clock,
      onCall,
    });
    this.sns = new WechatSns(this.http);
    this.baseTokens = new BaseTokens(this.http, () => clock.elapsed());
  }

  /** A temporary QR code with a text scene (protocol E.3); gives what the code says, to be drawn by us. */
  async createSceneQrCode(app: WechatApp, scene: string, seconds: number): Promise<string> {
    const body = {
      expire_seconds: seconds,
      action_name: 'QR_STR_SCENE',
      action_info: { scene: { scene_str: scene } },
    };
    return (await this.baseTokens.call(app, { path: '/cgi-bin/qrcode/create', body }, qrCodeResponse)).url;
  }

  /** What up to a hundred openids of the account `from` are in `app`, into which it has moved (protocol part 2, D.1). */
  async changeOpenids(app: WechatApp, from: string, openids: readonly string[]): Promise<ChangedOpenid[]> {
    const body = { from_appid: from, openid_list: openids };
    const call = { path: '/cgi-bin/changeopenid', body, repeatable: true };
    return (await this.baseTokens.call(app, call, changedOpenids)).result_list;
  }

  /** What WeChat says of a follower (protocol E.4): since 2021 the unionid and no profile. */
  async readFollower(app: WechatApp, openid: string): Promise<FollowerResponse> {
    const call = { path: '/cgi-bin/user/info', query: { openid, lang: 'zh_CN' }, repeatable: true };
    const answer = await this.baseTokens.call(app, call, followerResponse);
    return { follows: answer.subscribe !== 0, unionid: answer.unionid ?? null };
  }

  /**
   * The number behind a mini program's phone button (protocol D.3), with country code. WeChat checks that the code is this
   * person's; a code of somebody else, or one of `wx.login`, is `phone_code_invalid`.
   */
  async readPhoneNumber(app: WechatApp, code: string, openid: string): Promise<string> {
    const path = '/wxa/business/getuserphonenumber';
    try {
      return await this.baseTokens.call(app, { path, body: { code, openid } }, phoneAnswerOf(app.appid));
    } catch (error) {
      if (!(error instanceof WechatError) || error.errcode !== OPENID_REFUSED) throw error;
      const { endpoint, errcode, rid } = error;
      throw new WechatError('phone_code_invalid', 'the code is not of this person', {
        endpoint,
        action: 'relogin',
        errcode,
        rid,
      });
    }
  }

  /** Not before the server has stopped: requests under way still ask WeChat. */
  async onApplicationShutdown(): Promise<void> {
    await this.http.close();
  }
}
