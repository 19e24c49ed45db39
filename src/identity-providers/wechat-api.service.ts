import { Injectable } from '@nestjs/common';
import { z } from 'zod';
import { IamError } from '../errors/iam.error.js';
import { IdentityProviders } from './identity-providers.service.js';
import type { WechatFile } from '../wechat/wechat-response.js';
import { WechatGateway } from '../wechat/wechat-gateway.service.js';

/** The app that calls, and the API; `access_token` is added. */
interface WechatApiTarget {
  /** Slug of the provider row whose app calls. */
  readonly provider: string;
  /** Which app of the row. @default 'mp' */
  readonly app?: 'mp' | 'mini';
  /** E.g. `/cgi-bin/message/custom/send`. */
  readonly path: string;
  readonly query?: Readonly<Record<string, string>>;
  /** Milliseconds for the whole call. @default the option `wechat.timeout` */
  readonly timeout?: number;
}

/** A call to WeChat's API. */
export interface WechatApiCall extends WechatApiTarget {
  /** Makes it a POST with this JSON. */
  readonly body?: unknown;
}

/** A call that WeChat answers with a file. */
export interface WechatApiDownload extends WechatApiCall {
  /** Bytes of the file at most. @default 10 MiB */
  readonly maxBytes?: number;
}

/** A call that brings a file along, as a multipart form. */
export interface WechatApiUpload extends WechatApiTarget {
  readonly file: {
    /** Name of its part. @default 'media' */
    readonly field?: string;
    readonly name: string;
    readonly contentType: string;
    readonly bytes: Uint8Array;
  };
  /** Further parts, e.g. the `description` of a video. */
  readonly fields?: Readonly<Record<string, string>>;
}

/** WeChat takes and gives no larger pictures and videos than this. */
const FILE_BYTES = 10 * 1024 * 1024;

const anyResponse = z.record(z.string(), z.unknown());

/** Calls any WeChat API with the managed access token of a provider's app, so that no other code fetches one. */
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
  async call({ body, ...target }: WechatApiCall): Promise<Record<string, unknown>> {
    const { caller, call, limits } = await this.prepare(target, body !== undefined && { body });
    return this.gateway.baseTokens.call(caller, call, anyResponse, limits);
  }

  /**
   * The file that WeChat answers with: the picture of a code, a medium. JSON in its place is an error, as in `call`; what
   * may be JSON without one (the address of a video) is to be asked for by `call`.
   * @throws IamError as `call`; `wechat_answer_invalid` for JSON without an errcode, and for a file over `maxBytes`
   */
  async download({ body, maxBytes = FILE_BYTES, ...target }: WechatApiDownload): Promise<WechatFile> {
    const { caller, call, limits } = await this.prepare(target, body !== undefined && { body });
    return this.gateway.baseTokens.download(caller, call, { ...limits, maxBytes });
  }

  /** Sends a file; otherwise as `call`. */
  async upload({ file, fields = {}, ...target }: WechatApiUpload): Promise<Record<string, unknown>> {
    const { field = 'media', name, contentType, bytes } = file;
    const { FormData } = await import('undici');
    const form = new FormData();
    form.set(field, new Blob([new Uint8Array(bytes)], { type: contentType }), name);
    for (const [key, value] of Object.entries(fields)) form.set(key, value);
    const { caller, call, limits } = await this.prepare(target, { form });
    return this.gateway.baseTokens.call(caller, call, anyResponse, limits);
  }

  private async prepare<Content>({ provider, app = 'mp', ...target }: WechatApiTarget, content: Content) {
    const caller = (await this.providers.getEnabled(provider))[app];
    if (caller === null) throw new IamError('provider_misconfigured', `"${provider}" has no ${app} app`);
    const { path, query, timeout: timeoutMs } = target;
    const call = { path, ...(query !== undefined && { query }), ...content };
    return { caller, call, limits: { timeoutMs } };
  }
}
