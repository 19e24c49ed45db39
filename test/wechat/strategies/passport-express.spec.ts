import { z } from 'zod';
import { PcBrowser } from '../../support/pc-browser.js';
import { PassportHost } from './passport-host.js';

let host: PassportHost;

beforeEach(async () => {
  host = await PassportHost.start();
});

afterEach(async () => {
  await host.stop();
});

describe('a sign-in on a PC with plain Passport', () => {
  it('starts at the QR page, in WeChat’s order, with a state that WeChat allows', async () => {
    const start = await new PcBrowser().visit(`${host.url}/wechat-open`);

    const callback = encodeURIComponent(`${host.url}/wechat-open/callback`);
    const [before, after] = String(start.location).split(/(?<=&state=)[A-Za-z0-9]{32}(?=#)/);
    expect(start.status).toBe(302);
    expect(before).toBe(
      `${host.wechat.endpoints.open}/connect/qrconnect?appid=${host.site.appid}&redirect_uri=${callback}` +
        '&response_type=code&scope=snsapi_login&state=',
    );
    expect(after).toBe('#wechat_redirect');
  });

  it('asks WeChat nothing before it comes back', async () => {
    await new PcBrowser().visit(`${host.url}/wechat-open`);

    expect(host.wechat.calls()).toEqual([]);
  });

  it('gives the profile, the tokens and the token answer to the verify callback', async () => {
    const lan = host.wechat.person({ nickname: '小兰🌏', avatar: 'http://thirdwx.qlogo.cn/mmopen/lan/132' });

    const profile = (await host.signInOnPc(lan)).json();

    const openid = lan.openid(host.site);
    expect(profile).toEqual({
      provider: 'wechat',
      id: `${host.site.appid}:${openid}`,
      appid: host.site.appid,
      openid,
      unionid: lan.unionid(host.account),
      displayName: '小兰🌏',
      photos: [{ value: 'https://thirdwx.qlogo.cn/mmopen/lan/132' }],
      loaded: true,
      snapshotUser: false,
    });
    expect(host.verified).toMatchObject([
      {
        profile,
        params: { openid, unionid: lan.unionid(host.account), scope: 'snsapi_login', expires_in: 7200 },
      },
    ]);
    expect(host.wechat.calls('/sns/oauth2/access_token')).toHaveLength(1);
    expect(host.wechat.calls('/sns/userinfo')).toHaveLength(1);
  });

  it('gives the verify callback tokens that work', async () => {
    await host.signInOnPc(host.wechat.person({ nickname: '小兰' }));

    const [{ accessToken, params }] = z
      .tuple([z.object({ accessToken: z.string(), params: z.object({ openid: z.string() }) })])
      .parse(host.verified);
    const query = new URLSearchParams({ access_token: accessToken, openid: params.openid });
    const answer = await fetch(`${host.wechat.endpoints.api}/sns/auth?${query.toString()}`);
    expect(await answer.json()).toMatchObject({ errcode: 0 });
  });

  it('gives the same unionid as a sign-in inside WeChat, and another openid', async () => {
    const lan = host.wechat.person({ nickname: '小兰' });

    const onPc = (await host.signInOnPc(lan)).json();
    await lan.openInWechat(`${host.url}/wechat-mp`);
    const inWechat: unknown = JSON.parse((await lan.confirm()).body);

    expect(inWechat).toMatchObject({ unionid: onPc['unionid'], displayName: '小兰', appid: host.oa.appid });
    expect(inWechat).not.toMatchObject({ openid: onPc['openid'] });
  });

  it('keeps several attempts of one browser apart', async () => {
    const [lan, ming] = [host.wechat.person({ nickname: '小兰' }), host.wechat.person({ nickname: '小明' })];

    const first = await host.scan(lan);
    const second = await host.scan(ming, first.browser);

    expect((await first.browser.visit(second.callback)).json()).toMatchObject({ displayName: '小明' });
    expect((await first.browser.visit(first.callback)).json()).toMatchObject({ displayName: '小兰' });
  });
});

describe('a sign-in inside WeChat', () => {
  it('has the order that WeChat enforces', async () => {
    const start = await new PcBrowser().visit(`${host.url}/wechat-mp`);

    expect(String(start.location)).toMatch(
      /\/connect\/oauth2\/authorize\?appid=\w+&redirect_uri=[^&]+&response_type=code&scope=snsapi_userinfo&state=[A-Za-z0-9]{32}#wechat_redirect$/,
    );
  });

  it('refuses a snapshot user before any verify callback', async () => {
    host.wechat.rules.snapshot = true;
    const lan = host.wechat.person({ nickname: '小兰' });

    const page = await lan.openInWechat(`${host.url}/wechat-mp`);

    expect(page.url).toContain('/wechat-mp/callback?code=');
    expect(host.errors).toEqual([expect.objectContaining({ code: 'snapshot_user' })]);
    expect(host.verified).toEqual([]);
    expect(host.wechat.calls('/sns/userinfo')).toEqual([]);
  });
});

describe('a sign-in with snsapi_base', () => {
  it('is silent and asks for no profile', async () => {
    await host.stop();
    host = await PassportHost.start({ scope: 'snsapi_base' });
    const lan = host.wechat.person({ nickname: '小兰' });

    const page = await lan.openInWechat(`${host.url}/wechat-mp`);

    expect(JSON.parse(page.body)).toEqual({
      provider: 'wechat',
      id: `${host.oa.appid}:${lan.openid(host.oa)}`,
      appid: host.oa.appid,
      openid: lan.openid(host.oa),
      displayName: '',
      photos: [],
      loaded: false,
      snapshotUser: false,
    });
    expect(host.wechat.calls('/sns/userinfo')).toEqual([]);
  });

  it('asks for no profile even when the answer names no scope', async () => {
    await host.stop();
    host = await PassportHost.start({ scope: 'snsapi_base' });
    host.wechat.once('/sns/oauth2/access_token', { remove: ['scope'] });

    await host.wechat.person({ nickname: '小兰' }).openInWechat(`${host.url}/wechat-mp`);

    expect(host.verified).toHaveLength(1);
    expect(host.wechat.calls('/sns/userinfo')).toEqual([]);
  });
});
