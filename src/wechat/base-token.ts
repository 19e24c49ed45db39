import { z } from 'zod';
import { sha256 } from '../crypto/hash.js';
import { Secret } from '../crypto/secret.js';
import { SingleFlight } from '../runtime/single-flight.js';
import type { WechatFile } from './wechat-response.js';
import type { WechatApp, WechatCall, WechatCallLimits, WechatReading } from './wechat-call.js';
import { WechatError } from './wechat-error.js';
import type { WechatHttp } from './wechat-http.js';

/** A token is fetched again this long before its end: WeChat hands out its successor from then on, and both work. */
const marginMs = 5 * 60 * 1000;

const tokenResponse = z.object({
  access_token: z.string().regex(/^[\x21-\x7e]{1,2048}$/),
  expires_in: z.number().int().positive(),
});

/**
 * The access token of each app, from `stable_token` without `force_refresh`: a repeated call returns the same token, so
 * replicas need no lock. Kept in this process; concurrent callers share one call.
 */
export class BaseTokens {
  private readonly kept = new Map<string, { readonly token: Secret; readonly staleAt: number }>();
  private readonly running = new SingleFlight<Secret>();

  constructor(
    private readonly http: WechatHttp,
    /** Milliseconds of a clock that only runs forward. */
    private readonly now: () => number,
  ) {}

  async get(app: WechatApp): Promise<Secret> {
    const kept = this.kept.get(keyOf(app));
    if (kept !== undefined && this.now() < kept.staleAt) return kept.token;
    return this.running.run(keyOf(app), () => this.fetch(app));
  }

  /** Calls WeChat even if a token is kept: success says that WeChat takes the pair and this server's address now. */
  async confirm(app: WechatApp): Promise<void> {
    await this.fetch(app);
  }

  /** Forgets a token that WeChat refused; a newer one that another caller has fetched stays. */
  invalidate(app: WechatApp, token: Secret): void {
    if (this.kept.get(keyOf(app))?.token === token) this.kept.delete(keyOf(app));
  }

  /** Makes a call under `/cgi-bin` or `/wxa` with the app's token in its query, once more with a new token when WeChat finds the first invalid. */
  async call<T>(
    app: WechatApp,
    call: WechatCall,
    schema: z.ZodType<T>,
    reading?: WechatReading<T>,
  ): Promise<T> {
    return this.withToken(app, (token) => this.http.call(carrying(call, token), schema, reading));
  }

  /** As `call`, for a response that is a file. */
  async download(app: WechatApp, call: WechatCall, limits: WechatCallLimits): Promise<WechatFile> {
    return this.withToken(app, (token) => this.http.download(carrying(call, token), limits));
  }

  private async withToken<T>(app: WechatApp, send: (token: Secret) => Promise<T>): Promise<T> {
    const token = await this.get(app);
    try {
      return await send(token);
    } catch (error) {
      if (!(error instanceof WechatError) || error.action !== 'token') throw error;
      this.invalidate(app, token);
      return send(await this.get(app));
    }
  }

  private async fetch(app: WechatApp): Promise<Secret> {
    const body = {
      grant_type: 'client_credential',
      appid: app.appid,
      secret: app.secret.reveal(),
      force_refresh: false,
    };
    const sentAt = this.now();
    const response = await this.http.call(
      { path: '/cgi-bin/stable_token', body, appid: app.appid, repeatable: true },
      tokenResponse,
    );
    const token = new Secret(response.access_token);
    this.kept.set(keyOf(app), { token, staleAt: sentAt + response.expires_in * 1000 - marginMs });
    return token;
  }
}

/** A row with the same AppID and another AppSecret must not get the token that the right secret got. */
function keyOf({ appid, secret }: WechatApp): string {
  return `${appid} ${sha256(secret.reveal())}`;
}

function carrying(call: WechatCall, token: Secret): WechatCall {
  return { ...call, query: { ...call.query, access_token: token.reveal() } };
}
