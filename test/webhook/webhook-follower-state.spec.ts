import fc from 'fast-check';
import type { Person } from '../../emulator/index.js';
import { poll } from '../support/follow.js';
import {
  approvalPage,
  askForMiniCode,
  linkedSceneOf,
  miniDeviceOf,
  miniToken,
  postApproval,
} from '../support/mini.js';
import { rowsOf, valueOf } from '../support/rows.js';
import {
  getWith,
  redeem,
  returnFromPc,
  returnInsideWechat,
  signInOnPc,
  toTokens,
  type Tokens,
} from '../support/sign-in.js';
import { redirectUri } from '../support/iam-app.js';
import { PcBrowser } from '../support/pc-browser.js';
import { until } from '../support/until.js';
import { eventFields, post, sealed, startWebhookWorld, type WebhookWorld } from '../support/webhook.js';

describe('what WeChat tells of a person', () => {
  let world: WebhookWorld;

  beforeAll(async () => {
    world = await startWebhookWorld();
    world.oa.configureServer({ url: world.webhook, ...world.server, mode: 'safe' });
    world.site.configureServer({ url: world.webhook, ...world.server, mode: 'safe' });
  });
  afterAll(() => world.close());

  /** Signed in inside WeChat: an identity of the Official Account. */
  const signInInside = async (person: Person): Promise<Tokens> => {
    const { location, verifier } = await returnInsideWechat(world.url, person);
    const form = {
      grant_type: 'authorization_code',
      client_id: 'web',
      code: location.searchParams.get('code') ?? '',
      redirect_uri: redirectUri(world.url),
      code_verifier: verifier,
    };
    return toTokens(await new PcBrowser().visit(`${world.url}/iam/token`, { form }));
  };
  const refresh = ({ refreshToken }: Tokens) =>
    new PcBrowser().visit(`${world.url}/iam/token`, {
      form: { grant_type: 'refresh_token', client_id: 'web', refresh_token: refreshToken },
    });
  const follows = (openid: string) =>
    rowsOf(world.dataSource, 'SELECT follows, follow_changed_at FROM iam.identities WHERE openid = $1', [
      openid,
    ]);
  const userOf = async (tokens: Tokens) => (await getWith(`${world.url}/iam/me`, tokens.accessToken)).json();
  const settled = async (event: string) => {
    const open = `SELECT count(*)::int FROM iam.webhook_events WHERE event = $1 AND status <> 'done'`;
    await until(`${event} is settled`, async () => (await valueOf(world.dataSource, open, [event])) === 0);
  };

  it('ends a sign-in that was confirmed after it, by a session in the mini program that was proven before it', async () => {
    const mini = world.account.miniProgram();
    await world.saveProvider({
      mini_app_id: mini.appid,
      mini_app_secret: mini.secret,
      mini_approval_page: approvalPage,
      mini_link: 'scheme',
    });
    const person = world.wechat.person({ nickname: '小程' });
    const openid = person.openid(mini);
    const token = await miniToken(world, person, mini);
    await world.dataSource.query(
      `UPDATE iam.logins SET created_at = created_at - interval '60 seconds' WHERE openid = $1`,
      [openid],
    );
    const device = miniDeviceOf(await askForMiniCode(world.url));
    const { id } = (await postApproval(world.url, token, { scene: linkedSceneOf(device) })).json();
    const confirmed = await postApproval(world.url, token, { decision: 'confirm' }, String(id));

    const fields = { AppID: mini.appid, OpenID: openid, RevokeInfo: '301' };
    const CreateTime = Math.floor(Date.now() / 1000) - 30;
    await post(
      world.webhook,
      sealed(eventFields('user_authorization_revoke', 'oWeChat', { ...fields, CreateTime }), world),
    );
    await settled('user_authorization_revoke');
    const answer = await poll(world.url, device);

    expect(confirmed.status).toBe(200);
    expect(answer.json()['access_token']).toBeUndefined();
    expect(await valueOf(world.dataSource, 'SELECT error FROM iam.logins WHERE id = $1', [id])).toBe(
      'login_interrupted',
    );
  });

  it('shows whether they follow, on the identity and nowhere else', async () => {
    const lan = world.wechat.person({ nickname: '小兰' });
    const tokens = await signInInside(lan);
    const openid = lan.openid(world.oa);

    const before = await follows(openid);
    await lan.follow(world.oa);
    const following = await follows(openid);
    await lan.unfollow(world.oa);
    const left = await follows(openid);

    expect(before).toEqual([{ follows: null, follow_changed_at: null }]);
    expect(following).toMatchObject([{ follows: true }]);
    expect(left).toMatchObject([{ follows: false }]);
    expect((await refresh(tokens)).status).toBe(200);
  });

  it('ends in the same state in whatever order and however often it arrives', async () => {
    const hua = world.wechat.person({ nickname: '小华' });
    await signInInside(hua);
    const openid = hua.openid(world.oa);
    const start = Math.floor(Date.now() / 1000) - 1_000;
    const history = [
      { name: 'subscribe', at: start },
      { name: 'unsubscribe', at: start + 10 },
      { name: 'SCAN', at: start + 10 },
      { name: 'subscribe', at: start + 20 },
      { name: 'unsubscribe', at: start + 30 },
      { name: 'subscribe', at: start + 30 },
    ];
    const orders = fc.shuffledSubarray([...history, ...history], { minLength: history.length });

    await fc.assert(
      fc.asyncProperty(orders, async (deliveries) => {
        fc.pre(history.every((event) => deliveries.includes(event)));
        await world.dataSource.query(
          'UPDATE iam.identities SET follows = NULL, follow_changed_at = NULL WHERE openid = $1',
          [openid],
        );
        await world.dataSource.query('DELETE FROM iam.webhook_events WHERE openid = $1', [openid]);

        for (const { name, at } of deliveries)
          await post(
            world.webhook,
            sealed({ ...eventFields(name, openid, { EventKey: '' }), CreateTime: at }, world),
          );

        expect(await follows(openid)).toEqual([
          { follows: false, follow_changed_at: new Date((start + 30) * 1000) },
        ]);
      }),
      { numRuns: 15 },
    );
  }, 60_000);

  it('makes a nickname that was taken away be read again', async () => {
    const ming = world.wechat.person({ nickname: '坏名字' });
    const tokens = await signInOnPc(world, ming);

    const deliveries = await ming.loseProfile();
    await settled('user_info_modified');
    const cleaned = await userOf(tokens);
    const again = await signInOnPc(world, ming);

    expect(cleaned).toMatchObject({ nickname: null, avatar_url: null });
    expect(deliveries.map(({ outcome }) => outcome)).toEqual(['answered']);
    expect((await userOf(again))['id']).toBe((await userOf(tokens))['id']);
    expect((await userOf(again))['nickname']).toBe('微信用户');
  });

  it('ends the sessions of an authorization that was withdrawn, and forgets its profile', async () => {
    const mei = world.wechat.person({ nickname: '小美' });
    const tokens = toTokens(await redeem(world.url, await returnFromPc(world, mei)));
    const { id } = await userOf(tokens);

    await mei.revokeAuthorization(world.site);
    await settled('user_authorization_revoke');
    const refused = await refresh(tokens);
    const rows = await rowsOf(
      world.dataSource,
      `SELECT u.nickname, u.avatar_url, u.status, a.detail->>'revokeInfo' AS revoke_info
       FROM iam.users u JOIN iam.audit_log a ON a.user_id = u.id AND a.action = 'identity.authorization_revoked'
       WHERE u.id = $1`,
      [id],
    );
    const again = await signInOnPc(world, mei);

    expect(refused.json()['error']).toBe('invalid_grant');
    expect(rows).toEqual([{ nickname: null, avatar_url: null, status: 'active', revoke_info: '301' }]);
    expect(await userOf(again)).toMatchObject({ id, nickname: '小美' });
  });

  it('keeps the sessions and the profile that came another way', async () => {
    const lin = world.wechat.person({ nickname: '小林' });
    const onPc = await signInOnPc(world, lin);
    const inside = await signInInside(lin);

    await lin.revokeAuthorization(world.oa, '205');
    await settled('user_authorization_revoke');

    expect((await refresh(inside)).status).toBe(200);
    expect((await refresh(onPc)).status).toBe(200);
    expect((await userOf(onPc))['nickname']).toBe('小林');
  });

  it('removes what is left of a WeChat account that was closed, app by app', async () => {
    const tao = world.wechat.person({ nickname: '小涛' });
    const onPc = await signInOnPc(world, tao);
    const inside = await signInInside(tao);
    const { id } = await userOf(onPc);
    const unionid = tao.unionid(world.account);

    const deliveries = await tao.closeAccount();
    await settled('user_authorization_cancellation');
    const left = await rowsOf(
      world.dataSource,
      `SELECT (SELECT count(*)::int FROM iam.identities WHERE user_id = u.id) AS identities,
              (SELECT count(*)::int FROM iam.unions WHERE unionid = $2) AS unions,
              (SELECT count(*)::int FROM iam.sessions WHERE user_id = u.id AND ended_at IS NULL) AS sessions,
              (SELECT count(*)::int FROM iam.audit_log WHERE user_id = u.id AND action = 'identity.account_closed') AS audited,
              u.nickname, u.avatar_url
       FROM iam.users u WHERE u.id = $1`,
      [id, unionid],
    );

    expect(deliveries).toHaveLength(2);
    expect(left).toEqual([
      { identities: 0, unions: 0, sessions: 0, audited: 2, nickname: null, avatar_url: null },
    ]);
    expect((await refresh(onPc)).status).toBe(400);
    expect((await refresh(inside)).status).toBe(400);
  });

  it('keeps the unionid as long as another identity carries it', async () => {
    const yun = world.wechat.person({ nickname: '小云' });
    const onPc = await signInOnPc(world, yun);
    await signInInside(yun);
    const fields = { OpenID: yun.openid(world.oa), AppID: world.oa.appid };

    await post(
      world.webhook,
      sealed(eventFields('user_authorization_cancellation', 'oWeChat', fields), world),
    );
    await settled('user_authorization_cancellation');

    expect(
      await valueOf(world.dataSource, 'SELECT count(*)::int FROM iam.unions WHERE unionid = $1', [
        yun.unionid(world.account),
      ]),
    ).toBe(1);
    expect((await refresh(onPc)).status).toBe(200);
    expect((await userOf(onPc))['nickname']).toBe('小云');
  });

  it('does nothing about an app of another row, or about nobody', async () => {
    const jun = world.wechat.person({ nickname: '小军' });
    const tokens = await signInOnPc(world, jun);
    const OpenID = jun.openid(world.site);
    const forge = (fields: Readonly<Record<string, string>>) =>
      post(world.webhook, sealed(eventFields('user_authorization_cancellation', 'oWeChat', fields), world));

    const answers = [
      await forge({ OpenID, AppID: 'wxforeign' }),
      await forge({ AppID: world.site.appid }),
      await forge({}),
    ];
    await settled('user_authorization_cancellation');

    expect(answers.map(({ text }) => text)).toEqual(['success', 'success', 'success']);
    expect((await refresh(tokens)).status).toBe(200);
  });
});
