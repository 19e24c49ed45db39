import { useStage } from './support/stage.js';

describe('what a person takes back', () => {
  const stage = useStage();

  it('is told to the app with the person in OpenID and the platform in FromUserName', async () => {
    const { wechat, lan, oa, account } = stage();
    lan.wxLogin(account.miniProgram());

    const delivery = await lan.revokeAuthorization(oa);

    expect(delivery.fields).toEqual({
      ToUserName: oa.originalId,
      FromUserName: delivery.fields['FromUserName'],
      CreateTime: wechat.clock.seconds(),
      MsgType: 'event',
      Event: 'user_authorization_revoke',
      OpenID: lan.openid(oa),
      UnionID: lan.unionid(account),
      AppID: oa.appid,
      RevokeInfo: '205',
    });
    expect(delivery.fields['FromUserName']).not.toBe(lan.openid(oa));
  });

  it('says what in the numbers of each kind of app', async () => {
    const { lan, site, account, oa } = stage();
    const infoOf = async (
      app: Parameters<typeof lan.revokeAuthorization>[0],
      info?: string,
    ): Promise<unknown> => (await lan.revokeAuthorization(app, info)).fields['RevokeInfo'];

    expect(await infoOf(site)).toBe('301');
    expect(await infoOf(account.mobileApp())).toBe('301');
    expect(await infoOf(account.miniProgram(), '8')).toBe('8');
    expect(await infoOf(oa, '206')).toBe('206');
  });

  it('goes to every app that knows the person when the WeChat account is closed', async () => {
    const { lan, oa, account, app } = stage();
    await lan.follow(oa);
    const mini = account.miniProgram({ serverUrl: `${app.origin}/mini` });
    lan.wxLogin(mini);
    const stranger = account.officialAccount({ oauthDomain: 'localhost' });

    const deliveries = await lan.closeAccount();

    expect(deliveries.map(({ appid }) => appid).sort()).toEqual([oa.appid, mini.appid].sort());
    expect(deliveries.every(({ fields }) => fields['Event'] === 'user_authorization_cancellation')).toBe(
      true,
    );
    expect(stranger.deliveries).toHaveLength(0);
    expect(app.heard.filter(({ url }) => url.pathname === '/mini')).toHaveLength(1);
  });

  it('goes to apps authorized in the last thirty days when the platform removes a profile', async () => {
    const { wechat, lan, account } = stage();
    const old = account.mobileApp();
    lan.sendAuth(old);
    wechat.clock.advance(31 * 86_400);
    const recent = account.mobileApp();
    lan.sendAuth(recent);

    const deliveries = await lan.loseProfile();

    expect(deliveries.map(({ appid, fields }) => [appid, fields['Event']])).toEqual([
      [recent.appid, 'user_info_modified'],
    ]);
    expect(lan.nickname).toBe('微信用户');
  });
});
