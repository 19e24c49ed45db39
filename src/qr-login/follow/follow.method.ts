import { Inject, Injectable } from '@nestjs/common';
import { IamError, type IamErrorCode } from '../../errors/iam.error.js';
import { type Parameters as RequestParameters, toSearchParams } from '../../http/request-body.js';
import { IamUrls } from '../../http/iam-urls.service.js';
import type { IdentityProvider } from '../../identity-providers/identity-provider.js';
import { type OpenStepProof, SignInMethod } from '../../oauth/registration.js';
import { AttemptCookies } from '../../sign-in/attempt-cookies.service.js';
import type { Subject } from '../../users/subject.js';
import { Scenes } from '../../webhook/scenes.service.js';
import type { WechatApp } from '../../wechat/wechat-call.js';
import { WechatGateway } from '../../wechat/wechat-gateway.service.js';
import { LoginTokens } from '../codes-and-tokens.service.js';
import { isSameLink, linkOf, type QrLogin, qrStateOf } from '../qr-login.js';
import { QrLogins } from '../qr-logins.service.js';
import { QrScreen } from '../qr-screen.service.js';
import { type QrCode, type QrCodeRequest, QrWay } from '../qr-way.js';

/** The scanner of a login, and whether they still follow: the confirmation of a person who has left since still counts. */
interface ReadFollower {
  readonly subject: Subject;
  readonly follows: boolean;
}

/** Asks WeChat about followers. */
@Injectable()
export class Followers {
  constructor(private readonly gateway: WechatGateway) {}

  /** What WeChat knows of the follower: the unionid is in no event, so it is fetched before anything is linked. */
  async read(login: QrLogin, provider: IdentityProvider): Promise<ReadFollower> {
    const { mp, slug, unionScope } = provider;
    if (mp?.appid !== login.appid)
      throw new IamError('provider_misconfigured', `"${slug}" has another Official Account by now`);
    if (login.openid === null) throw new IamError('internal_error', 'a scanned login has its scanner');
    const { openid } = login;
    const { follows, unionid } = await this.gateway.readFollower(mp, openid);
    const app = { provider: slug, appKind: 'mp', appid: mp.appid } as const;
    return { subject: { ...app, openid, unionScope, unionid, profile: null, follows }, follows };
  }
}

/** The proof that an Open Platform step goes on from a confirmed scan (`qr_login_with = open`). */
@Injectable()
export class FollowProof implements OpenStepProof {
  constructor(
    private readonly logins: QrLogins,
    private readonly followers: Followers,
    private readonly tokens: LoginTokens,
    private readonly attempts: AttemptCookies,
    private readonly urls: IamUrls,
  ) {}

  /** The authorization request that goes on to the Open Platform; `parameters` are what only the client knows. */
  authorizeUri(login: QrLogin, parameters: RequestParameters = {}): string {
    const query = toSearchParams({
      response_type: 'code',
      client_id: login.client_id,
      ...parameters,
      code_challenge_method: 'S256',
      provider: login.provider,
      method: 'open',
      follow_proof: this.tokens.mint('follow-proof', login.id),
    });
    return this.urls.endpoint(`authorize?${query.toString()}`);
  }

  /**
   * The login that a proof names: confirmed, live, a sign-in, of this provider and client, and of this browser where our own
   * page showed its QR code. An `mp` row has no such step, and its proof costs no read.
   * @throws IamError `follow_required`
   */
  async check(
    proof: string,
    { provider, clientId, cookies }: Parameters<OpenStepProof['check']>[1],
  ): Promise<string | undefined> {
    if (provider.qr.loginWith !== 'open') return undefined;
    const loginId = this.tokens.read('follow-proof', proof);
    const login = loginId === null ? null : await this.logins.find(loginId);
    const isOfRequest = login?.provider === provider.slug && login.client_id === clientId;
    const isOfBrowser = login?.attempt_hash == null || this.attempts.holds(login.attempt_hash, cookies);
    if (!isOfRequest || !isOfBrowser || !isConfirmed(login) || linkOf(login) !== undefined)
      throw new IamError('follow_required', 'no confirmed scan stands behind this step');
    return login.id;
  }

  /** Takes the proof, once, for the person who followed, and for what they followed for. @throws IamError `follow_required` */
  async consume(
    { loginId, link }: Parameters<OpenStepProof['consume']>[0],
    provider: IdentityProvider,
    subject: Subject,
  ): Promise<void> {
    const login = await this.logins.find(loginId);
    if (login === null || !isConfirmed(login)) throw new IamError('follow_required', 'the scan is over');
    if (!isSameLink(linkOf(login), link))
      throw new IamError('follow_required', 'the scan was for another purpose');
    const { subject: follower, follows } = await this.followers.read(login, provider);
    if (!follows) throw new IamError('follow_required', 'the scanner does not follow any more');
    if (!isSamePerson(follower, subject))
      throw new IamError(
        'follow_required',
        'not the person who followed, as far as unionids tell: are both apps bound to one Open Platform account?',
      );
    if (!(await this.logins.consume(loginId))) throw new IamError('follow_required', 'the proof was used');
  }
}

/** Only a unionid tells: two sides that show none have nothing in common. */
function isSamePerson(follower: Subject, subject: Subject): boolean {
  return follower.unionid !== null && follower.unionid === subject.unionid;
}

function isConfirmed(login: QrLogin): boolean {
  return login.status === 'confirmed' && qrStateOf(login) === 'confirmed';
}

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

  override nextStep(
    login: QrLogin,
    { qr }: IdentityProvider,
    parameters: RequestParameters = {},
  ): string | null {
    return qr.loginWith === 'open' ? this.openStep.authorizeUri(login, parameters) : null;
  }
}
