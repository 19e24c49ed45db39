import { Inject } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { z } from 'zod';
import { IAM_DATA_SOURCE } from '../../config/iam.resolved-options.js';
import { randomAlphanumeric } from '../../crypto/random.js';
import { queryRow, sql } from '../../database/sql.js';
import { IamError, type IamErrorCode } from '../../errors/iam.error.js';
import type { Browser } from '../../http/user-agent.js';
import type { IdentityProvider } from '../../identity-providers/identity-provider.js';
import { SignInMethod } from '../../oauth/registration.js';
import type { Subject } from '../../users/subject.js';
import type { WechatApp } from '../../wechat/wechat-call.js';
import { WechatGateway } from '../../wechat/wechat-gateway.service.js';
import type { QrLogin } from '../qr-login.js';
import { QrScreen } from '../qr-screen.service.js';
import { type QrCode, type QrCodeRequest, QrWay } from '../qr-way.js';

const texts = {
  zh: {
    qrAlt: '小程序码，请用微信扫一扫',
    pending: '请用微信扫一扫上方小程序码',
    hint: '在打开的小程序中核对并确认即可登录',
    linkHint: '在打开的小程序中确认即可绑定，之后可用此微信登录该账号',
    scannedNumber: '已扫描，请在小程序中输入下面的数字',
    scanned: '已扫描，请在小程序中核对数字并确认',
    expired: '小程序码已过期',
    again: '获取新的小程序码',
  },
  en: {
    qrAlt: 'Mini program code: scan it with WeChat',
    pending: 'Scan the mini program code with WeChat',
    hint: 'Compare and confirm in the mini program that opens',
    linkHint: 'Confirm in the mini program that opens; this WeChat can then sign in to that account',
    scannedNumber: 'Scanned. Type this number in the mini program',
    scanned: 'Scanned. Compare the number and confirm in the mini program',
    expired: 'The mini program code has expired',
    again: 'Get a new mini program code',
  },
} as const;

/** `scene` has at most 32 characters; a mini program may have codes of its own. */
const MARK = 'iam_';
/** 131 bits. */
const SECRET = 22;
const sceneForm = new RegExp(`^${MARK}[A-Za-z0-9]{${SECRET}}$`);

/** True for a text of the form of our scenes: any other costs no query. */
export function isScene(text: string): boolean {
  return sceneForm.test(text);
}

/**
 * A mini program code on a PC, or a link on a phone outside WeChat, opens the page of a mini program that signs its person in and asks
 * them; see `Approvals`.
 */
@SignInMethod('mini')
export class MiniMethod extends QrWay {
  readonly name = 'mini';
  protected readonly texts = texts;
  override readonly quota = 'minute';

  constructor(
    @Inject(QrScreen) screen: QrScreen,
    @Inject(IAM_DATA_SOURCE) private readonly dataSource: DataSource,
    private readonly gateway: WechatGateway,
  ) {
    super(screen);
  }

  appOf({ mini }: IdentityProvider): WechatApp | null {
    return mini;
  }

  problemOf({ mini, approval }: IdentityProvider): IamErrorCode | null {
    if (mini === null) return 'wechat_mini_not_configured';
    return approval.page === null ? 'method_unavailable' : null;
  }

  /** On a phone outside WeChat a link takes the place of the scan. */
  override isOffered(provider: IdentityProvider, browser: Browser): boolean {
    if (browser.kind !== 'phone') return super.isOffered(provider, browser);
    return provider.approval.link !== 'none' && this.problemOf(provider) === null;
  }

  createScene(): string {
    return `${MARK}${randomAlphanumeric(SECRET)}`;
  }

  async makeCode({ provider: { approval }, app, scene }: QrCodeRequest): Promise<QrCode> {
    const page = approval.page ?? '';
    const image = await this.gateway.createMiniCode(app, { page, scene });
    const openLink = approval.link === 'scheme' ? plainScheme(app, page, scene) : undefined;
    return { content: null, image, openLink };
  }

  /** The person has signed in to the mini program, so the identity is there. */
  async readScanner({ appid, openid }: QrLogin, { slug, unionScope }: IdentityProvider): Promise<Subject> {
    if (openid === null) throw new IamError('internal_error', 'a scanned login has its scanner');
    const found = await queryRow(
      this.dataSource,
      z.object({ unionid: z.string().nullable() }),
      sql`SELECT unionid FROM iam.identities WHERE appid = ${appid} AND openid = ${openid} AND union_scope = ${unionScope}`,
    );
    const unionid = found?.unionid ?? null;
    return { provider: slug, appKind: 'mini', appid, openid, unionScope, unionid, profile: null };
  }
}

/** Made without a call to WeChat (protocol part 2, A.5); the page must be declared for plain schemes in WeChat's console. */
function plainScheme({ appid }: WechatApp, path: string, scene: string): string {
  const query = new URLSearchParams({ appid, path, query: `scene=${scene}`, env_version: 'release' });
  return `weixin://dl/business/?${query.toString()}`;
}
