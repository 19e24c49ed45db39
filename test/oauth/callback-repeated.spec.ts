import { setTimeout as delay } from 'node:timers/promises';
import { type IamApp, startReplica, startWorld, type World } from '../support/iam-app.js';
import { LogCapture } from '../support/log-capture.js';
import { PcBrowser } from '../support/pc-browser.js';
import { countQueries } from '../support/query-counter.js';
import { startReplicaProcess } from '../support/replica-process.js';
import { MatchingHooks, MatchingHooksModule } from '../support/phone-sign-in.js';
import { until } from '../support/until.js';
import { rowsOf, valueOf } from '../support/rows.js';
import {
  type ApprovedOnPc,
  approveOnPc,
  authorizeUrl,
  outlastGrace,
  pkce,
  redeem,
  toTokens,
} from '../support/sign-in.js';
import { TcpProxy } from '../support/tcp-proxy.js';

const exchangePath = '/sns/oauth2/access_token';

describe('a callback that comes again', () => {
  let world: World;
  let replica: IamApp;
  const logger = new LogCapture();

  beforeAll(async () => {
    const settings = { logger, options: { hooks: MatchingHooks }, imports: [MatchingHooksModule] };
    world = await startWorld(settings);
    replica = await startReplica(world, settings);
  });
  afterAll(async () => {
    await replica.close();
    await world.close();
  });
  beforeEach(() => world.wechat.clearCalls());

  const approve = () => approveOnPc(world, world.wechat.person({ nickname: '小兰' }));
  const exchanges = () => world.wechat.calls(exchangePath).length;
  const at = (url: string, { callback }: ApprovedOnPc) => `${url}${callback.pathname}${callback.search}`;
  const loginOf = async ({ callback }: ApprovedOnPc, column: string) => {
    const hash = new TextEncoder().encode(callback.searchParams.get('state') ?? '');
    const digest = Buffer.from(await crypto.subtle.digest('SHA-256', hash)).toString('base64url');
    return valueOf(world.dataSource, `SELECT ${column} FROM iam.logins WHERE state_hash = $1`, [digest]);
  };

  it('50 times at once over two replicas asks WeChat once, and everybody gets the same answer', async () => {
    const approved = await approve();
    world.wechat.once(exchangePath, { delay: 200 });

    const replies = await Promise.all(
      Array.from({ length: 50 }, (_, index) =>
        approved.browser.visit(at(index % 2 === 0 ? world.url : replica.url, approved)),
      ),
    );

    expect(exchanges()).toBe(1);
    expect(new Set(replies.map(({ status }) => status))).toEqual(new Set([303]));
    expect(new Set(replies.map(({ location }) => location?.href)).size).toBe(1);
    expect(replies[0]?.location?.searchParams.get('code')).toEqual(expect.any(String));
    expect(await loginOf(approved, 'count(*)::int')).toBe(1);
  });

  it('waits for as long as the host’s hooks may take', async () => {
    const approved = await approve();
    const hooks = world.app.get(MatchingHooks);
    let answer: () => void = () => undefined;
    const answered = new Promise<void>((resolve) => (answer = resolve));
    hooks.reset();
    hooks.answer = () => answered;

    const first = approved.browser.visit(approved.callback);
    await until('the hook is asked', () => Promise.resolve(hooks.asked.length === 1));
    await world.dataSource.query(
      `UPDATE iam.logins SET created_at = created_at - interval '15 seconds' WHERE status = 'pending'`,
    );
    const second = approved.browser.visit(at(replica.url, approved));
    await Promise.race([second, delay(400)]);
    answer();
    hooks.reset();

    const [{ location }, again] = await Promise.all([first, second]);
    expect(location?.searchParams.has('code')).toBe(true);
    expect(again.location?.href).toBe(location?.href);
  });

  it('after a reload, also on another replica, has the same code and no other session', async () => {
    const approved = await approve();

    const first = await approved.browser.visit(approved.callback);
    const reloaded = await approved.browser.visit(at(replica.url, approved));
    const session = await redeem(world.url, { ...approved, returned: first });
    const afterwards = await approved.browser.visit(at(replica.url, approved));
    const loginId = await loginOf(approved, 'id');

    expect(reloaded.location?.href).toBe(first.location?.href);
    expect(session.status).toBe(200);
    expect(afterwards.location?.href).toBe(first.location?.href);
    expect(exchanges()).toBe(1);
    expect(
      await rowsOf(world.dataSource, 'SELECT ended_at FROM iam.sessions WHERE login_id = $1', [loginId]),
    ).toEqual([{ ended_at: null }]);
  });

  it('whose code is redeemed again after the grace ends the session of the first time', async () => {
    const approved = await approve();
    const returned = await approved.browser.visit(approved.callback);
    const { refreshToken } = toTokens(await redeem(world.url, { ...approved, returned }));
    await outlastGrace(world);

    const second = await redeem(world.url, { ...approved, returned });
    const refreshed = await approved.browser.visit(`${world.url}/iam/token`, {
      form: { grant_type: 'refresh_token', client_id: 'web', refresh_token: refreshToken },
    });

    expect(second.json()['error']).toBe('invalid_grant');
    expect(refreshed.json()['error']).toBe('invalid_grant');
  });

  it('from WeChat itself, twice from the same phone, signs in once', async () => {
    const person = world.wechat.person({ nickname: '小明' });
    await person.openInWechat(authorizeUrl(world.url, pkce().challenge));

    const page = await person.confirm({ duplicateCallback: 'same-phone' });

    expect(page.url).toMatch(/\/signed-in\?code=/);
    expect(page.duplicate?.headers['location']).toBe(page.url);
    expect(exchanges()).toBe(1);
  });

  it('from WeChat itself, the second time by a stranger without cookies, is refused to the stranger alone', async () => {
    const person = world.wechat.person({ nickname: '小明' });
    await person.openInWechat(authorizeUrl(world.url, pkce().challenge));

    const page = await person.confirm({ duplicateCallback: 'stranger' });

    expect(page.url).toMatch(/\/signed-in\?code=/);
    expect(page.duplicate?.status).toBe(400);
    expect(page.duplicate?.headers['location']).toBeUndefined();
    expect(exchanges()).toBe(1);
  });

  it('after a failure has the same answer, and WeChat is not asked again', async () => {
    const approved = await approve();
    world.wechat.once(exchangePath, { errcode: 40029, afterConsuming: true });

    const replies = [
      await approved.browser.visit(approved.callback),
      await approved.browser.visit(approved.callback),
      await approved.browser.visit(at(replica.url, approved)),
    ];

    expect(replies.map(({ location }) => location?.searchParams.get('error'))).toEqual(
      Array(3).fill('invalid_grant'),
    );
    expect(await loginOf(approved, 'error')).toBe('wechat_code_invalid');
    expect(exchanges()).toBe(1);
  });

  it('in another sign-in, with a code that was seen before, is refused without a call', async () => {
    const attacker = await approve();
    await attacker.browser.visit(attacker.callback);
    const victim = await approve();
    const injected = new URL(victim.callback);
    injected.searchParams.set('code', attacker.callback.searchParams.get('code') ?? '');

    const reply = await victim.browser.visit(injected);

    expect(reply.location?.searchParams.get('error')).toBe('invalid_grant');
    expect(await loginOf(victim, 'error')).toBe('code_already_used');
    expect(exchanges()).toBe(1);
  });

  it.each([
    ['used up by somebody else', 'used'],
    ['too old', 'expired'],
    ['made up', 'unknown'],
  ])('with a code that WeChat finds %s ends as wechat_code_invalid', async (_case, fate) => {
    const approved = await approve();
    const url = new URL(approved.callback);
    const code = url.searchParams.get('code') ?? '';
    if (fate === 'used') {
      const { appid, secret } = world.site;
      const query = new URLSearchParams({ appid, secret, code, grant_type: 'authorization_code' });
      await fetch(`${world.wechat.endpoints.api}${exchangePath}?${query.toString()}`);
    }
    if (fate === 'expired') world.wechat.clock.advance(601);
    if (fate === 'unknown') url.searchParams.set('code', '0'.repeat(32));

    const reply = await approved.browser.visit(url);
    if (fate === 'expired') world.wechat.clock.advance(-601);

    expect(reply.location?.searchParams.get('error')).toBe('invalid_grant');
    expect(await loginOf(approved, 'error')).toBe('wechat_code_invalid');
  });

  it('to a replica that died in the middle ends as login_interrupted in bounded time, and the person starts anew', async () => {
    const approved = await approve();
    const doomed = await startReplicaProcess(world);
    const impatient = await startReplica(world, { logger, options: { wechat: { timeout: 200 } } });
    world.wechat.once(exchangePath, { afterConsuming: true, delay: 60_000 });
    const lost = approved.browser.visit(at(doomed.url, approved)).catch(() => 'connection lost');
    while (exchanges() === 0) await new Promise((resolve) => setTimeout(resolve, 20));
    await doomed.kill();

    const startedAt = performance.now();
    const waited = await approved.browser.visit(at(impatient.url, approved));
    const waitedMs = performance.now() - startedAt;
    const queries = countQueries(world.database.url);
    const later = await approved.browser.visit(at(impatient.url, approved));
    const asked = queries.since(0);
    queries.stop();
    await impatient.close();
    const again = await approve();
    const returned = await again.browser.visit(again.callback);

    expect(await lost).toBe('connection lost');
    expect(await loginOf(approved, 'status')).toBe('pending');
    expect(await loginOf(approved, 'user_id')).toBeNull();
    for (const reply of [waited, later])
      expect(reply.location?.searchParams.get('error')).toBe('temporarily_unavailable');
    expect(logger.with('login_interrupted')).toHaveLength(2);
    expect(waitedMs).toBeLessThan(10_000);
    expect(asked.length).toBeLessThan(5);
    expect(exchanges()).toBe(2);
    expect(returned.location?.searchParams.get('code')).toEqual(expect.any(String));
  });

  it('whose COMMIT was done but never confirmed has its code all the same', async () => {
    const proxy = await TcpProxy.start(world.database.url);
    const shaky = await startReplica(world, { databaseUrl: proxy.url });
    const approved = await approve();
    proxy.loseAnswerTo('COMMIT');

    const reply = await approved.browser.visit(at(shaky.url, approved));
    const reloaded = await approved.browser.visit(at(replica.url, approved));
    await shaky.close();
    await proxy.cut();

    expect(reply.location?.searchParams.get('code')).toEqual(expect.any(String));
    expect(reloaded.location?.href).toBe(reply.location?.href);
    expect(await loginOf(approved, 'status')).toBe('authenticated');
    expect(exchanges()).toBe(1);
  });

  it('after one at which PostgreSQL went down as it was reached finds the process alive', async () => {
    const proxy = await TcpProxy.start(world.database.url);
    const shaky = await startReplica(world, { databaseUrl: proxy.url });
    const approved = await approve();
    await proxy.cut();
    await proxy.restore();
    proxy.endNextConnection();

    const refused = await approved.browser.visit(at(shaky.url, approved));
    const next = await approve();
    const reply = await next.browser.visit(at(shaky.url, next));
    await shaky.close();
    await proxy.cut();

    expect(refused.location?.searchParams.get('error')).toBe('temporarily_unavailable');
    expect(reply.location?.searchParams.get('code')).toEqual(expect.any(String));
  });

  it('in a browser that has forgotten its cookie leads nowhere', async () => {
    const approved = await approve();
    await approved.browser.visit(approved.callback);

    const reply = await new PcBrowser().visit(approved.callback);

    expect(reply.status).toBe(400);
    expect(reply.location).toBeNull();
  });
});
