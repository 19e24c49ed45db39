import { Inject, Injectable } from '@nestjs/common';
import type { z } from 'zod';
import type { Language } from '../../http/user-agent.js';
import { IamUrls } from '../../http/iam-urls.service.js';
import { IAM_OPTIONS, type ResolvedIamOptions } from '../../config/iam.resolved-options.js';
import { ProviderRows } from '../provider-rows.service.js';
import type { IdentityProviderEntity } from '../identity-provider.entity.js';
import { findRival } from '../row-changes.js';
import { StoredProviders, type OpenedProvider } from '../stored-providers.service.js';
import { RateLimits } from '../../database/rate-limits.service.js';
import { isError, toCheckItem, type Finding, type FindingKey, type checkView } from './check-items.js';
import { checkRow, checkAddresses, checkUnionScope, addressesOf } from './local-checks.js';
import { WechatCheck } from './wechat-check.service.js';

/** Every check asks WeChat, and some of what it asks for is counted there. */
const CHECKS = { points: 20, seconds: 60 };

const vague: ReadonlySet<FindingKey> = new Set(['not_asked', 'pair_not_refused']);

/** Whether a provider is set up so that people can sign in, and where to mend what is not. */
@Injectable()
export class ProviderCheck {
  constructor(
    @Inject(IAM_OPTIONS) private readonly options: ResolvedIamOptions,
    private readonly rows: ProviderRows,
    private readonly stored: StoredProviders,
    private readonly wechat: WechatCheck,
    private readonly limits: RateLimits,
    private readonly urls: IamUrls,
  ) {}

  /** @throws IamError `provider_not_found`, `rate_limited` */
  async check(slug: string, language: Language): Promise<z.infer<typeof checkView>> {
    const found = await this.find(slug);
    return { ok: !found.some(isError), items: found.map((finding) => toCheckItem(finding, language)) };
  }

  private async find(slug: string): Promise<Finding[]> {
    const { row } = await this.rows.get(slug);
    if (this.options.rateLimits !== 'off') await this.limits.consume('provider-check', row.slug, CHECKS);
    const opened = this.stored.open(row);
    const [others, asked] = await Promise.all([
      this.stored.others(row),
      opened.provider === null ? [] : this.wechat.ask(opened.provider),
    ]);
    const known = [
      ...checkRow(opened),
      checkUnionScope(row, others),
      ...this.checkRivals(opened, others),
      ...checkAddresses(row, this.options, addressesOf(this.urls, row.slug)),
    ];
    return inPlace(known, asked);
  }

  /** Rows written by SQL were not compared when they were saved. */
  private checkRivals(
    { provider }: OpenedProvider,
    others: readonly IdentityProviderEntity[],
  ): readonly Finding[] {
    const readable = others.flatMap((row) => this.stored.open(row).provider ?? []);
    const rival = provider === null ? undefined : findRival(provider, readable);
    return rival === undefined
      ? []
      : [{ id: 'mp.shared_keys', key: 'keys_differ', facts: { provider: rival.slug } }];
  }
}

/** What WeChat says of a pair takes the place of what its row says; of a strange appid the row says more than no answer. */
function inPlace(known: readonly Finding[], asked: readonly Finding[]): Finding[] {
  const strange = new Set(known.filter(({ key }) => key === 'appid_form').map(({ id }) => id));
  const answers = asked.filter(({ id, key }) => !(strange.has(id) && vague.has(key)));
  const answered = new Set(answers.map(({ id }) => id));
  return [...known.filter(({ id }) => !answered.has(id)), ...answers];
}
