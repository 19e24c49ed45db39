import type { Person } from '../../emulator/index.js';
import { addApps, callMe, handIn, inApp, type Apps } from '../support/account.js';
import { AdminClient, adminOptions } from '../support/admin.js';
import {
  askForQrCode,
  decideOnPhone,
  poll,
  pollUntilSettled,
  scanAndFollow,
  startFollowWorld,
} from '../support/follow.js';
import { owner, signInWithNumber } from '../support/phone-sign-in.js';
import { rowsOf, valueOf } from '../support/rows.js';
import { linksIn } from '../support/link-by-follow.js';
import { inWechat, onPc } from '../support/signed-in.js';
import { approveOnPc, getWith, redeem, returnFromPc, toTokens, type Tokens } from '../support/sign-in.js';
import { PcBrowser } from '../support/pc-browser.js';
import { until } from '../support/until.js';
import { eventFields, post, sealed, startWebhookWorld, type WebhookWorld } from '../support/webhook.js';
import { safePush, toXml } from '../support/wechat-push.js';

const HOURS = 3600;
const ago = (seconds: number) => Math.floor(Date.now() / 1000) - seconds;

describe('what WeChat withdraws', () => {
  let world: WebhookWorld;
  let apps: Apps;

  beforeAll(async () => {
    world = await startWebhookWorld({}, { options: adminOptions });
    apps = await addApps(world);
  });
  afterAll(() => world.close());
  beforeEach(() => world.saveProvider({ enabled: true, sign_up: 'auto', qr_enabled: false }));

  type Fields = Readonly<Record<string, string | number>>;
  /** Pushes a change and waits until it was worked off. */
  const push = async (Event: string, app: { readonly appid: string }, fields: Fields, format = 'xml') => {
    const message = eventFields(Event, 'oWeChat', { AppID: app.appid, ...fields });
    const { server } = world;
    const sent = format === 'xml' ? sealed(message, world) : safePush(JSON.stringify(message), server);
    const answer = await post(world.webhook, sent);
    await until('everything is worked off', async () => {
      const open = `SELECT count(*)::int FROM iam.webhook_events WHERE status IN ('processing', 'pending')`;
      return (await valueOf(world.dataSource, open)) === 0;
    });
    return answer;
  };
  const revoke = (person: Person, app: 'mini' | 'mobile' | 'site', fields: Fields) => {
    const of = app === 'site' ? world.site : apps[app];
    return push('user_authorization_revoke', of, { OpenID: person.openid(of), ...fields });
  };
  const refresh = async ({ refreshToken }: Tokens) =>
    (
      await new PcBrowser().visit(`${world.url}/iam/token`, {
        form: { grant_type: 'refresh_token', client_id: 'web', refresh_token: refreshToken },
      })
    ).status;
  const meOf = async (user: Tokens) => (await getWith(`${world.url}/iam/me`, user.accessToken)).json();

  /** Signed in on a PC, which brings the profile, and in the mini program, which brings the number. */
  const known = async (nickname: string) => {
    const person = world.wechat.person({ nickname });
    person.changeProfile({ phoneNumber: '13800138000' });
    const pc = await onPc(world, person);
    const mini = await inApp(world, person, apps, 'mini');
    const body = { provider: 'wechat', code: person.phoneNumberCode(apps.mini) };
    await callMe(world, mini, '/phone_number', { method: 'POST', body });
    return { person, pc, mini };
  };

  it.each([
    { info: '301', app: 'site', nickname: null, phone: '+8613800138000', alive: false },
    { info: '205', app: 'site', nickname: null, phone: '+8613800138000', alive: true },
    { info: '6', app: 'site', nickname: null, phone: '+8613800138000', alive: true },
    { info: '19', app: 'site', nickname: null, phone: '+8613800138000', alive: true },
    { info: ' 20', app: 'site', nickname: null, phone: '+8613800138000', alive: true },
    { info: '8', app: 'mini', nickname: '小兰', phone: null, alive: true },
    { info: '5,8,13', app: 'mini', nickname: '小兰', phone: null, alive: true },
    { info: '13', app: 'mini', nickname: '小兰', phone: '+8613800138000', alive: true },
    { info: '1', app: 'mini', nickname: '小兰', phone: '+8613800138000', alive: true },
    { info: '4711', app: 'mini', nickname: '小兰', phone: '+8613800138000', alive: true },
    { info: '', app: 'mini', nickname: '小兰', phone: '+8613800138000', alive: true },
  ] as const)('acts by its list: $info of the $app', async ({ info, app, nickname, phone, alive }) => {
    const { person, pc, mini } = await known('小兰');

    await revoke(person, app, { RevokeInfo: info });
    const of = app === 'site' ? pc : mini;
    const status = await refresh(of);

    expect(
      await rowsOf(world.dataSource, 'SELECT nickname, phone_number FROM iam.users WHERE id = $1', [pc.id]),
    ).toEqual([{ nickname, phone_number: phone }]);
    expect(status).toBe(alive ? 200 : 400);
    expect(await refresh(app === 'site' ? mini : pc)).toBe(200);
  });

  it('keeps and audits a value that no list of WeChat knows', async () => {
    const { person, pc } = await known('小青');

    await revoke(person, 'mini', { RevokeInfo: '999' });

    const stored = `SELECT status, message->>'RevokeInfo' AS info FROM iam.webhook_events WHERE openid = $1`;
    expect(await rowsOf(world.dataSource, stored, [person.openid(apps.mini)])).toEqual([
      { status: 'done', info: '999' },
    ]);
    const audited = `SELECT detail->>'revokeInfo' FROM iam.audit_log WHERE user_id = $1 AND action = 'identity.authorization_revoked'`;
    expect(await valueOf(world.dataSource, audited, [pc.id])).toBe('999');
  });

  it('leaves what began after it: a revocation of hours ago, and the same one replayed', async () => {
    const { person, pc } = await known('小红');
    const waiting = await returnFromPc(world, person);
    const admin = new AdminClient(world.url);

    await revoke(person, 'site', { RevokeInfo: '301', CreateTime: ago(20 * HOURS) });
    const afterLate = [await refresh(pc), (await meOf(pc))['nickname']];
    const event = await valueOf(world.dataSource, 'SELECT id FROM iam.webhook_events WHERE openid = $1', [
      person.openid(world.site),
    ]);
    const replayed = await admin.post(`events/${String(event)}/replay`, { force: true });
    await until('the replay has run', async () => {
      const runs = `SELECT count(*)::int FROM iam.audit_log WHERE user_id = $1 AND action = 'identity.authorization_revoked'`;
      return (await valueOf(world.dataSource, runs, [pc.id])) === 2;
    });

    expect(afterLate).toEqual([200, '小红']);
    expect(replayed.status).toBe(202);
    expect((await meOf(pc))['nickname']).toBe('小红');
    expect((await redeem(world.url, waiting)).status).toBe(200);
    expect(
      await valueOf(
        world.dataSource,
        'SELECT count(*)::int FROM iam.sessions WHERE user_id = $1 AND ended_at IS NOT NULL',
        [pc.id],
      ),
    ).toBe(0);
  });

  it('keeps a phone number and a profile that came after it', async () => {
    const { person, pc } = await known('小蓝');

    await revoke(person, 'mini', { RevokeInfo: '8', CreateTime: ago(60) });
    await push('user_info_modified', world.site, { OpenID: person.openid(world.site), CreateTime: ago(60) });

    expect(await meOf(pc)).toMatchObject({ nickname: '小蓝', phone_number: '+8613800138000' });
  });

  it('ends a code that waits to be redeemed, and a code that is being exchanged meanwhile', async () => {
    const { person } = await known('小绿');
    const waiting = await returnFromPc(world, person);
    const late = await approveOnPc(world, person);
    await world.dataSource.query("UPDATE iam.logins SET created_at = created_at - interval '30 seconds'");

    await revoke(person, 'site', { RevokeInfo: '301' });
    const returned = await late.browser.visit(late.callback);
    await world.dataSource.query(
      `UPDATE iam.logins SET created_at = now() - interval '30 seconds' WHERE status = 'authenticated'`,
    );
    const answers = [
      await redeem(world.url, waiting),
      await redeem(world.url, { browser: late.browser, returned, verifier: late.verifier }),
    ];

    expect(answers.map((answer) => answer.json()['error'])).toEqual(['invalid_grant', 'invalid_grant']);
    expect((await redeem(world.url, await returnFromPc(world, person))).status).toBe(200);
  });

  it('ends a scan that waits for its browser, and one that waits for its phone', async () => {
    const { token, encodingAesKey } = world.server;
    await world.saveProvider({ qr_enabled: true, qr_confirmation: 'tap' });
    world.oa.configureServer({ url: world.webhook, token, encodingAesKey, mode: 'safe' });
    const person = world.wechat.person({ nickname: '小青' });
    const confirmed = await askForQrCode(world.url);
    await scanAndFollow(world, person, confirmed.qr);
    await decideOnPhone(world, person, 'confirm');
    const scanned = await askForQrCode(world.url);
    await scanAndFollow(world, person, scanned.qr);

    await push('user_authorization_revoke', world.oa, {
      OpenID: person.openid(world.oa),
      RevokeInfo: '301',
    });
    const answers = [await poll(world.url, confirmed), await poll(world.url, scanned)];

    expect(answers.map((answer) => 'access_token' in answer.json())).toEqual([false, false]);
    expect(
      await rowsOf(world.dataSource, 'SELECT status, error FROM iam.logins WHERE openid = $1', [
        person.openid(world.oa),
      ]),
    ).toEqual(Array(2).fill({ status: 'failed', error: 'login_interrupted' }));
  });

  it('ends a session whose code was proven before it and redeemed after it', async () => {
    const { pc, person } = await known('小灰');
    await world.dataSource.query(
      `UPDATE iam.logins SET created_at = now() - interval '60 seconds' WHERE user_id = $1`,
      [pc.id],
    );

    await revoke(person, 'site', { RevokeInfo: '301', CreateTime: ago(30) });

    expect(await refresh(pc)).toBe(400);
  });

  it('ends a binding token of somebody whom nobody here knows yet, and forgets the profile in one that stays', async () => {
    await world.saveProvider({ sign_up: 'bind' });
    const [gone, stays] = [
      world.wechat.person({ nickname: '生人' }),
      world.wechat.person({ nickname: '路人' }),
    ];
    for (const person of [gone, stays]) await redeem(world.url, await returnFromPc(world, person));

    await revoke(gone, 'site', { RevokeInfo: '301' });
    await revoke(stays, 'site', { RevokeInfo: '205' });

    const sql = `SELECT status, subject->'profile' AS profile FROM iam.logins WHERE openid = $1`;
    expect(await rowsOf(world.dataSource, sql, [gone.openid(world.site)])).toEqual([
      { status: 'failed', profile: null },
    ]);
    expect(await rowsOf(world.dataSource, sql, [stays.openid(world.site)])).toEqual([
      { status: 'binding', profile: null },
    ]);
  });

  it('takes the phone number of a closed account with it', async () => {
    const { person, pc } = await known('小白');

    await push('user_authorization_cancellation', world.site, { OpenID: person.openid(world.site) });
    await push('user_authorization_cancellation', apps.mini, { OpenID: person.openid(apps.mini) });

    expect(
      await rowsOf(
        world.dataSource,
        `SELECT nickname, phone_number, (SELECT count(*)::int FROM iam.identities i WHERE i.user_id = u.id) AS identities
         FROM iam.users u WHERE id = $1`,
        [pc.id],
      ),
    ).toEqual([{ nickname: null, phone_number: null, identities: 0 }]);
  });

  it('removes nobody who has signed in since the account was said to be closed', async () => {
    const { person, pc } = await known('小黑');

    await push('user_authorization_cancellation', world.site, {
      OpenID: person.openid(world.site),
      CreateTime: ago(20 * HOURS),
    });

    expect(await refresh(pc)).toBe(200);
    expect(await meOf(pc)).toMatchObject({
      nickname: '小黑',
      phone_number: '+8613800138000',
      identities: [{ kind: 'open' }, { kind: 'mini' }],
    });
  });

  it('removes nobody who has confirmed since to be linked to somebody else', async () => {
    const { token, encodingAesKey } = world.server;
    await world.saveProvider({ qr_enabled: true, qr_confirmation: 'tap' });
    world.oa.configureServer({ url: world.webhook, token, encodingAesKey, mode: 'safe' });
    const links = linksIn(() => world);
    const person = world.wechat.person({ nickname: '小棕' });
    const user = await inWechat(world, person);
    for (const table of ['identities', 'sessions', 'logins'])
      await world.dataSource.query(
        `UPDATE iam.${table} SET created_at = created_at - interval '40 hours' WHERE user_id = $1`,
        [user.id],
      );
    const other = await links.newUser('小橙');
    await links.confirmed(other, person);
    const closeAgo = (hours: number) =>
      push('user_authorization_cancellation', world.oa, {
        OpenID: person.openid(world.oa),
        CreateTime: ago(hours * HOURS),
      });

    await closeAgo(20);
    const owner = await links.ownerOf(person);
    await world.dataSource.query(
      `DELETE FROM iam.logins WHERE user_id = $1 AND link_session_id IS NOT NULL`,
      [other.id],
    );
    await closeAgo(19);

    expect(owner).toBe(user.id);
    expect(
      await valueOf(world.dataSource, 'SELECT count(*)::int FROM iam.identities WHERE user_id = $1', [
        user.id,
      ]),
    ).toBe(0);
  });

  it('leaves a phone number that came through another mini program', async () => {
    const { person, pc } = await known('小灰');
    await world.dataSource.query(`UPDATE iam.users SET phone_appid = 'wx-another' WHERE id = $1`, [pc.id]);

    await revoke(person, 'mini', { RevokeInfo: '8' });

    expect((await meOf(pc))['phone_number']).toBe('+8613800138000');
  });

  it('takes a phone number from a sign-in that waits for an account', async () => {
    await world.saveProvider({ sign_up: 'bind' });
    const person = owner(world, '13800138001');
    await signInWithNumber({ ...world, apps }, person);
    const waiting = `SELECT subject->>'phoneNumber' FROM iam.logins WHERE openid = $1`;
    const before = await valueOf(world.dataSource, waiting, [person.openid(apps.mini)]);

    await revoke(person, 'mini', { RevokeInfo: '8' });

    expect(before).toBe('+8613800138001');
    expect(await valueOf(world.dataSource, waiting, [person.openid(apps.mini)])).toBeNull();
  });

  it('takes no phone number that may be another WeChat’s of the same user', async () => {
    const { person, pc } = await known('小褐');
    const second = world.wechat.person({ nickname: '小褐二' });
    const body = { provider: 'wechat', app: 'mini', code: second.wxLogin(apps.mini) };
    await callMe(world, pc, '/identities', { method: 'POST', body });

    await push('user_authorization_cancellation', apps.mini, { OpenID: person.openid(apps.mini) });
    const kept = await meOf(pc);
    await push('user_authorization_cancellation', apps.mini, { OpenID: second.openid(apps.mini) });

    expect(kept).toMatchObject({
      phone_number: '+8613800138000',
      identities: [{ kind: 'open' }, { kind: 'mini' }],
    });
    expect(await meOf(pc)).toMatchObject({ phone_number: null, identities: [{ kind: 'open' }] });
  });

  it('says nothing about the future, whatever its time', async () => {
    const { person, pc } = await known('小金');

    await revoke(person, 'site', { RevokeInfo: '301', CreateTime: ago(-HOURS) });
    const ended = await refresh(pc);
    const again = await redeem(world.url, await returnFromPc(world, person));

    expect([ended, again.status]).toEqual([400, 200]);
  });

  it('reads XML and JSON with blanks around names and values', async () => {
    const { person, pc } = await known('小紫');
    const openid = person.openid(world.site);

    const answer = await push(
      'user_authorization_revoke',
      world.site,
      { MsgType: 'Event', ' OpenID': ` ${openid}`, AppID: ` ${world.site.appid} `, RevokeInfo: ' 301' },
      'json',
    );

    expect(answer.text).toBe('success');
    expect(await refresh(pc)).toBe(400);
    expect(
      await valueOf(world.dataSource, 'SELECT count(*)::int FROM iam.webhook_events WHERE openid = $1', [
        openid,
      ]),
    ).toBe(1);
  });

  it('reaches a row that is disabled, which signs nobody in', async () => {
    const { person, pc } = await known('小橙');
    const waiting = await returnFromPc(world, person);
    await world.saveProvider({ enabled: false });

    const redeemed = await redeem(world.url, waiting);
    const taken = await revoke(person, 'site', { RevokeInfo: '301' });
    const inMini = await handIn(world, 'mini', person.wxLogin(apps.mini));

    expect(redeemed.json()['error']).toBe('invalid_grant');
    expect(taken.text).toBe('success');
    expect(await refresh(pc)).toBe(400);
    expect(inMini.json()['code'] ?? inMini.json()['error']).toBe('provider_disabled');
  });

  it('reaches a row without an Official Account, in every mode', async () => {
    const { appid: mp_app_id, token: mp_token, encodingAesKey: mp_encoding_aes_key } = world.server;
    const keeper = { mp_app_id, mp_app_secret: world.oa.secret, mp_token, mp_encoding_aes_key };
    await world.saveProvider({
      slug: 'keeper',
      enabled: false,
      ...keeper,
      open_app_id: null,
      open_app_secret: null,
    });
    for (const mp_message_mode of ['safe', 'plain'] as const) {
      await world.saveProvider({ mp_message_mode, mp_app_id: null, mp_app_secret: null });
      const person = world.wechat.person({ nickname: '小青' });
      const tokens = toTokens(await redeem(world.url, await returnFromPc(world, person)));
      const fields = { OpenID: person.openid(world.site), AppID: world.site.appid, RevokeInfo: '301' };
      const message = eventFields('user_authorization_revoke', 'oWeChat', fields);
      const server = { ...world.server, appid: world.site.appid };
      const sent = safePush(toXml(message), server);
      const { timestamp = '', nonce = '' } = sent.query;
      const answer = await post(
        world.webhook,
        mp_message_mode === 'safe'
          ? sent
          : { query: { signature: String(sent.query['signature']), timestamp, nonce }, body: toXml(message) },
      );
      await until('the session ended', async () => (await refresh(tokens)) === 400);

      expect(answer.text).toBe('success');
    }
    await world.saveProvider({
      mp_message_mode: 'safe',
      mp_app_id: world.oa.appid,
      mp_app_secret: world.oa.secret,
    });
  });
});

describe('what WeChat says of following', () => {
  it('takes a time in the future for now, and sees somebody leave in the second of the sign-in', async () => {
    const world = await startFollowWorld({ qr_confirmation: 'tap' });
    const follows = async () =>
      (
        await rowsOf(
          world.dataSource,
          'SELECT follows, follow_changed_at <= now() AS is_past FROM iam.identities',
        )
      )[0];
    try {
      const lan = world.wechat.person({ nickname: '小兰' });
      const device = await askForQrCode(world.url);
      await scanAndFollow(world, lan, device.qr);
      await decideOnPhone(world, lan, 'confirm');
      await pollUntilSettled(world.url, device);
      const signedIn = await follows();
      await lan.unfollow(world.oa);
      const left = await follows();
      world.wechat.clock.advance(200);
      await lan.follow(world.oa);
      const future = await follows();

      expect([signedIn, left, future]).toEqual([
        { follows: true, is_past: true },
        { follows: false, is_past: true },
        { follows: true, is_past: true },
      ]);
    } finally {
      await world.close();
    }
  });
});
