import { Injectable } from '@nestjs/common';
import { randomAlphanumeric } from '../../crypto/random.js';
import { WechatGateway } from '../../wechat/wechat-gateway.service.js';
import type { IdentityProvider } from '../identity-provider.js';
import type { WechatApp } from '../../wechat/wechat-call.js';
import { WechatError } from '../../wechat/wechat-error.js';
import { found, type Finding, type FindingKey } from './check-items.js';

/** Lifetime of the check's QR code, which is never shown. */
const QR_SECONDS = 60;

/** Errcodes that are more specific than the error code of this module (protocol E.1, H.2). */
const byErrcode: Readonly<Record<number, FindingKey>> = {
  40243: 'secret_frozen',
  48001: 'app_kind_wrong',
  48004: 'app_restricted',
  50002: 'app_restricted',
  50004: 'app_restricted',
  50007: 'app_restricted',
  89501: 'ip_awaits_admin',
  41030: 'mini_page_missing',
  89503: 'ip_awaits_admin',
  89506: 'ip_blocked',
  89507: 'ip_blocked',
};

/** Calls endpoints of WeChat without lasting effects; every failure becomes a finding. */
@Injectable()
export class WechatCheck {
  constructor(private readonly gateway: WechatGateway) {}

  async check({ open, mp, mini, mobile, qr, approval }: IdentityProvider): Promise<Finding[]> {
    const checks = await Promise.all([
      open === null ? [] : this.checkCodeExchange(open, 'open.credentials'),
      mp === null ? [] : this.checkOfficialAccount(mp, qr.enabled && qr.with === 'follow'),
      mini === null ? [] : this.checkMiniProgram(mini, approval.page),
      mobile === null ? [] : this.checkCodeExchange(mobile, 'mobile.credentials'),
    ]);
    const findings = checks.flat();
    return findings.length === 0 ? [] : [reachability(findings), ...findings.map(withoutOutage)];
  }

  private async checkOfficialAccount(app: WechatApp, wantsQrCode: boolean): Promise<Finding[]> {
    const findings = await this.checkBaseToken(app, 'mp');
    if (!wantsQrCode) return findings;
    return [...findings, hasToken(findings) ? await this.checkQrCode(app) : found('mp.qr_code', 'not_asked')];
  }

  private async checkMiniProgram(app: WechatApp, page: string | null): Promise<Finding[]> {
    const findings = await this.checkBaseToken(app, 'mini');
    if (page === null) return findings;
    return [
      ...findings,
      hasToken(findings) ? await this.checkCode(app, page) : found('mini.code', 'not_asked'),
    ];
  }

  /** `stable_token` without `force_refresh` keeps the tokens of other callers valid (protocol E.1). */
  private async checkBaseToken(app: WechatApp, kind: 'mp' | 'mini'): Promise<Finding[]> {
    const [pair, whitelist] = [`${kind}.credentials`, `${kind}.ip_whitelist`] as const;
    try {
      await this.gateway.baseTokens.confirm(app);
      return [found(pair, 'pair_accepted', { appid: app.appid }), found(whitelist, 'ip_admitted')];
    } catch (error) {
      const { key, facts } = classify(error, app);
      return key.startsWith('ip_')
        ? [found(pair, 'not_asked', { appid: app.appid }), found(whitelist, key, facts)]
        : [found(pair, key, facts), found(whitelist, 'not_asked')];
    }
  }

  /** Website and mobile apps have no base token, so that only the exchange of an invalid code can test the pair. */
  private async checkCodeExchange(
    app: WechatApp,
    id: 'open.credentials' | 'mobile.credentials',
  ): Promise<Finding[]> {
    try {
      await this.gateway.sns.exchangeCode(app, randomAlphanumeric(32));
      return [found(id, 'answer_unexpected', { appid: app.appid, errcode: '0' })];
    } catch (error) {
      return [{ id, ...classify(error, app) }];
    }
  }

  private async checkQrCode(app: WechatApp): Promise<Finding> {
    const id = 'mp.qr_code';
    try {
      await this.gateway.createSceneQrCode(app, `iam-check:${randomAlphanumeric(32)}`, QR_SECONDS);
      return found(id, 'qr_code_made', { appid: app.appid });
    } catch (error) {
      const { key, facts } = classify(error, app);
      return found(id, key === 'app_kind_wrong' ? 'qr_code_forbidden' : key, facts);
    }
  }

  /** Codes have no quota of a day; this one opens the page with a scene that no sign-in has. */
  private async checkCode(app: WechatApp, page: string): Promise<Finding> {
    const id = 'mini.code';
    try {
      await this.gateway.createMiniCode(app, { page, scene: 'iam_check' });
      return found(id, 'mini_code_made', { appid: app.appid });
    } catch (error) {
      const { key, facts } = classify(error, app);
      return found(id, key, facts);
    }
  }
}

function hasToken(findings: readonly Finding[]): boolean {
  return findings.every(({ key }) => key === 'pair_accepted' || key === 'ip_admitted');
}

function classify(error: unknown, { appid }: WechatApp): Pick<Finding, 'key' | 'facts'> {
  if (!(error instanceof WechatError)) throw error;
  const { errcode, refusedAddress } = error;
  const facts = {
    appid,
    ...(errcode !== undefined && { errcode: String(errcode) }),
    ...(refusedAddress !== undefined && { address: refusedAddress }),
  };
  return { key: (errcode !== undefined ? byErrcode[errcode] : undefined) ?? byCode(error), facts };
}

function byCode({ code, errcode, refusedAddress }: WechatError): FindingKey {
  if (code === 'wechat_ip_not_allowed')
    return refusedAddress === undefined ? 'ip_refused_unnamed' : 'ip_refused';
  if (code === 'wechat_credentials_rejected') return 'pair_rejected';
  if (code === 'wechat_code_invalid') return 'pair_not_refused';
  if (code === 'wechat_quota_exceeded') return 'quota_used_up';
  if (code === 'wechat_unavailable') return 'wechat_unreachable';
  return errcode === undefined ? 'answer_unreadable' : 'answer_unexpected';
}

/** One item for an outage, regardless of how many calls failed. */
function reachability(findings: readonly Finding[]): Finding {
  const isOut = findings.some(({ key }) => key === 'wechat_unreachable');
  return found('server.wechat', isOut ? 'wechat_unreachable' : 'wechat_reached');
}

function withoutOutage(finding: Finding): Finding {
  return finding.key === 'wechat_unreachable' ? { ...finding, key: 'not_asked' } : finding;
}
