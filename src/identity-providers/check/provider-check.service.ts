import { Inject, Injectable } from '@nestjs/common';
import type { z } from 'zod';
import type { Language } from '../../http/user-agent.js';
import { IamUrls } from '../../http/iam-urls.service.js';
import { IAM_OPTIONS, type ResolvedIamOptions } from '../../config/iam.resolved-options.js';
import { ProviderRows, type OpenedProvider } from '../provider-rows.service.js';
import type { IdentityProviderEntity } from '../identity-provider.entity.js';
import { findRival } from '../row-changes.js';
import { RateLimits } from '../../database/rate-limits.service.js';
import { found, isError, toCheckItem, type Finding, type FindingKey, type checkView } from './check-items.js';
import { checkRow, checkAddresses, checkUnionScope, addressesOf } from './local-checks.js';
import { WechatCheck } from './wechat-check.service.js';

/** A check calls WeChat, which counts some of the calls against its quotas. */
const CHECKS = { name: 'provider-check', kind: 'window', points: 20, seconds: 60 } as const;

/** Findings of WeChat that say less than a malformed AppID. */
const vague: ReadonlySet<FindingKey> = new Set(['not_asked', 'pair_not_refused']);

/** Checks the configuration of a provider, here and at WeChat. */
@Injectable()
export class ProviderCheck {
  constructor(
    @Inject(IAM_OPTIONS) private readonly options: ResolvedIamOptions,
    private readonly rows: ProviderRows,
    private readonly wechat: WechatCheck,
    private readonly limits: RateLimits,
    private readonly urls: IamUrls,
  ) {}

  /** @throws IamError `provider_not_found`, `rate_limited` */
  async check(slug: string, language: Language): Promise<z.infer<typeof checkView>> {
    const findings = await this.find(slug);
    return { ok: !findings.some(isError), items: findings.map((finding) => toCheckItem(finding, language)) };
  }

  private async find(slug: string): Promise<Finding[]> {
    const { row } = await this.rows.get(slug);
    if (this.options.rateLimits !== 'off')
      await this.limits.consume([{ ...CHECKS, key: `provider-check:${row.slug}` }]);
    const opened = this.rows.open(row);
    const [others, remote] = await Promise.all([
      this.rows.others(row),
      opened.provider === null ? [] : this.wechat.check(opened.provider),
    ]);
    const local = [
      ...checkRow(opened),
      checkUnionScope(row, others),
      ...this.checkRivals(opened, others),
      ...checkAddresses(row, this.options, addressesOf(this.urls, row.slug)),
    ];
    return mergeFindings(local, remote);
  }

  /** Rows written by SQL skip the comparison that the admin API makes. */
  private checkRivals(
    { provider }: OpenedProvider,
    others: readonly IdentityProviderEntity[],
  ): readonly Finding[] {
    const readable = others.flatMap((row) => this.rows.open(row).provider ?? []);
    const rival = provider === null ? undefined : findRival(provider, readable);
    return rival === undefined ? [] : [found('mp.shared_keys', 'keys_differ', { provider: rival.slug })];
  }
}

/** A finding of WeChat replaces the local one of the same item, except a vague one about a malformed AppID. */
function mergeFindings(local: readonly Finding[], remote: readonly Finding[]): Finding[] {
  const malformed = new Set(local.filter(({ key }) => key === 'appid_form').map(({ id }) => id));
  const kept = remote.filter(({ id, key }) => !(malformed.has(id) && vague.has(key)));
  const replaced = new Set(kept.map(({ id }) => id));
  return [...local.filter(({ id }) => !replaced.has(id)), ...kept];
}
