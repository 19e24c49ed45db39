import {
  Controller,
  Get,
  Injectable,
  Logger,
  Module,
  Req,
  UseGuards,
  type INestApplication,
} from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { AuthGuard, PassportStrategy } from '@nestjs/passport';
import session from 'express-session';
import { WechatEmulator, type Person } from '../../../emulator/index.js';
import { WechatMpStrategy, WechatOpenStrategy } from '../../../src/wechat/strategies/wechat.strategies.js';
import type {
  WechatTokenParams,
  WechatUserProfile,
} from '../../../src/wechat/strategies/strategy-options.js';
import { freePort } from '../../../example/postgres/free-port.js';
import { PcBrowser } from '../../support/pc-browser.js';

/** A Nest application of somebody who uses the strategies without the module. */
async function startNest() {
  const url = `http://localhost:${await freePort()}`;
  const wechat = await WechatEmulator.start();
  const account = wechat.openPlatformAccount();
  const site = account.websiteApp({ callbackDomain: 'localhost' });
  const oa = account.officialAccount({ oauthDomain: 'localhost' });
  const common = { endpoints: wechat.endpoints, allowLoopback: true };

  @Injectable()
  class OpenStrategy extends PassportStrategy(WechatOpenStrategy, 'wechat-open') {
    constructor() {
      super({ ...common, appid: site.appid, secret: site.secret, callbackURL: `${url}/open/callback` });
    }

    validate(accessToken: string, _refreshToken: string, profile: WechatUserProfile) {
      return {
        by: 'open',
        unionid: profile.unionid,
        nickname: profile.displayName,
        hasToken: accessToken !== '',
      };
    }
  }

  @Injectable()
  class MpStrategy extends PassportStrategy(WechatMpStrategy, 'wechat-mp', true) {
    constructor() {
      super({ ...common, appid: oa.appid, secret: oa.secret, callbackURL: `${url}/mp/callback` });
    }

    validate(
      _accessToken: string,
      _refreshToken: string,
      params: WechatTokenParams,
      profile: WechatUserProfile,
    ) {
      return { by: 'mp', unionid: profile.unionid, scope: params.scope };
    }
  }

  @Controller()
  class SignInController {
    @Get(['open', 'open/callback'])
    @UseGuards(AuthGuard('wechat-open'))
    open(@Req() request: { user: unknown }) {
      return request.user;
    }

    @Get(['mp', 'mp/callback'])
    @UseGuards(AuthGuard('wechat-mp'))
    mp(@Req() request: { user: unknown }) {
      return request.user;
    }
  }

  @Module({ controllers: [SignInController], providers: [OpenStrategy, MpStrategy] })
  class HostModule {}

  Logger.overrideLogger(false);
  const app = await NestFactory.create(HostModule);
  app.use(session({ secret: 'test', resave: false, saveUninitialized: false }));
  await app.listen(new URL(url).port, '127.0.0.1');
  return { app, wechat, account, url };
}

describe('the strategies with Nest’s PassportStrategy()', () => {
  let app: INestApplication;
  let wechat: WechatEmulator;
  let host: Awaited<ReturnType<typeof startNest>>;
  let lan: Person;

  beforeAll(async () => {
    host = await startNest();
    ({ app, wechat } = host);
    lan = wechat.person({ nickname: '小兰' });
  });

  afterAll(async () => {
    await app.close();
    await wechat.stop();
  });

  async function scan(browser: PcBrowser): Promise<string> {
    const start = await browser.visit(`${host.url}/open`);
    const screen = await wechat.showQrCode(String(start.location));
    await lan.scan(screen.content);
    await lan.confirm();
    return (await screen.finish()).redirectTo ?? '';
  }

  it('sign a person in on a PC', async () => {
    const browser = new PcBrowser();

    const reply = await browser.visit(await scan(browser));

    expect(reply.json()).toEqual({
      by: 'open',
      unionid: lan.unionid(host.account),
      nickname: '小兰',
      hasToken: true,
    });
  });

  it('sign the same person in inside WeChat, with the token answer', async () => {
    await lan.openInWechat(`${host.url}/mp`);

    const page = await lan.confirm();

    expect(JSON.parse(page.body)).toEqual({
      by: 'mp',
      unionid: lan.unionid(host.account),
      scope: 'snsapi_userinfo',
    });
  });

  it('refuse a callback of another browser', async () => {
    const callback = await scan(new PcBrowser());

    expect((await new PcBrowser().visit(callback)).status).toBe(401);
  });

  it('answer a failure of WeChat without a word of it', async () => {
    const browser = new PcBrowser();
    const callback = await scan(browser);
    wechat.once('/sns/oauth2/access_token', { errcode: 40125, errmsg: 'invalid appsecret' });

    const reply = await browser.visit(callback);

    expect(reply.status).toBeGreaterThanOrEqual(500);
    expect(reply.text).not.toMatch(/appsecret|40125|sns/);
  });
});
