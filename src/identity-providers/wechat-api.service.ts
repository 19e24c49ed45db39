import { Injectable } from '@nestjs/common';
import { z } from 'zod';
import { IamError } from '../errors/iam.error.js';
import { SessionKeys, type KeptSessionKey, type SessionKeyOwner } from './session-keys.service.js';
import { IdentityProviders } from './identity-providers.service.js';
import type { WechatFile } from '../wechat/wechat-response.js';
import { openEncryptedData, signWithSession, type EncryptedData } from '../wechat/mini-session.js';
import type { WechatApp } from '../wechat/wechat-call.js';
import { WechatError } from '../wechat/wechat-error.js';
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

/** A person's last login to the mini program of a row, which keeps its `session_key`: by user, or by `openid`. */
export type WechatMiniSession = { readonly provider: string } & SessionKeyOwner;

/** The signature of a person's login to a mini program, as the query of WeChat's APIs takes it. */
export type WechatSessionSignature = Readonly<Record<'openid' | 'signature' | 'sig_method', string>>;

/** WeChat takes and gives no larger pictures and videos than this. */
const FILE_BYTES = 10 * 1024 * 1024;

const anyResponse = z.record(z.string(), z.unknown());

/** Calls any WeChat API with the managed access token of a provider's app, so that no other code fetches one. */
@Injectable()
export class WechatApi {
  constructor(
    private readonly providers: IdentityProviders,
    private readonly gateway: WechatGateway,
    private readonly sessionKeys: SessionKeys,
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

  /**
   * Signs a text with the `session_key` of a login: nothing, for most APIs, or the body of a request as it is sent (`call` sends
   * `JSON.stringify(body)`).
   * @throws IamError `session_key_missing`: the mini program must sign in again; `provider_misconfigured` where the row keeps no keys
   */
  async sign({
    text = '',
    ...of
  }: WechatMiniSession & { readonly text?: string }): Promise<WechatSessionSignature> {
    const { openid, key } = await this.sessionOf(of);
    return { openid, signature: signWithSession(key, text), sig_method: 'hmac_sha256' };
  }

  /**
   * Opens the `encryptedData` of a mini program's client, whose watermark names the mini program of the row.
   * @throws IamError `invalid_request` for what is no such data, `session_key_stale` where the last login's key does not open it:
   * the mini program calls `wx.login`, signs in, and gets the data anew; and as `sign`
   */
  async decrypt({
    encryptedData,
    iv,
    ...of
  }: WechatMiniSession & EncryptedData): Promise<Record<string, unknown>> {
    const { app, key } = await this.sessionOf(of);
    return openEncryptedData({ encryptedData, iv }, key, app.appid);
  }

  /** Asks WeChat whether the `session_key` is still the valid one of this person. @throws IamError as `sign` and `call` */
  async checkSession(of: WechatMiniSession): Promise<boolean> {
    const { app, key, openid } = await this.sessionOf(of);
    const query = { openid, signature: signWithSession(key, ''), sig_method: 'hmac_sha256' };
    try {
      await this.gateway.baseTokens.call(
        app,
        { path: '/wxa/checksession', query, repeatable: true },
        anyResponse,
      );
      return true;
    } catch (error) {
      if (error instanceof WechatError && error.code === 'session_key_stale') return false;
      throw error;
    }
  }

  private async sessionOf({
    provider: slug,
    ...owner
  }: WechatMiniSession): Promise<KeptSessionKey & { readonly app: WechatApp }> {
    const provider = await this.providers.getEnabled(slug);
    const { mini: app, keepsSessionKeys } = provider;
    if (app === null || !keepsSessionKeys)
      throw new IamError('provider_misconfigured', `"${slug}" keeps no session keys (mini_session_keys)`);
    return { app, ...(await this.sessionKeys.get(app.appid, owner)) };
  }

  private async prepare<Content>({ provider, app = 'mp', ...target }: WechatApiTarget, content: Content) {
    const caller = (await this.providers.getEnabled(provider))[app];
    if (caller === null) throw new IamError('provider_misconfigured', `"${provider}" has no ${app} app`);
    const { path, query, timeout: timeoutMs } = target;
    const call = { path, ...(query !== undefined && { query }), ...content };
    return { caller, call, limits: { timeoutMs } };
  }
}
