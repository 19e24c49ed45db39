import { createServer, type Server } from 'node:http';
import express, { type ErrorRequestHandler, type Express, type RequestHandler } from 'express';
import session from 'express-session';
import passport from 'passport';
import {
  WechatEmulator,
  type OfficialAccount,
  type OpenPlatformAccount,
  type Person,
  type WebsiteApp,
} from '../../../emulator/index.js';
import { WechatMpStrategy, WechatOpenStrategy } from '../../../src/wechat/strategies/wechat.strategies.js';
import type {
  WechatStrategyOptions,
  WechatVerifyWithParams,
} from '../../../src/wechat/strategies/strategy-options.js';
import { WechatHttp } from '../../../src/wechat/wechat-http.js';
import { PcBrowser, type Reply } from '../../support/pc-browser.js';

/** An application as a Passport user writes it, with both strategies, and the WeChat it talks to. */
export class PassportHost {
  /** What reached the verify callbacks, and what ended as an error. */
  readonly verified: unknown[] = [];
  readonly errors: unknown[] = [];

  private constructor(
    readonly wechat: WechatEmulator,
    readonly account: OpenPlatformAccount,
    readonly site: WebsiteApp,
    readonly oa: OfficialAccount,
    private readonly server: Server,
    private readonly http: WechatHttp,
    readonly url: string,
  ) {}

  static async start(
    mpOptions: Partial<WechatStrategyOptions> = {},
    timeoutMs = 5000,
  ): Promise<PassportHost> {
    const wechat = await WechatEmulator.start();
    const account = wechat.openPlatformAccount();
    const app = express();
    const server = createServer(app);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const http = new WechatHttp({ endpoints: wechat.endpoints, allowLoopback: true, timeoutMs });
    const host = new PassportHost(
      wechat,
      account,
      account.websiteApp({ callbackDomain: 'localhost', secret: plantedSecret }),
      account.officialAccount({ oauthDomain: 'localhost', secret: plantedSecret }),
      server,
      http,
      `http://localhost:${portOf(server)}`,
    );
    host.mount(app, mpOptions);
    return host;
  }

  async stop(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
    await this.http.close();
    await this.wechat.stop();
  }

  /** A browser that started a PC sign-in, and where WeChat sends it after the scan. */
  async scan(person: Person, browser = new PcBrowser()): Promise<{ browser: PcBrowser; callback: URL }> {
    const start = await browser.visit(`${this.url}/wechat-open`);
    const screen = await this.wechat.showQrCode(String(start.location));
    await person.scan(screen.content);
    await person.confirm();
    const { redirectTo } = await screen.finish();
    return { browser, callback: new URL(redirectTo ?? 'missing:') };
  }

  /** A whole PC sign-in. */
  async signInOnPc(person: Person): Promise<Reply> {
    const { browser, callback } = await this.scan(person);
    return browser.visit(callback);
  }

  private mount(app: Express, mpOptions: Partial<WechatStrategyOptions>): void {
    const authenticator = new passport.Passport();
    const verify: WechatVerifyWithParams = (accessToken, refreshToken, params, profile, done) => {
      this.verified.push({ accessToken, refreshToken, params, profile });
      done(null, profile);
    };
    const shared = { secret: plantedSecret, http: this.http };
    const callbackURL = (name: string) => `${this.url}/${name}/callback`;
    authenticator.use(
      new WechatOpenStrategy(
        { ...shared, appid: this.site.appid, callbackURL: callbackURL('wechat-open') },
        verify,
      ),
    );
    authenticator.use(
      new WechatMpStrategy(
        {
          ...shared,
          ...mpOptions,
          passReqToCallback: false,
          appid: this.oa.appid,
          callbackURL: callbackURL('wechat-mp'),
        },
        verify,
      ),
    );
    const answer: RequestHandler = (request, response) => response.json(request.user);
    const report: ErrorRequestHandler = (error: unknown, _request, _response, next) => {
      this.errors.push(error);
      next(error);
    };
    app.use(session({ secret: 'test', resave: false, saveUninitialized: false }));
    for (const name of ['wechat-open', 'wechat-mp']) {
      const authenticate: unknown = authenticator.authenticate(name, { session: false });
      app.get([`/${name}`, `/${name}/callback`], asHandler(authenticate), answer);
    }
    app.use(report);
  }
}

/** Passport's types leave open what its middleware is. */
function asHandler(middleware: unknown): RequestHandler {
  if (typeof middleware !== 'function') throw new TypeError('expected a middleware');
  return (...parameters) => {
    Reflect.apply(middleware, undefined, parameters);
  };
}

/** The AppSecret of both apps; it must never be seen anywhere. */
export const plantedSecret = '0123456789abcdef0123456789abcdef';

function portOf(server: Server): number {
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('not listening');
  return address.port;
}
