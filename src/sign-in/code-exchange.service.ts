import { Injectable } from '@nestjs/common';
import { IamError } from '../errors/iam.error.js';
import { IamUrls } from '../http/iam-urls.service.js';
import { AcceptedSecrets, isAskable } from '../identity-providers/confirmations.service.js';
import type { IdentityProvider } from '../identity-providers/identity-provider.js';
import { SessionKeys, type NewSessionKey } from '../identity-providers/session-keys.service.js';
import { IamLogger } from '../runtime/iam-logger.js';
import type { RecordResolution, SoughtSubject, SubjectMatch, Subject } from '../users/subject.js';
import { Users } from '../users/users.service.js';
import { authorizePages, authorizeUrl } from '../wechat/authorize-url.js';
import { isSilent, type WechatGrant, type WechatLanguage, type WechatProfile } from '../wechat/sns.js';
import type { WechatApp } from '../wechat/wechat-call.js';
import { WechatError } from '../wechat/wechat-error.js';
import { WechatGateway } from '../wechat/wechat-gateway.service.js';

/** An app whose codes sign people in, and the row that it stands in. */
export interface CodeApp {
  readonly provider: IdentityProvider;
  readonly app: WechatApp;
}

/** What a code proved, and who held it before, if that was looked up. */
interface ProvenSubject {
  readonly subject: Subject;
  readonly holder?: SubjectMatch | undefined;
  /** Of a mini program whose row keeps it. */
  readonly sessionKey?: NewSessionKey | undefined;
}

/** Where a browser gets a code, and where it returns to; by default with the scope of the row, to its callback. */
interface AuthorizeChoices {
  readonly state: string;
  readonly lang?: WechatLanguage;
  readonly scope?: string;
  readonly redirectUri?: string;
}

/**
 * The app of a sign-in that a browser began, as it was when the browser left for WeChat.
 * @throws IamError `provider_misconfigured`
 */
export function redirectAppOf(
  provider: IdentityProvider,
  { method, appid }: { readonly method: 'open' | 'mp'; readonly appid: string },
): CodeApp {
  const app = provider[method];
  if (app?.appid !== appid)
    throw new IamError('provider_misconfigured', `"${provider.slug}" has another ${method} app by now`);
  return { provider, app };
}

/** Where browsers get a code from WeChat, and the one place where a code of any kind of app becomes a subject. */
@Injectable()
export class CodeExchange {
  private readonly logger = new IamLogger(CodeExchange.name);

  constructor(
    private readonly gateway: WechatGateway,
    private readonly urls: IamUrls,
    private readonly users: Users,
    private readonly accepted: AcceptedSecrets,
    private readonly sessionKeys: SessionKeys,
  ) {}

  /** Where the browser goes to sign in. */
  authorizeUrl({ provider, app }: CodeApp, choices: AuthorizeChoices): string {
    const kind = app.kind === 'open' ? 'open' : 'mp';
    return authorizeUrl(kind, {
      endpoint: this.gateway.http.endpoints.open,
      appid: app.appid,
      redirectUri: this.urls.callback(provider.slug),
      scope: kind === 'open' ? authorizePages.open.scopes[0] : provider.mpScope,
      ...choices,
    });
  }

  /**
   * Exchanges a code, once, and reads the profile unless the stored one is fresh enough. With `record`, a person who is known
   * and brings nothing new is signed in by the same statement that looks for them.
   */
  async exchange(of: CodeApp, code: string, record?: RecordResolution): Promise<ProvenSubject> {
    if (of.app.kind === 'mini') return this.exchangeMini(of, code);
    const { subject, holder, isSame } = await this.exchangeFor(of, code, (sought, isSilent) =>
      this.users.find(sought, record && { record, isSilent }),
    );
    return {
      subject,
      holder: isSame && (record !== undefined || subject.profile !== null) ? holder : undefined,
    };
  }

  /**
   * As `exchange` for an app whose people have a profile; `find` says whether the stored one is fresh. `isSame`: the profile brought no
   * other unionid than was looked for.
   */
  async exchangeFor<H extends Pick<SubjectMatch, 'profile_is_fresh' | 'identity_user_id'>>(
    of: CodeApp,
    code: string,
    find: (sought: SoughtSubject, isSilent: boolean) => Promise<H>,
  ): Promise<{ readonly subject: Subject; readonly holder: H; readonly isSame: boolean }> {
    const { provider, app } = of;
    const grant = await this.grantOf(app, code);
    if (!isAskable(app)) await this.accepted.note(app);
    const silent = isSilent(grant) || (app.kind === 'mp' && provider.mpScope === 'snsapi_base');
    const sought = { ...idsOf(of, grant), unionid: grant.unionid };
    const holder = await find(sought, silent);
    const read = holder.profile_is_fresh || silent ? null : await this.readProfile(grant, holder);
    const unionid = read?.unionid ?? grant.unionid;
    const profile = read === null ? null : { nickname: read.nickname, avatarUrl: read.avatarUrl };
    const subject = { ...sought, provider: provider.slug, appKind: app.kind, unionid, profile };
    return { subject, holder, isSame: unionid === grant.unionid };
  }

  /** A mini program shows no profile (protocol D.2). Its session key is not kept unless the row says so. */
  private async exchangeMini(of: CodeApp, code: string): Promise<ProvenSubject> {
    const { provider, app } = of;
    const { sessionKey, unionid, ...session } = await this.gateway.sns.jscode2session(app, code);
    const ids = idsOf(of, session);
    const subject = { ...ids, provider: provider.slug, appKind: 'mini', unionid, profile: null } as const;
    return {
      subject,
      ...(provider.keepsSessionKeys && { sessionKey: this.sessionKeys.seal(ids, sessionKey) }),
    };
  }

  private async grantOf(app: WechatApp, code: string): Promise<WechatGrant> {
    const grant = await this.gateway.sns.exchangeCode(app, code);
    if (grant.snapshotUser) throw new IamError('snapshot_user', 'virtual ids');
    return grant;
  }

  /** Null for a person known by openid while WeChat is too busy for the profile: another sign-in will read it. */
  private async readProfile(
    grant: WechatGrant,
    holder: Pick<SubjectMatch, 'identity_user_id'>,
  ): Promise<WechatProfile | null> {
    try {
      return await this.gateway.sns.userinfo(grant);
    } catch (error) {
      const isBusy = error instanceof WechatError && ['retry', 'rate'].includes(error.action);
      if (!isBusy || holder.identity_user_id === null) throw error;
      this.logger.warn(`signing in without the profile: ${error.message}`);
      return null;
    }
  }
}

function idsOf({ provider, app }: CodeApp, { openid }: { readonly openid: string }) {
  return { appid: app.appid, openid, unionScope: provider.unionScope };
}
