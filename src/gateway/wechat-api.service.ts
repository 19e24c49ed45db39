import { Injectable } from '@nestjs/common';
import { z } from 'zod';
import { IamError } from '../iam.error.js';
import { IdentityProviders } from '../identity-providers/identity-providers.service.js';
import { WechatGateway } from './wechat-gateway.service.js';

/** A call to WeChat's API; `access_token` is added. */
export interface WechatApiCall {
  /** Slug of the provider row whose app calls. */
  readonly provider: string;
  /** Which app of the row. @default 'mp' */
  readonly app?: 'mp' | 'mini';
  /** E.g. `/cgi-bin/message/custom/send`. */
  readonly path: string;
  readonly query?: Readonly<Record<string, string>>;
  /** Makes it a POST with this JSON. */
  readonly body?: unknown;
}

/** Calls any WeChat API with the managed access token of a provider's app, so that nobody else has to fetch one. */
@Injectable()
export class WechatApi {
  constructor(
    private readonly providers: IdentityProviders,
    private readonly gateway: WechatGateway,
  ) {}

  /**
   * WeChat's answer, once it is JSON without an errcode other than 0. A token that WeChat finds invalid is fetched anew once.
   * @throws IamError, a `wechat_…` code, `provider_not_found`, `provider_disabled` or `provider_misconfigured`
   */
  async call({ provider, app = 'mp', path, query, body }: WechatApiCall): Promise<Record<string, unknown>> {
    const row = await this.providers.getEnabled(provider);
    const caller = row[app];
    if (caller === null) throw new IamError('provider_misconfigured', `"${provider}" has no ${app} app`);
    const call = { path, ...(query !== undefined && { query }), ...(body !== undefined && { body }) };
    return this.gateway.baseTokens.call(caller, call, z.record(z.string(), z.unknown()));
  }
}
