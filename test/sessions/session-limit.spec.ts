import type { Person } from '../../emulator/index.js';
import type { IamSessionLimit } from '../../src/index.js';
import { addApps, type Apps, callMe, handIn, itemsOf } from '../support/account.js';
import { cookieClient, codeForm, cookiesOf, refreshByCookie } from '../support/cookie-client.js';
import {
  askForQrCode,
  decideOnPhone,
  poll,
  pollUntilSettled,
  scanAndFollow,
  startFollowWorld,
} from '../support/follow.js';
import { type IamApp, redirectUri, startReplica, type World } from '../support/iam-app.js';
import { PcBrowser, type Reply } from '../support/pc-browser.js';
import { countQueries } from '../support/query-counter.js';
import { rowsOf, valueOf } from '../support/rows.js';
import { getWith, type PcSignIn, redeem, returnFromPc, toTokens } from '../support/sign-in.js';
import { refresh, revoke } from '../support/signed-in.js';

const replaced = { status: 400, error: 'invalid_grant', code: 'session_replaced' };
const refused = { status: 400, error: 'access_denied', code: 'session_limit_reached' };

const outcomeOf = (reply: Reply) => {
  const { error, code } = reply.json();
  return { status: reply.status, error, code };
};

describe('a limit of sessions', () => {
  /** Without a limit. */
  let world: World;
  let apps: Apps;
  const replicas: IamApp[] = [];
  let ends: IamApp;
  let refuses: IamApp;

  const clients = [cookieClient(), { id: 'app', redirectUris: ['https://app.example/back'] }];
  const withLimit = async (limit: IamSessionLimit) => {
    const options = { clients, sessions: { limit }, sessionCheck: 'always', rateLimits: 'off' } as const;
    const replica = await startReplica(world, { options });
    replicas.push(replica);
    return replica;
  };

  beforeAll(async () => {
    world = await startFollowWorld({ qr_enabled: false }, { options: { clients } });
    apps = await addApps(world);
    ends = await withLimit({ perUser: 2, then: 'end_oldest' });
    refuses = await withLimit({ perUser: 2, then: 'refuse' });
  });
  afterAll(async () => {
    for (const replica of replicas) await replica.close();
    await world.close();
  });

  const newPerson = () => world.wechat.person({ nickname: '小兰' });
  /** Up to the code, which any replica may redeem. */
  const approve = (person: Person) => returnFromPc(world, person);
  const begin = (at: IamApp, signIn: PcSignIn) =>
    redeem(at.url, signIn, { redirect_uri: redirectUri(world.url) });
  const signIn = async (at: IamApp, person: Person) => toTokens(await begin(at, await approve(person)));
  const liveSql = (person: Person) => `
    SELECT count(*)::int FROM iam.sessions s JOIN iam.identities i ON i.user_id = s.user_id
    WHERE i.openid = '${person.openid(world.site)}' AND s.ended_at IS NULL`;
  const live = (person: Person) => valueOf(world.dataSource, liveSql(person));

  it('ends the session that began first, whose next refresh says so', async () => {
    const lan = newPerson();
    const [first, second] = [await signIn(ends, lan), await signIn(ends, lan)];
    expect((await getWith(`${ends.url}/iam/me`, first.accessToken)).status).toBe(200);

    const third = await signIn(ends, lan);

    expect((await getWith(`${ends.url}/iam/me`, first.accessToken)).status).toBe(401);
    expect(outcomeOf(await refresh(ends.url, first.refreshToken))).toEqual(replaced);
    expect(outcomeOf(await refresh(world.url, first.refreshToken))).toEqual(replaced);
    expect((await refresh(ends.url, second.refreshToken)).status).toBe(200);
    const list = await callMe(ends, third, '/sessions');
    expect(itemsOf(list)).toHaveLength(2);
    expect(list.json()['limit']).toEqual({ per_user: 2, per_client: null, then: 'end_oldest' });
    expect((await callMe(world, third, '/sessions')).json()['limit']).toBeNull();
    const [ended] = await rowsOf(
      world.dataSource,
      `SELECT s.end_reason, a.detail, a.user_id = s.user_id AS is_theirs FROM iam.sessions s
       JOIN iam.audit_log a ON a.session_id = s.id AND a.action = 'session.ended'
       ORDER BY s.id DESC LIMIT 1`,
    );
    expect(ended).toEqual({
      end_reason: 'session_limit',
      detail: { reason: 'session_limit' },
      is_theirs: true,
    });
  });

  it('costs no statement, and changes none where there is no limit', async () => {
    const lan = newPerson();
    const queries = countQueries(world.database.url);
    const statements = async (at: IamApp) => {
      const approved = await approve(lan);
      const mark = queries.mark();
      expect((await begin(at, approved)).status).toBe(200);
      return queries.since(mark);
    };

    const without = await statements(world);
    const full = [await statements(ends), await statements(ends), await statements(ends)];
    queries.stop();

    expect(full.map(({ length }) => length)).toEqual(Array(3).fill(without.length));
    expect(without.join()).not.toContain('make_room');
    expect(full.map((each) => each.filter((text) => text.includes('make_room')).length)).toEqual([1, 1, 1]);
  });

  it('holds for ten sign-ins at once on two replicas', async () => {
    const lan = newPerson();
    const other = await withLimit({ perUser: 2, then: 'end_oldest' });
    const approved = [];
    for (let count = 0; count < 10; count += 1) approved.push(await approve(lan));

    const replies = await Promise.all(approved.map((each, nr) => begin(nr % 2 === 0 ? ends : other, each)));

    expect(replies.map(({ status }) => status)).toEqual(Array(10).fill(200));
    expect(await live(lan)).toBe(2);
  });

  it('refuses all but two of ten at once, and spends no code of the others', async () => {
    const lan = newPerson();
    const approved = [];
    for (let count = 0; count < 10; count += 1) approved.push(await approve(lan));

    const replies = await Promise.all(approved.map((each) => begin(refuses, each)));
    const admitted = replies.filter(({ status }) => status === 200);
    const lost = approved[replies.findIndex(({ status }) => status !== 200)];
    for (const reply of admitted.slice(1)) await revoke(world.url, toTokens(reply).refreshToken);

    expect(admitted).toHaveLength(2);
    expect(replies.filter(({ status }) => status !== 200).map(outcomeOf)).toEqual(Array(8).fill(refused));
    expect(lost && (await begin(refuses, lost)).status).toBe(200);
    expect(await live(lan)).toBe(2);
    const refusals = `SELECT count(*)::int FROM iam.audit_log a JOIN iam.identities i ON i.user_id = a.user_id
      WHERE a.action = 'session.refused' AND i.openid = '${lan.openid(world.site)}' AND a.client_id = 'web' AND a.provider = 'wechat'`;
    expect(await valueOf(world.dataSource, refusals)).toBe(8);
  });

  it('ends one session for one code, however often that is sent at once', async () => {
    const lan = newPerson();
    const earlier = [await signIn(ends, lan), await signIn(ends, lan)];
    const code = await approve(lan);

    const replies = await Promise.all(Array.from({ length: 5 }, () => begin(ends, code)));

    expect(replies.map(({ status }) => status)).toEqual(Array(5).fill(200));
    expect(await live(lan)).toBe(2);
    const statuses = [];
    for (const { refreshToken } of earlier) statuses.push((await refresh(ends.url, refreshToken)).status);
    expect(statuses).toEqual([400, 200]);
  });

  it('counts each client by itself, and then all together', async () => {
    const both = await withLimit({ perUser: 2, perClient: 1, then: 'end_oldest' });
    const lan = newPerson();
    const inClient = async (clientId: string) => {
      const form = await codeForm(
        world,
        lan,
        clientId,
        clients.find(({ id }) => id === clientId)?.redirectUris[0],
      );
      return toTokens(await new PcBrowser().visit(`${both.url}/iam/token`, { form }));
    };
    const web = await signIn(both, lan);
    const app = await inClient('app');

    const webAgain = await signIn(both, lan);

    expect(outcomeOf(await refresh(both.url, web.refreshToken))).toEqual(replaced);
    expect((await refresh(both.url, app.refreshToken, { client_id: 'app' })).status).toBe(200);
    expect((await refresh(both.url, webAgain.refreshToken)).status).toBe(200);
  });

  it('does not count the session that a browser has in its cookies, which the new one replaces', async () => {
    const lan = newPerson();
    const onPhone = await signIn(refuses, lan);
    const browser = new PcBrowser();
    const at = (host: IamApp, who = browser) =>
      codeForm(world, lan).then((form) =>
        who.visit(`${host.url}/iam/token`, { form, headers: { origin: world.url } }),
      );

    const first = await at(refuses);
    const again = await at(refuses);
    const elsewhere = await at(refuses, new PcBrowser());
    const ending = await at(ends);
    const forger = new PcBrowser();
    await forger.jar.setCookie(`iam-access=${onPhone.accessToken}`, refuses.url);
    const forged = await at(refuses, forger);

    expect(outcomeOf(forged)).toEqual(refused);
    expect([first.status, again.status, ending.status]).toEqual([200, 200, 200]);
    expect(outcomeOf(elsewhere)).toEqual(refused);
    expect((await refresh(world.url, onPhone.refreshToken)).status).toBe(200);
    expect(await live(lan)).toBe(2);
  });

  it('leaves a browser whose session it has ended no cookies', async () => {
    const lan = newPerson();
    const browser = new PcBrowser();
    const form = await codeForm(world, lan);
    const visit = { headers: { origin: world.url } };
    await browser.visit(`${ends.url}/iam/token`, { form, ...visit });
    await signIn(ends, lan);
    await signIn(ends, lan);

    const reply = await refreshByCookie(ends.url, browser, { visit });

    expect(outcomeOf(reply)).toEqual(replaced);
    expect(cookiesOf(reply).map(({ value }) => value)).toEqual(['', '']);
  });

  it('is the same for codes of apps, and for a scan, which can be collected later', async () => {
    const lan = newPerson();
    const sessions = [await signIn(world, lan), await signIn(world, lan)];
    await world.saveProvider({ qr_enabled: true });
    const device = await askForQrCode(world.url);
    await scanAndFollow(world, lan, device.qr);
    await decideOnPhone(world, lan, 'confirm');

    const ways = [
      await handIn(refuses, 'mini', lan.wxLogin(apps.mini)),
      await handIn(refuses, 'mobile', lan.sendAuth(apps.mobile)),
      await pollUntilSettled(refuses.url, device),
    ];
    await revoke(world.url, sessions[0]?.refreshToken ?? '');
    const collected = await poll(refuses.url, device);
    const full = await handIn(refuses, 'mini', lan.wxLogin(apps.mini));
    await revoke(world.url, sessions[1]?.refreshToken ?? '');

    expect(ways.map(outcomeOf)).toEqual([refused, refused, refused]);
    expect(collected.status).toBe(200);
    expect(outcomeOf(full)).toEqual(refused);
    expect((await handIn(refuses, 'mini', lan.wxLogin(apps.mini))).status).toBe(200);
  });
});
