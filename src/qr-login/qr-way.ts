import { Inject, Injectable } from '@nestjs/common';
import { IamError, type IamErrorCode } from '../errors/iam.error.js';
import type { IamResponse } from '../http/iam-response.js';
import type { Parameters } from '../http/request-body.js';
import type { Browser, Language } from '../http/user-agent.js';
import type { IdentityProvider } from '../identity-providers/identity-provider.js';
import { type SignInMethod, SignInMethods, type StartedAttempt } from '../oauth/registration.js';
import type { Subject } from '../users/subject.js';
import type { WechatApp } from '../wechat/wechat-call.js';
import type { CodeQuota } from './qr-budget.service.js';
import { QR_SECONDS, type QrLogin, type QrWayName } from './qr-login.js';
import { QrScreen, type QrWayTexts, type ScreenPurpose } from './qr-screen.service.js';

/** A QR code to make: for which row and app, with which scene, and how long it must work, in seconds. */
export interface QrCodeRequest {
  readonly provider: IdentityProvider;
  readonly app: WechatApp;
  readonly scene: string;
  readonly seconds: number;
}

/** A QR code as its way makes it. */
export interface QrCode {
  /** What a phone reads of it; null where only WeChat knows. */
  readonly content: string | null;
  /** The picture as a data URL, where WeChat draws it; we draw the content otherwise. */
  readonly image?: string;
  /** Opens the same on a phone, without a scan. */
  readonly openLink?: string | undefined;
}

/**
 * A way of answering the QR code on a PC (`qr_with`), which is a method of signing in too: a subclass with `@SignInMethod` of the same
 * name, in a folder of its own. States, page, poll, limits and audit are those of every way.
 */
export abstract class QrWay implements SignInMethod {
  abstract readonly name: QrWayName;
  /** What the PC's page says of this way. */
  protected abstract readonly texts: Readonly<Record<Language, QrWayTexts>>;
  /** Life of its QR code, unless the attempt ends before. */
  readonly seconds: number = QR_SECONDS;
  /** WeChat limits how many codes an app makes in this time; null: it makes none of them. */
  readonly quota: CodeQuota | null = null;

  constructor(@Inject(QrScreen) private readonly screen: QrScreen) {}

  /** The app whose people answer the QR code. */
  abstract appOf(provider: IdentityProvider): WechatApp | null;

  abstract problemOf(provider: IdentityProvider): IamErrorCode | null;

  /** What the QR code carries, of which the row keeps a hash: unguessable, of one login. */
  abstract createScene(): string;

  /** Makes the QR code; the login is stored already. */
  abstract makeCode(request: QrCodeRequest): QrCode | Promise<QrCode>;

  /** The person who has confirmed this login. */
  abstract readScanner(login: QrLogin, provider: IdentityProvider): Promise<Subject>;

  /** The authorization request that a confirmed login goes on with; null where it signs in by itself. `parameters` are what only the client knows. */
  nextStep?(login: QrLogin, provider: IdentityProvider, parameters?: Parameters): string | null;

  /** @throws IamError with the problem of the row */
  accountOf(provider: IdentityProvider): WechatApp {
    const [app, problem] = [this.appOf(provider), this.problemOf(provider)];
    if (app !== null && problem === null) return app;
    throw new IamError(problem ?? 'provider_misconfigured', `"${provider.slug}", QR code by ${this.name}`);
  }

  isOffered({ qr }: IdentityProvider, { kind }: Browser): boolean {
    return kind === 'pc' && qr.enabled && qr.with === this.name;
  }

  location({ attempt: { state } }: StartedAttempt): string {
    return this.screen.location(state);
  }

  widget({ attempt: { state } }: StartedAttempt): Readonly<Record<string, string | number>> {
    return this.screen.widget(state);
  }

  page({ attempt: { state, clientId }, language }: StartedAttempt): IamResponse {
    return this.show(state, language, { clientId });
  }

  /** The page with the QR code. */
  show(state: string, language: Language, purpose: ScreenPurpose): IamResponse {
    return this.screen.show(state, language, this.texts[language], purpose);
  }
}

/** The ways of this application. */
@Injectable()
export class QrWays {
  constructor(private readonly methods: SignInMethods) {}

  /** The way of this method; null for a method without a QR code of ours. @throws IamError `method_unavailable` */
  find(method: string): QrWay | null {
    const found = this.methods.get(method);
    return found instanceof QrWay ? found : null;
  }

  /** @throws IamError `method_unavailable` */
  get(method: string): QrWay {
    const way = this.find(method);
    if (way === null) throw new IamError('method_unavailable', `"${method}" shows no QR code of ours`);
    return way;
  }
}
