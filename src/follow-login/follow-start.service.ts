import { Injectable } from '@nestjs/common';
import QRCode from 'qrcode';
import { z } from 'zod';
import type { IamErrorCode } from '../errors/iam.error.js';
import { IamUrls } from '../http/iam-urls.service.js';
import { toIamError } from '../http/to-iam-error.js';
import type { IdentityProvider } from '../identity-providers/identity-provider.js';
import { IdentityProviders } from '../identity-providers/identity-providers.service.js';
import { Clock } from '../runtime/clock.js';
import type { RequestOrigin } from '../runtime/request-context.js';
import type { WechatApp } from '../wechat/wechat-call.js';
import { FollowTokens, showUserCode } from './codes-and-tokens.service.js';
import type { ActingSession } from '../sessions/user-sessions.service.js';
import { WechatGateway } from '../wechat/wechat-gateway.service.js';
import { followAccountOf } from './follow-login.js';
import { FollowLogins, type StartedFollow } from './follow-logins.service.js';
import { LoginWatch } from './login-watch.service.js';
import { QrBudget } from './qr-budget.service.js';

/** RFC 8628 §3.2, with a picture of the QR code and a stream of its states. */
export const followStartedResponse = z.object({
  device_code: z.string(),
  user_code: z.string().meta({
    description: 'The code to show: it is typed at `verification_uri`, and the phone of a scan compares it',
  }),
  number: z.string().meta({
    description: 'Four digits, which may be typed on the phone of a scan in place of `user_code`',
  }),
  verification_uri: z.string().meta({ description: 'A page of ours to type `user_code` on, in any browser' }),
  verification_uri_complete: z.string().meta({ description: 'The content of the QR code' }),
  expires_in: z.number().meta({ description: 'Seconds' }),
  interval: z.number().meta({ description: 'Seconds between polls' }),
  qr_image: z.string().meta({ description: 'The QR code as a data URL (SVG)' }),
  confirmation: z
    .enum(['tap', 'number', 'none'])
    .meta({ description: 'What the phone must do after the scan' }),
  events_uri: z.string(),
});

/** `POST /follow/finish`: where the browser goes once the scan is confirmed, else where it may give up to. */
export const followFinishResponse = z.union([
  z.object({ status: z.literal('confirmed'), location: z.string() }),
  z.object({
    status: z.enum(['pending', 'scanned', 'denied', 'expired', 'failed', 'done']),
    return_to: z.string(),
  }),
]);

/** Why there may be no QR code. */
export const followStartErrors: readonly IamErrorCode[] = [
  'invalid_client',
  'invalid_scope',
  'rate_limited',
  'provider_not_found',
  'provider_disabled',
  'provider_misconfigured',
  'method_unavailable',
  'wechat_mp_not_configured',
  'wechat_open_not_configured',
  'wechat_unavailable',
  'wechat_answer_invalid',
  'wechat_credentials_rejected',
  'wechat_ip_not_allowed',
  'wechat_quota_exceeded',
  'wechat_permission_missing',
];

/** A QR code to follow by. */
export const followStartedExample: z.infer<typeof followStartedResponse> = {
  device_code: 'd9Qf…',
  user_code: 'WDJB-MJHT',
  number: '4821',
  verification_uri: 'https://app.example.com/iam/device',
  verification_uri_complete: 'http://weixin.qq.com/q/02aB…',
  expires_in: 300,
  interval: 2,
  qr_image: 'data:image/svg+xml;base64,PHN2Zy…',
  confirmation: 'tap',
  events_uri: 'https://app.example.com/iam/device_authorization/events?watch=…',
};

/** Who asks for a QR code, and for what kind of ending. */
export interface FollowRequest {
  readonly provider: string;
  readonly clientId: string;
  readonly redirectUri?: string;
  readonly codeChallenge?: string;
  readonly attemptHash?: string;
  /** Seconds until that attempt ends. */
  readonly attemptSeconds?: number;
  /** Who links an identity by it, instead of signing in. */
  readonly link?: ActingSession | undefined;
  readonly origin: RequestOrigin;
}

/** The answer of RFC 8628 §3.2 with a picture of the QR code and a stream of its states. */
export type FollowStarted = Readonly<z.infer<typeof followStartedResponse>>;

/** Seconds between polls; sooner is `slow_down`. */
export const POLL_SECONDS = 2;

/** Starts a device authorization: one row, then one QR code of the Official Account. */
@Injectable()
export class FollowStart {
  constructor(
    private readonly providers: IdentityProviders,
    private readonly follows: FollowLogins,
    private readonly watch: LoginWatch,
    private readonly budget: QrBudget,
    private readonly gateway: WechatGateway,
    private readonly tokens: FollowTokens,
    private readonly urls: IamUrls,
    private readonly clock: Clock,
  ) {}

  async begin(request: FollowRequest): Promise<FollowStarted> {
    const provider = await this.providers.getEnabled(request.provider);
    const app = followAccountOf(provider);
    const { started, content } = await this.budget.spend(app.appid, request.origin, () =>
      this.make(app, provider, request),
    );
    this.beginWatch(started, app, request);
    return this.toStarted(started, content);
  }

  private async make(
    app: WechatApp,
    provider: IdentityProvider,
    request: FollowRequest,
  ): Promise<{ readonly started: StartedFollow; readonly content: string }> {
    const started = await this.follows.start({ ...request, provider, appid: app.appid });
    const login = {
      id: started.loginId,
      provider: provider.slug,
      client_id: request.clientId,
      link: request.link,
    };
    return { started, content: await this.createQrCode(app, started, login) };
  }

  private async createQrCode(
    app: WechatApp,
    { scene, seconds }: StartedFollow,
    login: Parameters<FollowLogins['fail']>[0],
  ): Promise<string> {
    try {
      return await this.gateway.createSceneQrCode(app, scene, seconds);
    } catch (thrown) {
      await this.follows.fail(login, toIamError(thrown).code);
      throw thrown;
    }
  }

  /** This process knows the row that it has just written. */
  private beginWatch(
    { loginId, userCode, userCodeHash, confirmation }: StartedFollow,
    { appid }: WechatApp,
    request: FollowRequest,
  ): void {
    this.watch.begin({
      id: loginId,
      status: 'pending',
      error: null,
      provider: request.provider,
      appid,
      openid: null,
      client_id: request.clientId,
      redirect_uri: request.redirectUri ?? null,
      code_challenge: request.codeChallenge ?? null,
      attempt_hash: request.attemptHash ?? null,
      user_id: request.link?.userId ?? null,
      link_session_id: request.link?.sessionId ?? null,
      linked_identity_id: null,
      user_code: userCode,
      user_code_hash: userCodeHash,
      confirmation,
      number_tries: 0,
      ip: request.origin.ip,
      user_agent: request.origin.userAgent,
      created_at: new Date(this.clock.now()),
      is_live: true,
    });
  }

  private async toStarted(
    { loginId, userCode, typedCode, confirmation, seconds }: StartedFollow,
    content: string,
  ): Promise<FollowStarted> {
    const svg = await QRCode.toString(content, { type: 'svg', margin: 2, errorCorrectionLevel: 'M' });
    return {
      device_code: this.tokens.mint('device-code', loginId),
      user_code: typedCode === null ? userCode : showUserCode(typedCode),
      number: userCode,
      verification_uri: typedCode === null ? content : this.urls.endpoint('device'),
      verification_uri_complete: content,
      expires_in: seconds,
      interval: POLL_SECONDS,
      qr_image: `data:image/svg+xml;base64,${Buffer.from(svg).toString('base64')}`,
      confirmation,
      events_uri: this.urls.endpoint(
        `device_authorization/events?watch=${this.tokens.mint('watch', loginId)}`,
      ),
    };
  }
}
