import { Inject } from '@nestjs/common';
import type { IamErrorCode } from '../../errors/iam.error.js';
import type { Parameters } from '../../http/request-body.js';
import type { IdentityProvider } from '../../identity-providers/identity-provider.js';
import { SignInMethod } from '../../oauth/registration.js';
import type { Subject } from '../../users/subject.js';
import { Scenes } from '../../webhook/inbox-event.js';
import type { WechatApp } from '../../wechat/wechat-call.js';
import { WechatGateway } from '../../wechat/wechat-gateway.service.js';
import type { QrLogin } from '../qr-login.js';
import { QrScreen } from '../qr-screen.service.js';
import { type QrCode, type QrCodeRequest, QrWay } from '../qr-way.js';
import { Followers, FollowProof } from './follow-proof.service.js';

const texts = {
  zh: {
    qrAlt: '公众号二维码，请用微信扫一扫',
    hint: '扫码并关注公众号即可登录',
    linkHint: '扫码并关注公众号即可绑定，之后可用此微信登录该账号',
    scannedNumber: '已扫描，请在公众号中回复下面的数字',
  },
  en: {
    qrAlt: 'QR code of the Official Account: scan it with WeChat',
    hint: 'Scan it and follow the Official Account to sign in',
    linkHint:
      'Scan it and follow the Official Account to link this WeChat, which can then sign in to that account',
    scannedNumber: 'Scanned. Send this number to the Official Account',
  },
} as const;

/** Follow-to-login: the QR code is a scene of the Official Account, whose pushes say who has scanned it. */
@SignInMethod('follow')
export class FollowMethod extends QrWay {
  readonly name = 'follow';
  protected readonly texts = texts;
  override readonly quota = 'day';

  constructor(
    @Inject(QrScreen) screen: QrScreen,
    private readonly scenes: Scenes,
    private readonly gateway: WechatGateway,
    private readonly followers: Followers,
    readonly openStep: FollowProof,
  ) {
    super(screen);
  }

  appOf({ mp }: IdentityProvider): WechatApp | null {
    return mp;
  }

  problemOf({ mp, open, qr }: IdentityProvider): IamErrorCode | null {
    if (mp === null) return 'wechat_mp_not_configured';
    if (!qr.enabled || qr.with !== this.name) return 'method_unavailable';
    return qr.loginWith === 'open' && open === null ? 'wechat_open_not_configured' : null;
  }

  createScene(): string {
    return this.scenes.create();
  }

  async makeCode({ app, scene, seconds }: QrCodeRequest): Promise<QrCode> {
    return { content: await this.gateway.createSceneQrCode(app, scene, seconds) };
  }

  async readScanner(login: QrLogin, provider: IdentityProvider): Promise<Subject> {
    return (await this.followers.read(login, provider)).subject;
  }

  override nextStep(login: QrLogin, { qr }: IdentityProvider, parameters: Parameters = {}): string | null {
    return qr.loginWith === 'open' ? this.openStep.authorizeUri(login, parameters) : null;
  }
}
