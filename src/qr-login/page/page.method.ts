import { Inject } from '@nestjs/common';
import { randomAlphanumeric } from '../../crypto/random.js';
import { IamError, type IamErrorCode } from '../../errors/iam.error.js';
import { IamUrls } from '../../http/iam-urls.service.js';
import type { IdentityProvider } from '../../identity-providers/identity-provider.js';
import { SignInMethod } from '../../oauth/registration.js';
import { type Subject, subjectSchema } from '../../users/subject.js';
import type { WechatApp } from '../../wechat/wechat-call.js';
import type { QrLogin } from '../qr-login.js';
import { QrLogins } from '../qr-logins.service.js';
import { QrScreen } from '../qr-screen.service.js';
import { type QrCode, type QrCodeRequest, QrWay } from '../qr-way.js';

/** 131 random bits. */
const SCENE_LENGTH = 22;

const texts = {
  zh: {
    qrAlt: '登录二维码，请用微信扫一扫',
    hint: '扫码后，请在手机上确认登录',
    linkHint: '扫码后，请在手机上确认绑定，之后可用此微信登录该账号',
    scannedNumber: '已扫描，请在手机上输入下面的数字',
  },
  en: {
    qrAlt: 'QR code to sign in: scan it with WeChat',
    hint: 'Scan it, then confirm on your phone',
    linkHint:
      'Scan it, then confirm on your phone to link this WeChat, which can then sign in to that account',
    scannedNumber: 'Scanned. Type this number on your phone',
  },
} as const;

/**
 * The QR code is an address of ours, opened in WeChat, where Official Account OAuth proves who has scanned it. It needs no push, no
 * follower, and costs WeChat's quota nothing.
 */
@SignInMethod('page')
export class PageMethod extends QrWay {
  readonly name = 'page';
  protected readonly texts = texts;
  /** The address can be sent in a chat too, so it works for no longer than a scan needs. */
  override readonly seconds = 120;

  constructor(
    @Inject(QrScreen) screen: QrScreen,
    private readonly logins: QrLogins,
    private readonly urls: IamUrls,
  ) {
    super(screen);
  }

  appOf({ mp }: IdentityProvider): WechatApp | null {
    return mp;
  }

  problemOf({ mp, qr }: IdentityProvider): IamErrorCode | null {
    if (mp === null) return 'wechat_mp_not_configured';
    return qr.enabled && qr.with === this.name ? null : 'method_unavailable';
  }

  createScene(): string {
    return randomAlphanumeric(SCENE_LENGTH);
  }

  makeCode({ provider, scene }: QrCodeRequest): QrCode {
    return { content: this.urls.endpoint(`scan/${provider.slug}?s=${scene}`) };
  }

  /** As the confirmation stored it: WeChat tells the unionid of a person who does not follow to their own grant alone. */
  async readScanner(login: QrLogin, { unionScope }: IdentityProvider): Promise<Subject> {
    const read = (of: QrLogin | null) => subjectSchema.safeParse(of?.subject).data;
    const stored = read(login) ?? read(await this.logins.find(login.id));
    if (stored === undefined) throw new IamError('internal_error', 'a confirmed login has its person');
    return { ...stored, unionScope };
  }
}
