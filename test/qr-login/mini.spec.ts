import { setTimeout as delay } from 'node:timers/promises';
import { decodeJwt } from 'jose';
import type { Person } from '../../emulator/index.js';
import { adminOptions } from '../support/admin.js';
import { SkewedClock } from '../support/fake-clock.js';
import { poll, pollUntilSettled } from '../support/follow.js';
import {
  codesOf,
  leavePage,
  openFollowPage,
  openLinkPage,
  redeemFromPage,
  startOnPage,
} from '../support/follow-page.js';
import { startReplica } from '../support/iam-app.js';
import {
  askForMiniCode,
  miniDeviceOf,
  miniToken,
  type MiniWorld,
  postApproval,
  scanMiniCode,
  sceneOf,
  signInByMini,
  startMiniWorld,
} from '../support/mini.js';
import { PcBrowser, userAgents } from '../support/pc-browser.js';
import { countQueries, isHousekeeping } from '../support/query-counter.js';
import { rowsOf, valueOf } from '../support/rows.js';
import { registerSso, start, tokensOf } from '../support/single-sign-on.js';
import { linksIn } from '../support/link-by-follow.js';

const codePath = '/wxa/getwxacodeunlimit';
const isAside = (sql: string) =>
  sql.includes("status = 'pending' AND problem IS NULL") || isHousekeeping(sql);

describe('sign-in by a mini program code', () => {
  let world: MiniWorld;
  const clock = new SkewedClock(0);

  beforeAll(async () => {
    world = await startMiniWorld({}, { options: { ...adminOptions, rateLimits: 'off' }, clock });
  });
  afterAll(() => world.close());
  afterEach(async () => {
    world.wechat.clearFaults();
    await world.saveProvider({
      qr_confirmation: 'tap',
      sign_up: 'auto',
      enabled: true,
      qr_with: 'mini',
      qr_login_with: 'mp',
    });
  });

  const ask = async () => miniDeviceOf(await askForMiniCode(world.url));
  const newcomer = (nickname = '小兰') => world.wechat.person({ nickname });
  /** Asks, scans, and what the phone then knows. */
  const scanned = (person = newcomer()) => scanMiniCode(world, person);
  const errorOf = async (reply: Promise<{ json(): Record<string, unknown>; status: number }>) => {
    const { status, json } = await reply;
    return [status, json()['code']];
  };

  it('shows where it comes from, and the device gets the person of the mini program', async () => {
    const browser = new PcBrowser();
    const started = await askForMiniCode(world.url, browser);
    const device = miniDeviceOf(started);
    const lan = newcomer();

    const visit = await lan.scanMini(device.image);
    const approval = visit.screen.kind === 'question' ? visit.screen.approval : undefined;
    expect(approval).toMatchObject({
      site: new URL(world.url).host,
      browser: 'Windows 上的 Chrome',
      address: '127.0.0.1',
      user_code: device.typedCode,
    });
    expect(approval?.id).toMatch(/^[0-9a-f-]{36}$/);
    expect(approval?.expires_in).toBeGreaterThan(500);
    expect(approval).not.toHaveProperty('account');
    expect((await poll(world.url, device)).json()['error']).toBe('authorization_pending');
    await visit.confirm();
    const tokens = await pollUntilSettled(world.url, device);

    expect(started.json()).not.toHaveProperty('verification_uri_complete');
    expect(started.json()['open_link']).toMatch(/^weixin:\/\/dl\/business\/\?appid=/);
    expect(tokens.status).toBe(200);
    const headers = { authorization: `Bearer ${String(tokens.json()['access_token'])}` };
    const me = (await browser.visit(`${world.url}/iam/me`, { headers })).json();
    expect(me['identities']).toMatchObject([{ kind: 'mini', appid: world.mini.appid }]);
    const rows = await rowsOf(
      world.dataSource,
      'SELECT method, openid, provider FROM iam.sessions ORDER BY created_at DESC LIMIT 1',
    );
    expect(rows).toEqual([{ method: 'mini', openid: lan.openid(world.mini), provider: 'wechat' }]);
    const unions = await rowsOf(world.dataSource, 'SELECT unionid FROM iam.identities WHERE openid = $1', [
      lan.openid(world.mini),
    ]);
    expect(unions).toEqual([{ unionid: lan.unionid(world.account) }]);
  });

  it('costs two calls to WeChat and seven statements, once the person is known', async () => {
    const lan = newcomer();
    await miniToken(world, lan, world.mini);
    await ask();
    const counter = countQueries(world.database.url);
    world.wechat.clearCalls();

    const { device, visit } = await scanned(lan);
    await visit.confirm();
    const tokens = await poll(world.url, device);
    const statements = counter.since(0).filter((sql) => !isAside(sql));
    counter.stop();

    expect(tokens.status).toBe(200);
    const called = world.wechat.calls().map(({ path }) => path);
    expect(called).toEqual([codePath, '/sns/jscode2session']);
    expect(statements).toHaveLength(7);
  });

  it('is told in the audit log, once a sign-up and then a sign-in of the same user', async () => {
    const { device, person, visit } = await scanned();
    await visit.confirm();
    await pollUntilSettled(world.url, device);
    const again = await scanned(person);
    await again.visit.confirm();
    await pollUntilSettled(world.url, again.device);

    const userId = await valueOf(world.dataSource, 'SELECT user_id FROM iam.identities WHERE openid = $1', [
      person.openid(world.mini),
    ]);
    const entries = await rowsOf(
      world.dataSource,
      `SELECT action, detail ->> 'method' AS method FROM iam.audit_log WHERE user_id = $1 ORDER BY id`,
      [userId],
    );
    expect(entries.map(({ action }) => String(action)).sort()).toEqual([
      'login.authenticated',
      'login.authenticated',
      'login.authenticated',
      'login.confirmed',
      'login.confirmed',
      'session.started',
      'session.started',
      'session.started',
      'session.started',
      'user.signed_up',
    ]);
  });

  it('sends the browser of the sign-in page back with a code, of the way that the row names', async () => {
    const browser = new PcBrowser();
    const offered = (await browser.visit(`${world.url}/iam/providers`)).json();
    const page = await openFollowPage(world.url, { method: 'auto' }, browser);
    const started = await startOnPage(page);
    const visit = await newcomer().scanMini(String(started.json()['qr_image']));
    await visit.confirm();

    const location = await leavePage(page, codesOf(started).deviceCode);

    expect(offered['providers']).toMatchObject([{ methods: ['mini'], recommended: 'mini' }]);
    expect(page.reply.text).toContain('小程序码');
    expect((await redeemFromPage(page, location)).status).toBe(200);
  });

  it('takes the typed number where the row asks for it, and ends with the third wrong one', async () => {
    await world.saveProvider({ qr_confirmation: 'number' });
    const { device, visit, approval } = await scanned();
    const wrong = String((Number(device.number) + 1) % 10_000).padStart(4, '0');

    expect(approval).not.toHaveProperty('user_code');
    expect(await visit.confirm()).toMatchObject({ kind: 'problem', code: 'user_code_invalid' });
    expect(await visit.confirm({ userCode: wrong })).toMatchObject({ code: 'user_code_invalid' });
    expect((await visit.confirm({ userCode: device.number })).kind).toBe('confirmed');
    expect((await pollUntilSettled(world.url, device)).status).toBe(200);

    const other = await scanned();
    const miss = String((Number(other.device.number) + 1) % 10_000).padStart(4, '0');
    await other.visit.confirm({ userCode: miss });
    await other.visit.confirm({ userCode: miss });
    expect(await other.visit.confirm({ userCode: miss })).toMatchObject({ code: 'access_denied' });
    expect((await pollUntilSettled(world.url, other.device)).json()['error']).toBe('access_denied');
  });

  it('is one person’s, once: not another’s, not a second time, not after a denial', async () => {
    const { device, visit, approval, person } = await scanned();
    const [own, others] = [
      await miniToken(world, person, world.mini),
      await miniToken(world, newcomer('阿伟'), world.mini),
    ];
    const scene = sceneOf(visit);

    expect(await errorOf(postApproval(world.url, others, { scene }))).toEqual([409, 'approval_over']);
    expect(await errorOf(postApproval(world.url, others, { decision: 'confirm' }, approval.id))).toEqual([
      409,
      'approval_over',
    ]);
    expect((await postApproval(world.url, own, { scene })).json()['id']).toBe(approval.id);
    const answers = await Promise.all(
      [1, 2, 3].map(() => postApproval(world.url, own, { decision: 'confirm' }, approval.id)),
    );
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200]);
    expect(await errorOf(postApproval(world.url, own, { decision: 'deny' }, approval.id))).toEqual([
      409,
      'approval_over',
    ]);
    expect((await pollUntilSettled(world.url, device)).status).toBe(200);
    expect(await errorOf(postApproval(world.url, own, { scene }))).toEqual([409, 'approval_over']);

    const denied = await scanned();
    await denied.visit.deny();
    const token = await miniToken(world, denied.person, world.mini);
    const late = postApproval(world.url, token, { decision: 'confirm' }, denied.approval.id);
    expect(await errorOf(late)).toEqual([409, 'approval_over']);
    expect((await pollUntilSettled(world.url, denied.device)).json()['error']).toBe('access_denied');
  });

  it('knows no scene that is guessed, and none of another environment, without a query', async () => {
    const token = await miniToken(world, newcomer(), world.mini);
    const counter = countQueries(world.database.url);
    const foreign = await errorOf(postApproval(world.url, token, { scene: 'other_abcdefghijklmnopqrstuv' }));
    const statements = counter.since(0).filter((sql) => !isAside(sql));
    counter.stop();

    expect([foreign, statements]).toEqual([[404, 'not_found'], []]);
    const guessed = postApproval(world.url, token, { scene: `iam_${'A'.repeat(22)}` });
    expect(await errorOf(guessed)).toEqual([404, 'not_found']);
    expect(await errorOf(postApproval(world.url, token, { decision: 'confirm' }, 'no-id'))).toEqual([
      404,
      'not_found',
    ]);
  });

  it('takes the token of this mini program alone, of a session that lives and began by no scan', async () => {
    const { device, visit, approval, person } = await scanned();
    const scene = sceneOf(visit);
    const signedIn = await scanned(person);
    await signedIn.visit.confirm();
    const collected = await pollUntilSettled(world.url, signedIn.device);
    const byScan = String(collected.json()['access_token']);
    const other = world.account.miniProgram();
    await world.saveProvider({ slug: 'other', mini_app_id: other.appid, mini_app_secret: other.secret });
    const foreign = await miniToken(world, person, other, 'other');
    const ended = await miniToken(world, person, world.mini);
    await world.dataSource.query(
      'UPDATE iam.sessions SET ended_at = now() WHERE id = (SELECT id FROM iam.sessions ORDER BY created_at DESC LIMIT 1)',
    );
    const elsewhere = await linksIn(() => world).newUser('小兰');

    for (const token of [foreign, ended, elsewhere.accessToken, byScan]) {
      expect(await errorOf(postApproval(world.url, token, { scene }))).toEqual([403, 'approval_forbidden']);
      expect(await errorOf(postApproval(world.url, token, { decision: 'confirm' }, approval.id))).toEqual([
        403,
        'approval_forbidden',
      ]);
    }
    expect(await errorOf(postApproval(world.url, 'none', { scene }))).toEqual([401, 'invalid_token']);
    expect((await poll(world.url, device)).status).toBe(400);
    await world.saveProvider({ slug: 'other', enabled: false });
  });

  it('lets a browser in to all applications, as of the confirmation, which lets no other device in', async () => {
    const person = newcomer();
    const client_id = await registerSso(world);
    const ofScan = await signInByMini(world, person, client_id);
    const { approval } = await scanned(person);
    for (const each of [ofScan, await start(world, ofScan.browser, client_id)]) {
      const token = String((await tokensOf(world, each, client_id)).json()['access_token']);
      const approved = await errorOf(postApproval(world.url, token, { decision: 'confirm' }, approval.id));
      expect(approved).toEqual([403, 'approval_forbidden']);
      expect(Number(decodeJwt(token)['auth_time'])).toBeGreaterThan(Date.now() / 1000 - 600);
    }
    // Told late, of a time after the proof and before the confirmation.
    await world.dataSource.query("UPDATE iam.identities SET withdrawn_at = now() - interval '1 hour'");

    expect((await start(world, ofScan.browser, client_id, { prompt: 'none' })).error).toBe('login_required');
  });

  it('is over when its time is, or when its row admits nobody', async () => {
    const { visit, approval, person } = await scanned();
    const token = await miniToken(world, person, world.mini);
    await world.dataSource.query(
      `UPDATE iam.logins SET redeem_before = now() - interval '1 second' WHERE id = $1`,
      [approval.id],
    );

    expect(await errorOf(postApproval(world.url, token, { scene: sceneOf(visit) }))).toEqual([
      409,
      'approval_over',
    ]);
    expect(await visit.confirm()).toMatchObject({ kind: 'problem', code: 'approval_over' });

    const closed = await scanned(person);
    await world.saveProvider({ enabled: false });
    expect(await closed.visit.confirm()).toMatchObject({ kind: 'problem', code: 'provider_disabled' });
  });

  it.each<readonly [string, object, string]>([
    [
      'JSON',
      { body: '{"errcode":41030,"errmsg":"invalid page"}', contentType: 'image/jpeg' },
      'provider_misconfigured',
    ],
    ['a page', { status: 200 }, 'wechat_unavailable'],
    ['a picture without a byte', { body: '', contentType: 'image/png' }, 'wechat_answer_invalid'],
    ['text with the name of a picture', { body: 'no', contentType: 'image/png' }, 'wechat_answer_invalid'],
    ['45009', { errcode: 45009 }, 'wechat_quota_exceeded'],
  ])('shows no code when WeChat answers with %s', async (_what, fault, code) => {
    world.wechat.always(codePath, fault);

    const reply = await askForMiniCode(world.url);

    expect(reply.json()['error_description'] ?? reply.json()['code']).toBeDefined();
    const [row] = await rowsOf(
      world.dataSource,
      'SELECT status, error FROM iam.logins ORDER BY id DESC LIMIT 1',
    );
    expect(row).toEqual({ status: 'failed', error: code });
  });

  it('fetches the access token anew, once, when WeChat finds it invalid', async () => {
    await ask();
    world.wechat.clearCalls();
    world.wechat.once(codePath, { errcode: 40001 });

    expect((await askForMiniCode(world.url)).status).toBe(200);
    expect(world.wechat.calls().map(({ path }) => path)).toEqual([
      codePath,
      '/cgi-bin/stable_token',
      codePath,
    ]);
  });

  it('begins one session for two people, twenty polls and two replicas', async () => {
    const replica = await startReplica(world, { options: { rateLimits: 'off' } });
    const device = await ask();
    const people = [newcomer(), newcomer('阿伟')];

    const visits = await Promise.all(people.map((person) => person.scanMini(device.image)));
    const [owner, ...none] = visits.filter(({ screen }) => screen.kind === 'question');
    expect(none).toEqual([]);
    await owner?.confirm();
    await delay(50);
    const replies = await Promise.all(
      Array.from({ length: 20 }, (_, at) => poll(at % 2 === 0 ? world.url : replica.url, device)),
    );
    const settled = await pollUntilSettled(replica.url, device).catch(() => null);
    await replica.close();

    const begun = [...replies, ...(settled === null ? [] : [settled])].filter(({ status }) => status === 200);
    expect(begun).toHaveLength(1);
  });

  it('takes the phone number with the confirmation, together or not at all', async () => {
    const { device, visit, approval, person } = await scanned();
    const number = async () =>
      valueOf(
        world.dataSource,
        'SELECT phone_number FROM iam.users WHERE id = (SELECT user_id FROM iam.identities WHERE openid = $1)',
        [person.openid(world.mini)],
      );
    const token = await miniToken(world, person, world.mini);
    const foreign = newcomer('阿伟').phoneNumberCode(world.mini);
    for (const phone_code of ['wrong', person.wxLogin(world.mini), foreign])
      expect(
        await errorOf(postApproval(world.url, token, { decision: 'confirm', phone_code }, approval.id)),
      ).toEqual([400, 'phone_code_invalid']);
    expect([(await poll(world.url, device)).status, await number()]).toEqual([400, null]);

    expect((await visit.confirm({ withPhone: true })).kind).toBe('confirmed');
    expect(await number()).toMatch(/^\+86\d{11}$/);
    expect((await pollUntilSettled(world.url, device)).status).toBe(200);
    world.wechat.clearCalls();
    expect((await visit.confirm({ withPhone: true }).catch(() => null))?.kind ?? 'over').toBe('over');
    const late = { decision: 'deny', phone_code: person.phoneNumberCode(world.mini) };
    expect(await errorOf(postApproval(world.url, token, late, approval.id))).toEqual([409, 'approval_over']);
    expect(world.wechat.calls('/wxa/business/getuserphonenumber')).toHaveLength(0);
  });

  it('opens by a link on a phone outside WeChat, where nothing else works', async () => {
    const phone = new PcBrowser(userAgents.phone);
    const offer = (await phone.visit(`${world.url}/iam/providers`)).json();
    const page = await openFollowPage(world.url, { method: 'auto' }, phone);
    const started = await startOnPage(page);
    const visit = await newcomer().openScheme(String(started.json()['open_link']));
    await visit.confirm();
    const location = await leavePage(page, codesOf(started).deviceCode);

    expect(offer).toMatchObject({ browser: 'phone', providers: [{ recommended: 'mini', problem: null }] });
    expect(visit.entry).toBe(1286);
    expect((await redeemFromPage(page, location)).status).toBe(200);

    await world.saveProvider({ mini_link: 'none' });
    const without = (await phone.visit(`${world.url}/iam/providers`)).json();
    expect(without).toMatchObject({
      providers: [{ recommended: null, problem: { code: 'browser_unsupported' } }],
    });
    expect((await askForMiniCode(world.url)).json()).not.toHaveProperty('open_link');
    await world.saveProvider({ mini_link: 'scheme' });
  });

  it('links the WeChat of the person who confirms to the account that asks, if it is nobody else’s', async () => {
    const links = linksIn(() => world);
    const lan = newcomer();
    const user = await links.newUser('小兰');
    const owner = await links.newUser('小王');
    const linkBy = async (account: typeof user, person: Person) => {
      const page = await links.openPage(account);
      const started = await startOnPage(page);
      const visit = await person.scanMini(String(started.json()['qr_image']));
      await visit.confirm();
      return { visit, location: await leavePage(page, codesOf(started).deviceCode) };
    };

    const stranger = await linkBy(user, lan);
    const [own] = world.wechat
      .people()
      .filter(({ nickname }) => nickname === '小王')
      .slice(-1);
    const linked = own && (await linkBy(owner, own));

    expect(Object.fromEntries(stranger.location.searchParams)).toMatchObject({ error: 'identity_conflict' });
    expect(Object.fromEntries(linked?.location.searchParams ?? [])).toHaveProperty('linked');
    const kinds = await rowsOf(
      world.dataSource,
      'SELECT app_kind FROM iam.identities WHERE user_id = $1 ORDER BY app_kind',
      [owner.id],
    );
    expect(kinds).toEqual([{ app_kind: 'mini' }, { app_kind: 'mp' }]);
  });

  it('links by itself where the row leads those who follow on to the Open Platform', async () => {
    const links = linksIn(() => world);
    const owner = await links.newUser('小周');
    const [own] = world.wechat
      .people()
      .filter(({ nickname }) => nickname === '小周')
      .slice(-1);
    await world.saveProvider({ qr_with: 'follow', qr_login_with: 'open' });
    const phone = new PcBrowser(userAgents.phone);
    const page = await openLinkPage(world.url, phone, await links.start(owner, phone, { method: 'mini' }));
    const started = await startOnPage(page);
    const visit = await own?.openScheme(String(started.json()['open_link']));
    await visit?.confirm();

    const location = await leavePage(page, codesOf(started).deviceCode);

    expect(Object.fromEntries(location.searchParams)).toHaveProperty('linked');
  });
});
