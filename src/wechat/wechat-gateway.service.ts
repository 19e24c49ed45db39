import { z } from 'zod';
import { Injectable, Inject, type OnApplicationShutdown, type OnModuleInit } from '@nestjs/common';
import { Clock } from '../runtime/clock.js';
import type { IamErrorCode } from '../errors/iam.error.js';
import { type WechatCallReport, WechatHttp } from './wechat-http.js';
import { IamLogger } from '../runtime/iam-logger.js';
import { IAM_OPTIONS, type ResolvedIamOptions } from '../config/iam.resolved-options.js';
import { Telemetry } from '../runtime/telemetry.service.js';
import { BaseTokens } from './base-token.js';
import { phonePath } from './errcodes.js';
import { openid, unionid, WechatSns } from './sns.js';
import { foreignPhoneField, phoneResponse, toE164 } from './phone-number.js';
import type { WechatApp } from './wechat-call.js';
import { invalidResponse } from './wechat-error.js';
import { malformed, pictureTypeOf } from './wechat-response.js';

/** An app that WeChat refuses until the operator acts: see `code`. */
interface AppTrouble {
  readonly appid: string;
  readonly endpoint: string;
  readonly code: IamErrorCode;
  readonly errcode: number | undefined;
  readonly since: Date;
}

/** Errors that do not go away by themselves. */
const definitive: ReadonlySet<string> = new Set(['wechat_credentials_rejected', 'wechat_ip_not_allowed']);
/** Outcomes that only an app with an accepted secret and address gets. */
const settling: ReadonlySet<string> = new Set(['ok', 'wechat_code_invalid']);

/** Remembers, in this process, which apps WeChat definitively refused, until it serves them again. */
@Injectable()
export class AppHealth {
  /** By app and endpoint: a secret may be right where the address is wrong, which not every endpoint looks at. */
  private readonly troubles = new Map<string, AppTrouble>();

  constructor(private readonly clock: Clock) {}

  /** Takes note of a call that carried an app's secret. */
  note({ appid, endpoint, outcome, errcode }: WechatCallReport): void {
    if (appid === undefined) return;
    const key = `${appid} ${endpoint}`;
    if (settling.has(outcome)) this.troubles.delete(key);
    if (outcome === 'ok' || !definitive.has(outcome)) return;
    const since = this.troubles.get(key)?.since ?? new Date(this.clock.now());
    this.troubles.set(key, { appid, endpoint, code: outcome, errcode, since });
  }

  /** Every trouble that is known now. */
  list(): AppTrouble[] {
    return [...this.troubles.values()];
  }
}

const qrCodeResponse = z.object({ url: z.string().min(1).max(1024) });
/** The state of a person who scanned. */
const followerResponse = z
  .object({ subscribe: z.number().optional(), unionid })
  .transform(({ subscribe, unionid }) => ({ follows: subscribe !== 0, unionid }));

/** A row is `ok` with a new openid, or has the reason why there is none. */
const changedOpenids = z.object({
  result_list: z.array(
    z.object({ ori_openid: z.string(), new_openid: openid.optional(), err_msg: z.string().default('') }),
  ),
});

/** Five times what has been seen. */
const CODE_BYTES = 1024 * 1024;

/** The new openid of one follower of an Official Account that has moved into another one. */
export type ChangedOpenid = Readonly<z.infer<typeof changedOpenids>['result_list'][number]>;

/** This application's one way to WeChat: its connections are closed with the module. */
@Injectable()
export class WechatGateway implements OnModuleInit, OnApplicationShutdown {
  readonly http: WechatHttp;
  readonly sns: WechatSns;
  readonly baseTokens: BaseTokens;
  private readonly proxy: ResolvedIamOptions['wechat']['proxy'];

  constructor(
    @Inject(IAM_OPTIONS) { wechat }: ResolvedIamOptions,
    private readonly clock: Clock,
    telemetry: Telemetry,
    appHealth: AppHealth,
  ) {
    this.proxy = wechat.proxy;
    if (wechat.allowPrivateEndpoints)
      new IamLogger('IamWechat').warn(
        `wechat.allowPrivateEndpoints is on: secrets go to ${wechat.endpoints.api}, which need be neither public nor https. Never with people's real WeChat accounts, unless that host is your own relay`,
      );
    const onCall = (report: WechatCallReport) => {
      telemetry.wechatCall(report);
      appHealth.note(report);
    };
    this.http = new WechatHttp({ ...wechat, timeoutMs: wechat.timeout, clock, onCall });
    this.sns = new WechatSns(this.http);
    this.baseTokens = new BaseTokens(this.http, () => clock.elapsed());
  }

  /** A proxy of the environment that cannot be one fails the start. */
  async onModuleInit(): Promise<void> {
    if (this.proxy !== undefined) await this.http.connect();
  }

  /** A temporary QR code with a text scene (protocol E.3); returns the URL for us to draw. */
  async createSceneQrCode(app: WechatApp, scene: string, seconds: number): Promise<string> {
    const body = {
      expire_seconds: seconds,
      action_name: 'QR_STR_SCENE',
      action_info: { scene: { scene_str: scene } },
    };
    return (await this.baseTokens.call(app, { path: '/cgi-bin/qrcode/create', body }, qrCodeResponse)).url;
  }

  /**
   * The picture of a mini program code (protocol part 2, A.2) as a data URL: it opens `page` with this scene. The code works for
   * ever, so what its scene names must end. WeChat may send JSON or a page under any content type: only a JPEG or PNG passes.
   */
  async createMiniCode(
    app: WechatApp,
    { page, scene }: { readonly page: string; readonly scene: string },
  ): Promise<string> {
    const call = { path: '/wxa/getwxacodeunlimit', body: { scene, page }, repeatable: true };
    const { bytes } = await this.baseTokens.download(app, call, { maxBytes: CODE_BYTES });
    const mediaType = pictureTypeOf(bytes);
    if (mediaType === undefined) throw invalidResponse(call.path, 'no picture');
    return `data:${mediaType};base64,${bytes.toString('base64')}`;
  }

  /** The new openids in `app` of up to a hundred openids of the account `from`, which has moved into it (protocol part 2, D.1). */
  async changeOpenids(app: WechatApp, from: string, openids: readonly string[]): Promise<ChangedOpenid[]> {
    const body = { from_appid: from, openid_list: openids };
    const call = { path: '/cgi-bin/changeopenid', body, repeatable: true };
    return (await this.baseTokens.call(app, call, changedOpenids)).result_list;
  }

  /** The state of a follower (protocol E.4): since 2021 with the unionid and without a profile. */
  readFollower(app: WechatApp, openid: string): Promise<z.output<typeof followerResponse>> {
    const call = { path: '/cgi-bin/user/info', query: { openid, lang: 'zh_CN' }, repeatable: true };
    return this.baseTokens.call(app, call, followerResponse);
  }

  /**
   * The number behind a mini program's phone button (protocol D.3, part 2 B), in the form of E.164, e.g. `+8613800138000`. WeChat checks that
   * the code is this person's. Asked again where WeChat was busy: where it was not, the code is spent, and the person has to press the
   * button again either way.
   * @throws IamError `phone_code_invalid` for a code that is wrong, used, another person's or another app's, or of `wx.login`
   */
  async readPhoneNumber(app: WechatApp, code: string, openid: string): Promise<string> {
    const call = { path: phonePath, body: { code, openid }, repeatable: true };
    const response = await this.baseTokens.call(app, call, phoneResponse, {
      foreignField: (read) => foreignPhoneField(read, { appid: app.appid, now: this.clock.now() }),
    });
    const phoneNumber = await toE164(response);
    if (phoneNumber === null) throw malformed(phonePath, ['phone_info.purePhoneNumber']);
    return phoneNumber;
  }

  /** Not before the server has stopped: requests under way still call WeChat. */
  async onApplicationShutdown(): Promise<void> {
    await this.http.close();
  }
}
