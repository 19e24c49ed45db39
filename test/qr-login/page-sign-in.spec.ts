import { randomBytes } from 'node:crypto';
import { sha256 } from '../../src/crypto/hash.js';
import { callMe } from '../support/account.js';
import { poll, pollUntilSettled } from '../support/follow.js';
import {
  codesOf,
  finishOnPage,
  leavePage,
  openLinkPage,
  redeemFromPage,
  startOnPage,
} from '../support/follow-page.js';
import { type IamApp, redirectUri, startReplica, type World } from '../support/iam-app.js';
import { MatchingHooks, MatchingHooksModule } from '../support/phone-sign-in.js';
import { answerQuestion, scanPageCode, showPageCode, startPageWorld } from '../support/page-qr.js';
import { PcBrowser, userAgents } from '../support/pc-browser.js';
import { platforms } from '../support/platforms.js';
import { countQueries, isHousekeeping } from '../support/query-counter.js';
import { rowsOf, valueOf } from '../support/rows.js';
import { getWith, toTokens } from '../support/sign-in.js';
import { inWechat } from '../support/signed-in.js';
import { until } from '../support/until.js';

const isTick = (sql: string) => sql.includes("status = 'pending' AND problem IS NULL");
const sceneOf = (qr: string) => new URL(qr).searchParams.get('s') ?? '';

describe.each(platforms)('a QR code that opens a page of ours, on %s', (_platform, create) => {
  let world: World;
  let counter: ReturnType<typeof countQueries>;

  beforeAll(async () => {
    world = await startPageWorld({ create });
    counter = countQueries(world.database.url);
  });
  afterAll(async () => {
    counter.stop();
    await world.close();
  });

  it('takes a scene that no login has for a guess, which costs a try', async () => {
    const tries = () =>
      valueOf(
        world.dataSource,
        `SELECT COALESCE(sum(points), 0)::int FROM iam.rate_limits WHERE key LIKE 'failures:%' AND points > 0`,
      );
    const late = world.wechat.person({ nickname: '迟到' });
    const { qr } = await showPageCode(world.url);
    const before = Number(await tries());

    await scanPageCode(late, qr);
    const scanned = Number(await tries());
    const guessed = await scanPageCode(late, qr.replace(sceneOf(qr), 'A'.repeat(22)));

    expect(guessed.body).toContain('已失效');
    expect(scanned).toBe(before);
    expect(Number(await tries())).toBeGreaterThan(before);
  });

  it('signs a person in on the PC who never followed, with at most two calls and seven statements', async () => {
    const lan = world.wechat.person({ nickname: '小兰' });
    world.wechat.clearCalls();
    const mark = counter.mark();

    const { page, deviceCode, qr, started } = await showPageCode(world.url);
    const question = await scanPageCode(lan, qr);
    const waiting = (await finishOnPage(page, deviceCode)).json();
    await answerQuestion(lan, question, 'confirm');
    const tokens = toTokens(await redeemFromPage(page, await leavePage(page, deviceCode)));
    const statements = counter.since(mark).filter((sql) => !isTick(sql) && !isHousekeeping(sql));
    const calls = world.wechat.calls().map(({ path }) => path);
    const me = (await getWith(`${world.url}/iam/me`, tokens.accessToken)).json();

    expect(page.reply.text).toContain('扫码后，请在手机上确认登录');
    expect(page.reply.text).not.toContain('关注');
    expect(started).toMatchObject({ confirmation: 'tap', expires_in: 120, verification_uri_complete: qr });
    expect(question.body).toContain('Windows 上的 Chrome');
    expect(question.body).toContain(`<p class="number">${String(started['number'])}</p>`);
    expect(waiting['status']).toBe('scanned');
    expect(calls.filter((path) => path.startsWith('/sns/') || path.startsWith('/cgi-bin/'))).toEqual([
      '/sns/oauth2/access_token',
      '/sns/userinfo',
    ]);
    expect(statements).toHaveLength(7);
    expect(me).toMatchObject({ nickname: '小兰', identities: [{ provider: 'wechat', kind: 'mp' }] });
  });

  it('asks WeChat once about a person whose profile is fresh, who is the user that they are inside WeChat', async () => {
    const ming = world.wechat.person({ nickname: '小明' });
    const { id } = await inWechat(world, ming);
    world.wechat.clearCalls();
    const mark = counter.mark();

    const { page, deviceCode, qr } = await showPageCode(world.url);
    await answerQuestion(ming, await scanPageCode(ming, qr), 'confirm');
    const tokens = toTokens(await redeemFromPage(page, await leavePage(page, deviceCode)));
    const statements = counter.since(mark).filter((sql) => !isTick(sql) && !isHousekeeping(sql));
    const calls =
      world.wechat.calls('/sns/oauth2/access_token').length + world.wechat.calls('/sns/userinfo').length;
    const me = (await getWith(`${world.url}/iam/me`, tokens.accessToken)).json();

    expect(calls).toBe(1);
    expect(statements).toHaveLength(6);
    expect(me['id']).toBe(id);
  });

  it('works for a client with a page of its own, which may name the way', async () => {
    const hua = world.wechat.person({ nickname: '小华' });
    const ask = (method: string) =>
      new PcBrowser().visit(`${world.url}/iam/device_authorization`, {
        form: { client_id: 'web', provider: 'wechat', method },
      });

    const started = await ask('page');
    const { deviceCode, qr } = codesOf(started);
    await answerQuestion(hua, await scanPageCode(hua, qr), 'confirm');
    const tokens = await pollUntilSettled(world.url, { deviceCode });
    const refused = await ask('follow');
    const unknown = await ask('open');

    expect(sceneOf(qr)).toMatch(/^[A-Za-z0-9]{22}$/);
    expect(deviceCode).not.toContain(sceneOf(qr));
    expect(tokens.json()).toMatchObject({ token_type: 'Bearer' });
    expect(refused.json()['code']).toBe('method_unavailable');
    expect(unknown.json()['error']).toBe('invalid_request');
  });

  it('is what a PC is offered, and nothing that a phone outside WeChat is', async () => {
    const offer = async (userAgent: string) =>
      (await new PcBrowser(userAgent).visit(`${world.url}/iam/providers`)).json()['providers'];

    expect(await offer(userAgents.pc)).toMatchObject([{ methods: ['page'], recommended: 'page' }]);
    expect(await offer(userAgents.phone)).toMatchObject([
      { methods: [], problem: { code: 'browser_unsupported' } },
    ]);
  });
});

describe('the page that a QR code opens', () => {
  let world: World;
  let replica: IamApp;

  beforeAll(async () => {
    const options = { rateLimits: 'off', hooks: MatchingHooks } as const;
    world = await startPageWorld({ options, imports: [MatchingHooksModule] });
    replica = await startReplica(world, { options: { rateLimits: 'off' } });
  });
  afterAll(async () => {
    await replica.close();
    await world.close();
  });

  const loginOf = (qr: string) =>
    rowsOf(world.dataSource, `SELECT id, status, openid, subject FROM iam.logins WHERE scene_hash = $1`, [
      sha256(sceneOf(qr)),
    ]).then(([row]) => row);
  const expire = (qr: string) =>
    world.dataSource.query(`UPDATE iam.logins SET redeem_before = now() WHERE scene_hash = $1`, [
      sha256(sceneOf(qr)),
    ]);
  const exchanges = () => world.wechat.calls('/sns/oauth2/access_token').length;

  it('does nothing for link scanners, crawlers, previews and other browsers', async () => {
    const { page, deviceCode, qr } = await showPageCode(world.url);
    const agents = [
      userAgents.pc,
      userAgents.phone,
      'Mozilla/5.0 (compatible; Googlebot/2.1)',
      'Mozilla/5.0 mpcrawler',
      userAgents.wecom,
    ];

    const outside = await Promise.all(agents.map((agent) => new PcBrowser(agent).visit(qr)));
    const scanner = new PcBrowser(userAgents.wechat);
    const landing = await scanner.visit(qr);
    const left = await new PcBrowser(userAgents.wechat).visit(`${qr}&go=1`);
    const returned = await new PcBrowser(userAgents.wechat).visit(
      `${world.url}/iam/scan/wechat?code=guessed&state=${left.location?.searchParams.get('state') ?? ''}`,
    );

    expect(outside.map(({ status }) => status)).toEqual([200, 200, 200, 200, 200]);
    for (const { text } of outside) expect(text).toContain('请用微信扫码');
    expect(landing.text).toContain('如果链接或二维码是别人发给您的');
    expect(left.location?.pathname).toBe('/connect/oauth2/authorize');
    expect(returned.status).toBe(400);
    expect(await loginOf(qr)).toMatchObject({ status: 'pending', openid: null });
    expect((await finishOnPage(page, deviceCode)).json()['status']).toBe('pending');
  });

  it('is asked of nobody before a tap where WeChat shows a question, and goes on by itself where it shows none', async () => {
    const { qr } = await showPageCode(world.url);
    const phone = () => new PcBrowser(userAgents.wechat);

    const asking = await phone().visit(qr);
    await world.saveProvider({ mp_scope: 'snsapi_base' });
    const silent = await phone().visit(qr);
    await world.saveProvider({ mp_scope: 'snsapi_userinfo' });

    expect(asking.location).toBeNull();
    expect(silent.location?.searchParams.get('scope')).toBe('snsapi_base');
  });

  it('is the first scanner’s: another person is told so, and the first one finds the question again', async () => {
    const [first, second] = ['先', '后'].map((nickname) => world.wechat.person({ nickname }));
    if (first === undefined || second === undefined) throw new Error('two people');
    const { page, deviceCode, qr } = await showPageCode(world.url);

    await scanPageCode(first, qr);
    const foreign = await scanPageCode(second, qr);
    const again = await scanPageCode(first, qr);
    const stolen = await answerQuestion(second, again, 'confirm');
    await answerQuestion(first, again, 'confirm');
    const { accessToken } = toTokens(await redeemFromPage(page, await leavePage(page, deviceCode)));

    expect([foreign.status, foreign.body.includes('由另一个微信帐号扫码')]).toEqual([403, true]);
    expect(again.body).toContain('确认登录？');
    expect(stolen.status).toBe(403);
    expect((await getWith(`${world.url}/iam/me`, accessToken)).json()['nickname']).toBe('先');
    expect(
      await rowsOf(
        world.dataSource,
        `SELECT detail ->> 'outcome' AS outcome, detail ->> 'openid' AS openid FROM iam.audit_log
         WHERE action = 'login.scanned' AND detail ->> 'login' = $1 ORDER BY id`,
        [(await loginOf(qr))?.['id']],
      ),
    ).toEqual([
      { outcome: 'owned', openid: first.openid(world.oa) },
      { outcome: 'taken', openid: second.openid(world.oa) },
      { outcome: 'owned', openid: first.openid(world.oa) },
    ]);
  });

  it('is over after its time, for a guessed scene and for one of another row, and asks WeChat nothing then', async () => {
    const late = world.wechat.person({ nickname: '迟到' });
    const [expired, other] = [await showPageCode(world.url), await showPageCode(world.url)];
    await expire(expired.qr);
    const before = exchanges();
    await world.saveProvider({
      slug: 'second',
      qr_enabled: true,
      qr_with: 'page',
      mp_app_id: world.oa.appid,
      mp_app_secret: world.oa.secret,
    });
    const guessed = expired.qr.replace(sceneOf(expired.qr), 'A'.repeat(22));
    const ofOtherRow = other.qr.replace('/scan/wechat', '/scan/second');

    const pages = [];
    for (const qr of [expired.qr, guessed, ofOtherRow]) pages.push(await scanPageCode(late, qr));
    const malformed = await late.scan(expired.qr.replace(sceneOf(expired.qr), 'short'));

    for (const { body } of pages) expect(body).toContain('已失效');
    expect(malformed).toMatchObject({ kind: 'page', page: { status: 404 } });
    expect(exchanges()).toBe(before);
    expect(await loginOf(other.qr)).toMatchObject({ status: 'pending' });
  });

  it('stays denied, and keeps nothing of who denied it', async () => {
    const ping = world.wechat.person({ nickname: '小平' });
    const { page, deviceCode, qr } = await showPageCode(world.url);
    const question = await scanPageCode(ping, qr);

    await answerQuestion(ping, question, 'deny');
    const late = await answerQuestion(ping, question, 'confirm');
    const rescan = await scanPageCode(ping, qr);

    await until(
      'the PC is told',
      async () => (await finishOnPage(page, deviceCode)).json()['status'] === 'denied',
    );
    expect(late.body).toContain('已拒绝');
    expect(rescan.body).toContain('已拒绝');
    expect(await loginOf(qr)).toMatchObject({ status: 'denied', subject: null });
  });

  it('takes the number of the PC where the row says so, and the third wrong one denies', async () => {
    await world.saveProvider({ qr_confirmation: 'number' });
    const an = world.wechat.person({ nickname: '小安' });
    const [good, bad] = [await showPageCode(world.url), await showPageCode(world.url)];
    const number = String(good.started['number']);
    const wrong = String((Number(bad.started['number']) + 1) % 10_000).padStart(4, '0');

    const right = await answerQuestion(an, await scanPageCode(an, good.qr), 'confirm', { number });
    const question = await scanPageCode(an, bad.qr);
    const first = await answerQuestion(an, question, 'confirm', { number: wrong });
    await answerQuestion(an, question, 'confirm', { number: wrong });
    const third = await answerQuestion(an, question, 'confirm', { number: wrong });
    await world.saveProvider({ qr_confirmation: 'tap' });

    expect(good.page.reply.text).toContain('请在手机上输入下面的数字');
    expect(question.body).not.toContain(String(bad.started['number']));
    expect(right.body).toContain('已确认');
    expect(first.body).toContain('数字不正确');
    expect(third.body).toContain('已拒绝');
  });

  it('claims nothing for WeChat’s preview, whose people are none', async () => {
    const an = world.wechat.person({ nickname: '快照' });
    const { qr } = await showPageCode(world.url);
    world.wechat.once('/sns/oauth2/access_token', { patch: { is_snapshotuser: 1 } });

    const page = await scanPageCode(an, qr);

    expect(page.status).toBe(403);
    expect(await loginOf(qr)).toMatchObject({ status: 'pending' });
  });

  it('exchanges nothing for WeChat’s second delivery of a return', async () => {
    await world.saveProvider({ mp_scope: 'snsapi_base' });
    const twice = world.wechat.person({ nickname: '两次' });
    const { qr } = await showPageCode(world.url);
    const before = exchanges();

    const question = await twice.openInWechat(qr, { duplicateCallback: 'same-phone' });
    const stranger = await twice.openInWechat(qr, { duplicateCallback: 'stranger' });
    await world.saveProvider({ mp_scope: 'snsapi_userinfo' });

    expect(question.body).toContain('确认登录？');
    // The second one joins the first, or comes after it and is led to the question.
    expect([200, 303]).toContain(question.duplicate?.status);
    expect(stranger.body).toContain('确认登录？');
    expect(stranger.duplicate?.status).toBe(200);
    expect(exchanges()).toBe(before + 2);
  });

  it('finds the question again where another code of the scene has taken the place of the one that was exchanged', async () => {
    const an = world.wechat.person({ nickname: '小安' });
    const { qr } = await showPageCode(world.url);
    const question = await scanPageCode(an, qr);
    await world.dataSource.query(`UPDATE iam.logins SET wechat_code_hash = 'another' WHERE scene_hash = $1`, [
      sha256(sceneOf(qr)),
    ]);

    const again = await an.openInWechat(question.url);

    expect(new URL(question.url).searchParams.has('code')).toBe(true);
    expect([again.status, again.body.includes('确认登录？')]).toEqual([200, true]);
  });

  it('asks a hook that fails about a person once, and is over then', async () => {
    const hooks = world.app.get(MatchingHooks);
    hooks.reset();
    hooks.answer = () => Promise.reject(new Error('the CRM is down'));
    const an = world.wechat.person({ nickname: '小安' });
    const started = await new PcBrowser().visit(`${world.url}/iam/device_authorization`, {
      form: { client_id: 'web', provider: 'wechat' },
    });
    await answerQuestion(an, await scanPageCode(an, codesOf(started).qr), 'confirm');

    const polls = [
      await pollUntilSettled(world.url, codesOf(started)),
      await poll(world.url, codesOf(started)),
    ];
    const asked = hooks.asked.length;
    hooks.reset();

    expect(polls.map((reply) => [reply.status, reply.json()['code']])).toEqual(
      Array(2).fill([500, 'internal_error']),
    );
    expect(asked).toBe(1);
  });

  it('ends where the row changes while it waits', async () => {
    const li = world.wechat.person({ nickname: '小李' });
    const { page, deviceCode, qr } = await showPageCode(world.url);
    const question = await scanPageCode(li, qr);
    await world.saveProvider({ qr_with: 'follow' });

    const decided = await answerQuestion(li, question, 'confirm');
    await until('the PC hears of it', async () => {
      const { status } = (await finishOnPage(page, deviceCode)).json();
      return status === 'failed';
    });
    await world.saveProvider({ qr_with: 'page' });

    expect(decided.body).toContain('已失效');
  });

  it('makes one session of two people, twenty polls and two replicas', async () => {
    for (let round = 0; round < 3; round += 1) {
      const people = ['甲', '乙'].map((name) => world.wechat.person({ nickname: `${name}${round}` }));
      const { deviceCode, qr } = codesOf(
        await new PcBrowser().visit(`${world.url}/iam/device_authorization`, {
          form: { client_id: 'web', provider: 'wechat' },
        }),
      );

      const pages = await Promise.all(people.map((person) => scanPageCode(person, qr)));
      for (const [index, person] of people.entries()) {
        const page = pages[index];
        if (page?.status === 200) await answerQuestion(person, page, 'confirm');
      }
      const polls = await Promise.all(
        Array.from({ length: 20 }, (_, index) =>
          pollUntilSettled(index % 2 === 0 ? world.url : replica.url, { deviceCode }),
        ),
      );

      expect(pages.map(({ status }) => status).sort()).toEqual([200, 403]);
      expect(polls.filter(({ status }) => status === 200)).toHaveLength(1);
      expect(
        await valueOf(world.dataSource, 'SELECT count(*)::int FROM iam.sessions WHERE openid = ANY ($1)', [
          people.map((person) => person.openid(world.oa)),
        ]),
      ).toBe(1);
    }
  }, 60_000);

  it('links the scanner’s WeChat to the account of the PC, once the phone says yes', async () => {
    const [owner, other] = ['主人', '另一个微信'].map((nickname) => world.wechat.person({ nickname }));
    if (owner === undefined || other === undefined) throw new Error('two people');
    const user = await inWechat(world, owner);
    const browser = new PcBrowser();
    const started = await callMe(world, user, '/identities/authorize', {
      method: 'POST',
      browser,
      body: {
        provider: 'wechat',
        redirect_uri: redirectUri(world.url),
        state: randomBytes(4).toString('hex'),
      },
    });
    const page = await openLinkPage(world.url, browser, started);
    const { deviceCode, qr } = codesOf(await startOnPage(page));

    const question = await scanPageCode(other, qr);
    await answerQuestion(other, question, 'confirm');
    const { searchParams } = await leavePage(page, deviceCode);

    expect(page.reply.text).toContain('请在手机上确认绑定');
    expect(question.body).toContain('将此微信绑定到账号「主人」');
    expect(searchParams.get('linked')).not.toBeNull();
    expect(
      await valueOf(world.dataSource, 'SELECT user_id FROM iam.identities WHERE openid = $1', [
        other.openid(world.oa),
      ]),
    ).toBe(user.id);
    expect((await poll(world.url, { deviceCode })).json()['error']).toBe('invalid_grant');
  });

  it('asks a person without an account of the host for one, by a binding token', async () => {
    await world.saveProvider({ sign_up: 'bind' });
    const stranger = world.wechat.person({ nickname: '未绑定' });
    const { page, deviceCode, qr } = await showPageCode(world.url);

    await answerQuestion(stranger, await scanPageCode(stranger, qr), 'confirm');
    const reply = await redeemFromPage(page, await leavePage(page, deviceCode));
    await world.saveProvider({ sign_up: 'auto' });

    expect(reply.json()['error']).toBe('binding_required');
  });
});
