import { Erasure } from '../../src/privacy/erasure.service.js';
import { callMe, itemsOf } from '../support/account.js';
import { eventsAt, untilSeen } from '../support/event-stream.js';
import { FakeClock } from '../support/fake-clock.js';
import { confirmLink, decideOnPhone, poll, scanAndFollow, startFollowWorld } from '../support/follow.js';
import { codesOf, finishOnPage, leavePage, openFollowPage, startOnPage } from '../support/follow-page.js';
import { redirectUri, startReplica, type IamApp, type World } from '../support/iam-app.js';
import { linksIn, returned } from '../support/link-by-follow.js';
import { PcBrowser } from '../support/pc-browser.js';
import { rowsOf, valueOf } from '../support/rows.js';
import { inWechat, revoke } from '../support/signed-in.js';

const options = { rateLimits: 'off', siteName: '小店' } as const;

describe('a signed-in user who links another identity by following on a PC', () => {
  const clock = new FakeClock();
  let world: World;
  let replica: IamApp;
  const { start, openPage, showCode, confirmed, person, newUser, ownerOf, audited } = linksIn(() => world);

  beforeAll(async () => {
    world = await startFollowWorld({ qr_confirmation: 'tap' }, { clock, options });
    replica = await startReplica(world, { clock, options });
  });
  afterAll(async () => {
    await replica.close();
    await world.close();
  });
  afterEach(() => world.saveProvider({ qr_confirmation: 'tap' }));

  it('scans, follows, confirms, and returns with the identity, by which they sign in from then on', async () => {
    const user = await newUser('甲');
    const second = person('甲二');
    const { page, deviceCode } = await confirmed(user, second);

    const location = await leavePage(page, deviceCode);
    const [, linked] = itemsOf(await callMe(world, user, '/identities'));
    const later = await inWechat(world, second);

    expect(`${location.origin}${location.pathname}`).toBe(redirectUri(world.url));
    expect(returned(location)).toEqual({ linked: linked?.['id'], state: 'mine', iss: world.url });
    expect(later.id).toBe(user.id);
    expect(await audited(user.id, 'identity.linked')).toMatchObject([
      { actor: `user:${user.id}`, session_id: expect.any(String) as string },
    ]);
  });

  it.each(['auto', 'follow'])(
    'is led to a page of ours by the method %s, with nothing in its address',
    async (method) => {
      const user = await newUser('乙');
      const browser = new PcBrowser();

      const started = await start(user, browser, { method });
      const uri = new URL(String(started.json()['authorize_uri']));
      const again = await Promise.all([browser.visit(uri), browser.visit(uri)]);

      expect(`${uri.origin}${uri.pathname}`).toBe(`${world.url}/iam/follow`);
      expect([...uri.searchParams.keys()]).toEqual(['state']);
      expect(uri.searchParams.get('state')).toMatch(/^[A-Za-z0-9]{43}$/);
      expect(again.map(({ status }) => status)).toEqual([200, 200]);
      expect(again[0].headers.get('content-security-policy')).toContain("frame-ancestors 'none'");
      expect(
        await valueOf(world.dataSource, 'SELECT count(*)::int FROM iam.logins WHERE user_id = $1', [user.id]),
      ).toBe(1);
    },
  );

  it('is told on every screen that this links, and to which account', async () => {
    const user = await newUser('丙');
    const second = person('丙二');
    const shown = await showCode(user);

    await scanAndFollow(world, second, shown.qr);
    const chat = second.chat(world.oa).at(-1)?.text ?? '';
    const phone = await second.openInWechat(confirmLink(world, second));
    const english = await second.openInWechat(confirmLink(world, second), {
      headers: { 'accept-language': 'en' },
    });
    const done = await decideOnPhone(world, second, 'confirm');

    expect(shown.page.reply.text).toContain('扫码的微信将绑定到账号「丙」');
    expect(chat).toContain('将此微信绑定到 小店 的账号「丙」');
    expect(phone.body).toContain('将此微信绑定到账号「丙」');
    expect(english.body).toContain('Link this WeChat to the account “丙”');
    expect(done.body).toContain('已确认');
    for (const text of [shown.page.reply.text, chat, phone.body, done.body])
      expect(text).not.toContain('您正在登录');
    for (const text of [shown.page.reply.text, phone.body, done.body])
      expect(text).not.toMatch(/登录？|即可登录|Sign in/);
  });

  it('cannot put more than a name into the words of the page, the chat and the phone', async () => {
    const user = await newUser('丁');
    const nickname = '我」，<a href="https://evil。example">登录</a>\u202e&<b>'.padEnd(80, '长');
    await world.dataSource.query('UPDATE iam.users SET nickname = $2 WHERE id = $1', [user.id, nickname]);
    const second = person('丁二');
    const shown = await showCode(user);

    await scanAndFollow(world, second, shown.qr);
    const phone = await second.openInWechat(confirmLink(world, second));
    const chat = second.chat(world.oa).at(-1);

    for (const text of [shown.page.reply.text, phone.body, chat?.text ?? '']) {
      expect(text).not.toMatch(/<a href=\S?https:\/\/evil|<b>|\u202e|我」/);
      expect(text).toContain('账号「我，a href=');
    }
    expect(chat?.links).toHaveLength(1);
    // WeChat itself makes a link of a bare address.
    expect(chat?.text).not.toMatch(/evil[.。]|https:\/\/evil/);
  });

  it('names nobody where the account has no nickname', async () => {
    const user = await newUser('戊');
    await world.dataSource.query('UPDATE iam.users SET nickname = NULL WHERE id = $1', [user.id]);

    const { reply } = await openPage(user);

    expect(reply.text).toContain('账号「未设置昵称」');
  });

  it('types the number instead where the row says so', async () => {
    await world.saveProvider({ qr_confirmation: 'number' });
    const user = await newUser('己');
    const second = person('己二');
    const { page, deviceCode, qr, userCode } = await showCode(user);

    await scanAndFollow(world, second, qr);
    const asked = second.chat(world.oa).at(-1)?.text;
    await second.say(world.oa, userCode);
    const location = await leavePage(page, deviceCode);

    expect(asked).toContain('4 位数字，将此微信绑定到 小店 的账号「己」');
    expect(second.chat(world.oa).at(-1)?.text).toContain('已确认绑定');
    expect(returned(location)).toHaveProperty('linked');
    expect(await ownerOf(second)).toBe(user.id);
  });

  it('is not linked by three wrong numbers', async () => {
    await world.saveProvider({ qr_confirmation: 'number' });
    const user = await newUser('庚');
    const second = person('庚二');
    const { page, deviceCode, qr, userCode, eventsUri } = await showCode(user);
    await scanAndFollow(world, second, qr);

    for (let tries = 0; tries < 3; tries += 1)
      await second.say(world.oa, userCode === '0000' ? '0001' : '0000');
    await untilSeen('denied', eventsUri);

    expect(second.chat(world.oa).at(-1)?.text).toContain('此次绑定已取消');
    expect((await finishOnPage(page, deviceCode)).json()['status']).toBe('denied');
    expect(await ownerOf(second)).toBeUndefined();
  });

  it('asks on the phone also where a sign-in needs nothing but the scan', async () => {
    await world.saveProvider({ qr_confirmation: 'none' });
    const user = await newUser('辛');
    const second = person('辛二');
    const { page, deviceCode, qr, confirmation, eventsUri } = await showCode(user);

    await scanAndFollow(world, second, qr);
    await untilSeen('scanned', eventsUri);
    const scanned = (await finishOnPage(page, deviceCode)).json();
    const owner = await ownerOf(second);
    await decideOnPhone(world, second, 'confirm');
    const location = await leavePage(page, deviceCode);

    expect(confirmation).toBe('tap');
    expect(scanned['status']).toBe('scanned');
    expect(owner).toBeUndefined();
    expect(returned(location)).toHaveProperty('linked');
    expect(await ownerOf(second)).toBe(user.id);
  });

  it('cannot be kept as one that nobody is asked about', async () => {
    const user = await newUser('辛三');
    await showCode(user);

    const changed = world.dataSource.query(
      `UPDATE iam.logins SET confirmation = 'none' WHERE link_session_id IS NOT NULL AND user_id = $1`,
      [user.id],
    );

    await expect(changed).rejects.toThrow('logins_asked_check');
  });

  it('is told when the phone declines, for good', async () => {
    const user = await newUser('壬');
    const second = person('壬二');
    const { page, deviceCode, qr, eventsUri } = await showCode(user);
    await scanAndFollow(world, second, qr);

    const denied = await decideOnPhone(world, second, 'deny');
    await untilSeen('denied', eventsUri);
    const { status, return_to: returnTo } = (await finishOnPage(page, deviceCode)).json();

    expect(denied.body).toContain('此微信没有被绑定');
    expect(status).toBe('denied');
    expect(returned(new URL(String(returnTo)))).toMatchObject({ error: 'access_denied', state: 'mine' });
    expect(await ownerOf(second)).toBeUndefined();
    expect(await audited(user.id, 'identity.link_refused')).toMatchObject([
      { detail: { error: 'access_denied' } },
    ]);
  });

  it('takes a new code after one has expired, and no scan of the old one', async () => {
    const user = await newUser('癸');
    const second = person('癸二');
    const old = await showCode(user);
    await world.dataSource.query(
      `UPDATE iam.logins SET redeem_before = now() - interval '1 second' WHERE link_session_id IS NOT NULL AND user_id = $1`,
      [user.id],
    );
    await untilSeen('expired', old.eventsUri);

    const expired = await finishOnPage(old.page, old.deviceCode);
    await scanAndFollow(world, second, old.qr);
    const fresh = codesOf(await startOnPage(old.page));
    await second.scan(fresh.qr);
    await decideOnPhone(world, second, 'confirm');
    const location = await leavePage(old.page, fresh.deviceCode);

    expect(expired.json()['status']).toBe('expired');
    expect(returned(location)).toHaveProperty('linked');
  });

  it('is not linked by a confirmation that has waited too long', async () => {
    const user = await newUser('子');
    const second = person('子二');
    const { page, deviceCode, eventsUri } = await confirmed(user, second);
    await world.dataSource.query(
      `UPDATE iam.logins SET redeem_before = now() - interval '1 second' WHERE link_session_id IS NOT NULL AND user_id = $1`,
      [user.id],
    );
    await untilSeen('expired', eventsUri);

    const reply = await finishOnPage(page, deviceCode);

    expect(reply.json()['status']).toBe('expired');
    expect(await ownerOf(second)).toBeUndefined();
  });

  it('is told when the identity is somebody else’s, which stays so', async () => {
    const known = person('丑');
    const owner = await inWechat(world, known);
    const user = await newUser('寅');
    const { page, deviceCode, eventsUri } = await confirmed(user, known);

    const location = await leavePage(page, deviceCode);
    await untilSeen('failed', eventsUri);
    const again = await finishOnPage(page, deviceCode);

    expect(returned(location)).toMatchObject({ error: 'identity_conflict', state: 'mine', iss: world.url });
    expect(again.json()['status']).toBe('failed');
    expect(await ownerOf(known)).toBe(owner.id);
    expect(await audited(user.id, 'identity.link_refused')).toMatchObject([
      { actor: `user:${user.id}`, detail: { method: 'follow', error: 'identity_conflict' } },
    ]);
  });

  it('is told to sign in again when they were erased before the code was asked for', async () => {
    const user = await newUser('已注销');
    const page = await openPage(user);
    await world.app.get(Erasure).erase(user.id);

    const reply = await startOnPage(page);

    expect([reply.status, reply.json()['code'] ?? reply.json()['error']]).toEqual([401, 'invalid_token']);
  });

  it('keeps no trace of a stranger who was refused and then erased', async () => {
    const known = person('卯');
    const owner = await inWechat(world, known);
    const { page, deviceCode } = await confirmed(await newUser('辰'), known);
    await leavePage(page, deviceCode);

    await world.app.get(Erasure).erase(owner.id);

    expect(
      await rowsOf(world.dataSource, 'SELECT 1 FROM iam.logins WHERE openid = $1', [known.openid(world.oa)]),
    ).toEqual([]);
  });

  it('is refused when the session that asked is over by then', async () => {
    const user = await newUser('巳');
    const second = person('巳二');
    const { page, deviceCode } = await confirmed(user, second);
    await revoke(world.url, user.refreshToken);

    const location = await leavePage(page, deviceCode);

    expect(returned(location)['error']).toBe('invalid_token');
    expect(await ownerOf(second)).toBeUndefined();
    expect(await audited(user.id, 'identity.link_refused')).toMatchObject([
      { detail: { error: 'invalid_token' } },
    ]);
  });

  it('is refused when the user is not active any more', async () => {
    const user = await newUser('午');
    const second = person('午二');
    const { page, deviceCode } = await confirmed(user, second);
    await world.dataSource.query(`UPDATE iam.users SET status = 'disabled' WHERE id = $1`, [user.id]);

    const location = await leavePage(page, deviceCode);

    expect(returned(location)['error']).toBe('access_denied');
    expect(await ownerOf(second)).toBeUndefined();
  });

  it('is the only one who can finish it: no other browser has the cookie, signed in or not', async () => {
    const user = await newUser('未');
    const second = person('未二');
    const { page, deviceCode } = await confirmed(user, second);
    const victim = await newUser('申');
    const victims = await openPage(victim);
    const stolen = { ...page, browser: victims.browser };

    const opened = await victims.browser.visit(`${world.url}/iam/follow?state=${page.state}`);
    const replies = await Promise.all([
      startOnPage(stolen),
      finishOnPage(stolen, deviceCode),
      finishOnPage(victims, deviceCode),
    ]);

    expect([opened.status, opened.text.includes('state_mismatch')]).toEqual([400, true]);
    expect(replies.map((reply) => reply.json()['code'])).toEqual(
      Array.from({ length: 3 }, () => 'state_mismatch'),
    );
    expect(await ownerOf(second)).toBeUndefined();
    expect(itemsOf(await callMe(world, victim, '/identities'))).toHaveLength(1);
  });

  it('belongs to the first scanner', async () => {
    const user = await newUser('酉');
    const [first, late] = [person('酉二'), person('酉三')];
    const { page, deviceCode, qr } = await showCode(user);
    await scanAndFollow(world, first, qr);

    await scanAndFollow(world, late, qr);
    const foreign = await late.openInWechat(confirmLink(world, first));
    await decideOnPhone(world, first, 'confirm');
    await leavePage(page, deviceCode);

    expect([foreign.status, foreign.body.includes('此次绑定')]).toEqual([403, true]);
    expect([await ownerOf(first), await ownerOf(late)]).toEqual([user.id, undefined]);
  });

  it('signs nobody in: its device code is worth nothing to the token endpoint, before and after', async () => {
    const user = await newUser('戌');
    const second = person('戌二');
    const { page, deviceCode } = await confirmed(user, second);

    const before = await poll(world.url, { deviceCode });
    await leavePage(page, deviceCode);
    const after = await poll(world.url, { deviceCode });
    const sessions = await valueOf(
      world.dataSource,
      'SELECT count(*)::int FROM iam.sessions WHERE openid = $1',
      [second.openid(world.oa)],
    );

    expect([before, after].map((reply) => reply.json()['error'])).toEqual(['invalid_grant', 'invalid_grant']);
    expect(sessions).toBe(0);
  });

  it('has a scan of its own: what was scanned to sign in links nothing, and the reverse', async () => {
    const user = await newUser('亥');
    const [toSignIn, toLink] = [person('亥二'), person('亥三')];
    const browser = new PcBrowser();
    const link = await openPage(user, browser);
    const signIn = await openFollowPage(world.url, {}, browser);
    const [ofLink, ofSignIn] = [codesOf(await startOnPage(link)), codesOf(await startOnPage(signIn))];
    await scanAndFollow(world, toSignIn, ofSignIn.qr);
    await decideOnPhone(world, toSignIn, 'confirm');
    await scanAndFollow(world, toLink, ofLink.qr);
    await decideOnPhone(world, toLink, 'confirm');

    const replies = [
      await finishOnPage(link, ofSignIn.deviceCode),
      await finishOnPage(signIn, ofLink.deviceCode),
    ];
    const page = await browser.visit(`${world.url}/iam/follow?state=${signIn.state}`);

    expect(replies.map((reply) => reply.json()['code'])).toEqual(['state_mismatch', 'state_mismatch']);
    expect(page.status).toBe(400);
    expect([await ownerOf(toSignIn), await ownerOf(toLink)]).toEqual([undefined, undefined]);
  });

  it('is kept from becoming a sign-in by the database itself', async () => {
    const user = await newUser('天');
    await showCode(user);

    const turned = world.dataSource.query(
      `UPDATE iam.logins SET status = 'authenticated' WHERE link_session_id IS NOT NULL AND user_id = $1`,
      [user.id],
    );

    await expect(turned).rejects.toThrow('logins_link_check');
  });

  it('gets one answer however often it asks, on whatever replica', async () => {
    const user = await newUser('地');
    const second = person('地二');
    const { page, deviceCode, eventsUri } = await confirmed(user, second);
    await untilSeen('confirmed', eventsUri, eventsAt(replica, eventsUri));
    const there = { ...page, base: replica.url };

    const replies = await Promise.all(
      [page, there, page, there].map((each) => finishOnPage(each, deviceCode)),
    );
    const late = await finishOnPage(there, deviceCode);

    const [first, ...others] = [...replies, late].map((reply) => reply.json()['location']);
    expect(returned(new URL(String(first)))).toHaveProperty('linked');
    expect(others).toEqual(others.map(() => first));
    expect(await audited(user.id, 'identity.linked')).toHaveLength(1);
  });

  it('takes too long after the start', async () => {
    const user = await newUser('玄');
    const { page, deviceCode } = await confirmed(user, person('玄二'));
    clock.advance(601);

    const opened = await page.browser.visit(`${world.url}/iam/follow?state=${page.state}`);
    const replies = await Promise.all([startOnPage(page), finishOnPage(page, deviceCode)]);

    expect(opened.status).toBe(400);
    expect(replies.map((reply) => reply.json()['code'])).toEqual(['state_expired', 'state_expired']);
  });
});
