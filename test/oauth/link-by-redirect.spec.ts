import type { Person } from '../../emulator/index.js';
import { callMe, itemsOf } from '../support/account.js';
import { FakeClock } from '../support/fake-clock.js';
import { redirectUri, startReplica, startWorld, type IamApp, type World } from '../support/iam-app.js';
import { PcBrowser, userAgents, type Reply } from '../support/pc-browser.js';
import { rowsOf, valueOf } from '../support/rows.js';
import { callbackAfterScan, getWith } from '../support/sign-in.js';
import { onPc, revoke, type SignedIn } from '../support/signed-in.js';

describe('a signed-in user who links another identity by redirect', () => {
  const clock = new FakeClock();
  let world: World;
  let replica: IamApp;

  beforeAll(async () => {
    const clients = [{ id: 'other', redirectUris: ['https://other.example/back'] }];
    world = await startWorld({ clock, options: { clients, recentSignIn: 3600 } });
    replica = await startReplica(world, { clock, options: { clients } });
  });
  afterAll(async () => {
    await replica.close();
    await world.close();
  });

  const person = (nickname: string) => world.wechat.person({ nickname });
  const start = (user: SignedIn, browser: PcBrowser, changes: Readonly<Record<string, unknown>> = {}) =>
    callMe(world, user, '/identities/authorize', {
      method: 'POST',
      browser,
      body: { provider: 'wechat', redirect_uri: redirectUri(world.url), state: 'mine', ...changes },
    });

  /** WeChat's callback, ready to be visited: somebody has scanned and confirmed. */
  async function approve(user: SignedIn, browser: PcBrowser, by: Person): Promise<URL> {
    const started = await start(user, browser);
    const qrPage = String(started.json()['authorize_uri']);
    return new URL(await callbackAfterScan(world.wechat, qrPage, by));
  }

  const ownerOf = (other: Person) =>
    valueOf(world.dataSource, 'SELECT user_id FROM iam.identities WHERE openid = $1', [
      other.openid(world.site),
    ]);
  const auditedOf = (userId: string, action: string) =>
    rowsOf(
      world.dataSource,
      `SELECT actor, session_id, detail FROM iam.audit_log WHERE action = $1 AND user_id = $2`,
      [action, userId],
    );
  const returned = (reply: Reply) => Object.fromEntries(reply.location?.searchParams ?? []);

  it('returns with the identity and the state, without a code, and signs in by it from then on', async () => {
    const user = await onPc(world, person('甲'));
    const second = person('甲二');
    const browser = new PcBrowser();

    const reply = await browser.visit(await approve(user, browser, second));
    const [, linked] = itemsOf(await callMe(world, user, '/identities'));
    const later = await onPc(world, second);

    expect(reply.status).toBe(303);
    expect(reply.location?.href.startsWith(redirectUri(world.url))).toBe(true);
    expect(returned(reply)).toEqual({ linked: linked?.['id'], state: 'mine', iss: world.url });
    expect(later.id).toBe(user.id);
    expect(await auditedOf(user.id, 'identity.linked')).toMatchObject([
      { actor: `user:${user.id}`, session_id: expect.any(String) as string },
    ]);
  });

  it('stores nothing before WeChat returns', async () => {
    const user = await onPc(world, person('乙'));
    const before = await valueOf(world.dataSource, 'SELECT count(*)::int FROM iam.logins');

    await start(user, new PcBrowser());

    expect(await valueOf(world.dataSource, 'SELECT count(*)::int FROM iam.logins')).toBe(before);
  });

  it('gets one answer however often WeChat returns, on whatever replica, for one exchange', async () => {
    const user = await onPc(world, person('丙'));
    const browser = new PcBrowser();
    const callback = await approve(user, browser, person('丙二'));
    const cookie = await browser.jar.getCookieString(callback.href);
    world.wechat.clearCalls();

    const there = new URL(callback);
    there.port = new URL(replica.url).port;
    const replies = await Promise.all(
      [callback, there, callback, there].map((url) => browser.visit(url, { headers: { cookie } })),
    );
    const late = await browser.visit(callback);

    const [first, ...others] = [...replies, late].map(returned);
    expect(first).toHaveProperty('linked');
    expect(others).toEqual(others.map(() => first));
    expect(world.wechat.calls('/sns/oauth2/access_token')).toHaveLength(1);
    expect(await auditedOf(user.id, 'identity.linked')).toHaveLength(1);
  });

  it('is told when the identity is somebody else’s', async () => {
    const known = person('丁');
    const owner = await onPc(world, known);
    const user = await onPc(world, person('戊'));
    const browser = new PcBrowser();
    const callback = await approve(user, browser, known);

    const reply = await browser.visit(callback);
    const again = await browser.visit(callback);

    expect(returned(reply)).toMatchObject({ error: 'identity_conflict', state: 'mine', iss: world.url });
    expect(returned(again)).toEqual(returned(reply));
    expect(await ownerOf(known)).toBe(owner.id);
    expect(await auditedOf(user.id, 'identity.link_refused')).toMatchObject([
      { actor: `user:${user.id}`, detail: { method: 'open', error: 'identity_conflict' } },
    ]);
  });

  // Login CSRF on the link callback; and a link of A that B is made to finish (CVE-2026-9087).
  it('is the only one who can finish it: no other browser has the cookie, signed in or not', async () => {
    const attacker = await onPc(world, person('己'));
    const attackersBrowser = new PcBrowser();
    const victim = person('庚');
    const victimsBrowser = new PcBrowser();
    const victimsUser = await onPc(world, victim);
    await start(victimsUser, victimsBrowser);
    const callback = await approve(attacker, attackersBrowser, person('己二'));
    world.wechat.clearCalls();

    const inVictimsBrowser = await victimsBrowser.visit(callback);
    const withVictimsToken = await getWith(callback.href, victimsUser.accessToken);

    expect([inVictimsBrowser.status, inVictimsBrowser.text.includes('state_mismatch')]).toEqual([400, true]);
    expect(withVictimsToken.json()['code']).toBe('state_mismatch');
    expect(world.wechat.calls('/sns/oauth2/access_token')).toHaveLength(0);
    expect(itemsOf(await callMe(world, victimsUser, '/identities'))).toHaveLength(1);
  });

  it('links what this attempt’s own exchange proved: the callback of one attempt does not fit another', async () => {
    const one = await onPc(world, person('辛'));
    const other = await onPc(world, person('壬'));
    const browser = new PcBrowser();
    const second = person('辛二');
    const ofOne = await approve(one, browser, second);
    const ofOther = await approve(other, browser, person('壬二'));

    // The code that was proven for one user, with the state of the other; the codes then are swapped for good.
    await browser.visit(ofOne);
    const swapped = new URL(ofOther);
    swapped.searchParams.set('code', ofOne.searchParams.get('code') ?? '');
    const reply = await browser.visit(swapped);

    expect(returned(reply)['error']).toBe('invalid_grant');
    expect(await ownerOf(second)).toBe(one.id);
    expect(itemsOf(await callMe(world, other, '/identities'))).toHaveLength(1);
    expect(await auditedOf(other.id, 'identity.link_refused')).toMatchObject([
      { detail: { error: 'code_already_used' } },
    ]);
  });

  it('is refused when the session that asked is over by then', async () => {
    const user = await onPc(world, person('癸'));
    const browser = new PcBrowser();
    const second = person('癸二');
    const callback = await approve(user, browser, second);
    await revoke(world.url, user.refreshToken);

    const reply = await browser.visit(callback);

    expect(returned(reply)['error']).toBe('invalid_token');
    expect(await ownerOf(second)).toBeUndefined();
  });

  it('is refused when the user is not active any more', async () => {
    const user = await onPc(world, person('子'));
    const browser = new PcBrowser();
    const second = person('子二');
    const callback = await approve(user, browser, second);
    await world.dataSource.query(`UPDATE iam.users SET status = 'disabled' WHERE id = $1`, [user.id]);

    const reply = await browser.visit(callback);

    expect(returned(reply)['error']).toBe('access_denied');
    expect(await ownerOf(second)).toBeUndefined();
  });

  it('returns with an error when the person refuses in WeChat', async () => {
    const user = await onPc(world, person('寅'));
    const browser = new PcBrowser();
    const callback = await approve(user, browser, person('寅二'));
    callback.searchParams.delete('code');

    expect(returned(await browser.visit(callback))['error']).toBe('access_denied');
  });

  it('takes too long after the start', async () => {
    const user = await onPc(world, person('卯'));
    const browser = new PcBrowser();
    const callback = await approve(user, browser, person('卯二'));
    clock.advance(601);

    expect(returned(await browser.visit(callback))).toMatchObject({
      error: 'invalid_request',
      state: 'mine',
    });
  });

  it('leaves method and state empty, as a form does, and gets neither refused nor a state back', async () => {
    const user = await onPc(world, person('丑'));
    const browser = new PcBrowser();

    const started = await start(user, browser, { method: '', state: '' });
    const qrPage = String(started.json()['authorize_uri']);
    const reply = await browser.visit(await callbackAfterScan(world.wechat, qrPage, person('丑二')));

    expect(started.status).toBe(200);
    expect(Object.keys(returned(reply))).toEqual(['linked', 'iss']);
  });

  it('inside WeChat, is sent to the Official Account', async () => {
    const user = await onPc(world, person('辰'));

    const reply = await start(user, new PcBrowser(userAgents.wechat));

    const authorize = new URL(String(reply.json()['authorize_uri']));
    expect(authorize.pathname).toBe('/connect/oauth2/authorize');
    expect(authorize.searchParams.get('appid')).toBe(world.oa.appid);
  });

  it.each([
    ['an address that is not registered', { redirect_uri: 'https://evil.example' }, 'redirect_uri_mismatch'],
    [
      'the address of another client',
      { redirect_uri: 'https://other.example/back' },
      'redirect_uri_mismatch',
    ],
    ['a provider that is not there', { provider: 'nowhere' }, 'provider_not_found'],
    ['no provider', { provider: '' }, 'invalid_request'],
    ['the method follow, which its row has not', { method: 'follow' }, 'method_unavailable'],
  ])('is refused with %s', async (_case, changes, code) => {
    const user = await onPc(world, person('巳'));

    const reply = await start(user, new PcBrowser(), changes);

    expect(reply.json()['code']).toBe(code);
    expect(reply.headers.getSetCookie()).toEqual([]);
  });

  it('does not get around the follow step of a row with its QR code enabled', async () => {
    const user = await onPc(world, person('午'));
    await world.saveProvider({ qr_enabled: true });

    const byItself = await start(user, new PcBrowser());
    const byQrCode = await start(user, new PcBrowser(), { method: 'open' });
    await world.saveProvider({ qr_enabled: false });

    expect(new URL(String(byItself.json()['authorize_uri'])).pathname).toBe('/iam/follow');
    expect(byQrCode.json()['code']).toBe('follow_required');
  });
});
