import { type OfficialAccount, WechatEmulator } from '../../emulator/index.js';
import { authorizeUrl, baseToken, callApi, postApi, useStage } from './support/stage.js';

const days = 86_400;

describe('an Official Account that moves into another one', () => {
  const stage = useStage();
  let target: OfficialAccount;

  beforeEach(() => {
    target = stage().account.officialAccount({ oauthDomain: '127.0.0.1' });
  });

  const ask = (openids: unknown, from_appid = stage().oa.appid) =>
    postApi({ ...stage(), oa: target }, '/cgi-bin/changeopenid', { from_appid, openid_list: openids });

  it('takes its followers along, is frozen, and tells whose new openid is which', async () => {
    const { lan, oa, wechat } = stage();
    await lan.follow(oa);
    const left = wechat.person({ nickname: '走' });
    await left.follow(oa);
    await left.unfollow(oa);

    oa.migrateTo(target);
    oa.confirmMigration();

    expect(await ask([lan.openid(oa), left.openid(oa), 'oNobody'])).toEqual({
      errcode: 0,
      errmsg: 'ok',
      result_list: [
        { ori_openid: lan.openid(oa), new_openid: lan.openid(target), err_msg: 'ok' },
        { ori_openid: left.openid(oa), err_msg: 'ori_openid error' },
        { ori_openid: 'oNobody', err_msg: 'ori_openid error' },
      ],
    });
    expect(
      await callApi(stage(), '/cgi-bin/user/info', {
        access_token: await baseToken({ wechat, oa: target }),
        openid: lan.openid(target),
      }),
    ).toMatchObject({ body: { subscribe: 1, subscribe_scene: 'ADD_SCENE_ACCOUNT_MIGRATION' } });
    expect(await postApi(stage(), '/cgi-bin/user/get', {})).toMatchObject({ errcode: 50007 });
    expect((await lan.openInWechat(authorizeUrl(stage()))).body).toContain('data-error-code="10004"');
  });

  it.each([63178, 63183, -1] as const)(
    'is refused before the confirmation, after fifteen days, and without a migration: %d',
    async (errcode) => {
      const { lan, oa, wechat } = stage();
      wechat.rules.migrationMissing = errcode;
      await lan.follow(oa);
      const openids = [lan.openid(oa)];

      expect(await ask(openids)).toMatchObject({ errcode });
      oa.migrateTo(target);
      expect(await ask(openids)).toMatchObject({ errcode });
      oa.confirmMigration();
      wechat.clock.advance(15 * days - 10);
      expect(await ask(openids)).toMatchObject({ errcode: 0 });
      wechat.clock.advance(11);
      expect(await ask(openids)).toMatchObject({ errcode });
    },
  );

  it.each([
    ['either', true, true],
    ['appid', true, false],
    ['original-id', false, true],
  ] as const)('may be named by %s', async (rule, byAppid, byOriginalId) => {
    const { oa, wechat } = stage();
    wechat.rules.migrationFrom = rule;
    oa.migrateTo(target);
    oa.confirmMigration();

    const answers = [await ask(['oX'], oa.appid), await ask(['oX'], oa.originalId)];

    expect(answers.map(({ errcode }) => errcode === 0)).toEqual([byAppid, byOriginalId]);
  });

  it('takes one to a hundred openids, as JSON', async () => {
    const { oa, wechat } = stage();
    oa.migrateTo(target);
    oa.confirmMigration();
    const many = (count: number) => Array.from({ length: count }, (_, index) => `o${index}`);

    expect(await ask(many(100))).toMatchObject({ result_list: { length: 100 } });
    expect(await ask(many(101))).toMatchObject({ errcode: 40032 });
    wechat.rules.tooManyOpenids = 40097;
    expect(await ask(many(101))).toMatchObject({ errcode: 40097 });
    expect(await ask([])).toMatchObject({
      errcode: 63182,
      errmsg: expect.stringContaining('openid_list empty') as unknown,
    });
    const query = { access_token: await baseToken({ wechat, oa: target }) };
    const body = new URLSearchParams({ from_appid: oa.appid, openid_list: 'oX' });
    expect(
      (await callApi(stage(), '/cgi-bin/changeopenid', query, { method: 'POST', body })).body,
    ).toMatchObject({ errcode: 63182 });
    expect((await callApi(stage(), '/cgi-bin/changeopenid', query)).body).toMatchObject({ errcode: 43002 });
  });

  it('tells of people who never followed where it covers the authorized too', async () => {
    const { lan, oa, wechat } = stage();
    await lan.openInWechat(authorizeUrl(stage()));
    await lan.confirm();
    wechat.rules.migratedPeople = 'authorized-too';

    oa.migrateTo(target);
    oa.confirmMigration();

    expect(await ask([lan.openid(oa)])).toMatchObject({ result_list: [{ new_openid: lan.openid(target) }] });
  });

  it('belongs to an account that can move, once', () => {
    const { account, oa } = stage();
    const personal = account.officialAccount({ oauthDomain: '127.0.0.1', verified: false });

    expect(() => personal.migrateTo(target)).toThrow('not verified');
    expect(() => oa.confirmMigration()).toThrow('does not move');
    expect(() => oa.migrateTo(oa)).toThrow('into itself');
    oa.migrateTo(target);
    expect(() => oa.migrateTo(target)).toThrow('moves already');
  });

  it('can be made over HTTP', async () => {
    const { lan, oa, wechat } = stage();
    await lan.follow(oa);
    const post = (path: string, body: object) =>
      fetch(`${wechat.endpoints.api}/_emulator/apps/${oa.appid}${path}`, {
        method: 'POST',
        body: JSON.stringify(body),
      });

    expect((await post('/migration', { to: target.appid })).status).toBe(200);
    expect(await ask([lan.openid(oa)])).toMatchObject({ errcode: 63178 });
    expect((await post('/migration/confirm', {})).status).toBe(200);
    expect(await ask([lan.openid(oa)])).toMatchObject({ errcode: 0 });
  });
});

describe('changeopenid by http', () => {
  it('is redirected to https where the platform insists', async () => {
    const wechat = await WechatEmulator.start({ rules: { migrationOverHttp: 'redirected' } });

    const answer = await fetch(`${wechat.endpoints.api}/cgi-bin/changeopenid?access_token=x`, {
      method: 'POST',
      body: '{}',
      redirect: 'manual',
    });

    expect([answer.status, answer.headers.get('location')]).toEqual([
      301,
      `${wechat.endpoints.api.replace('http:', 'https:')}/cgi-bin/changeopenid?access_token=x`,
    ]);
    await wechat.stop();
  });
});
