import type { Person } from '../../emulator/index.js';
import { LoginTokens } from '../../src/qr-login/codes-and-tokens.service.js';
import { callMe, itemsOf } from '../support/account.js';
import { codesOf, type FollowPage, leavePage, openFollowPage, startOnPage } from '../support/follow-page.js';
import {
  askForQrCode,
  decideOnPhone,
  poll,
  pollUntilSettled,
  scanAndFollow,
  startFollowWorld,
} from '../support/follow.js';
import { redirectUri, type World } from '../support/iam-app.js';
import { linksIn, returned } from '../support/link-by-follow.js';
import { PcBrowser } from '../support/pc-browser.js';
import { rowsOf, valueOf } from '../support/rows.js';
import { authorizeUrl, callbackAfterScan, getWith, pkce, redeem, toTokens } from '../support/sign-in.js';
import { revoke } from '../support/signed-in.js';

/** What the client makes of `authorize_uri`: it adds its own parameters. */
async function followedAt(world: World, nickname: string) {
  const person = world.wechat.person({ nickname });
  const device = await askForQrCode(world.url);
  await scanAndFollow(world, person, device.qr);
  const answer = (await pollUntilSettled(world.url, device)).json();
  const { verifier, challenge } = pkce();
  const url = new URL(String(answer['authorize_uri']));
  url.searchParams.set('redirect_uri', redirectUri(world.url));
  url.searchParams.set('state', 'client-state');
  url.searchParams.set('code_challenge', challenge);
  return { person, device, answer, url, verifier };
}

describe('a row that goes on to the Open Platform after the scan', () => {
  let world: World;

  beforeAll(async () => {
    world = await startFollowWorld({ qr_login_with: 'open', qr_confirmation: 'none' });
  });
  afterAll(() => world.close());

  const followed = (nickname: string) => followedAt(world, nickname);

  it('answers the poll with where to go on, and signs in there', async () => {
    const { person, answer, url, verifier } = await followed('小兰');
    const browser = new PcBrowser();

    const start = await browser.visit(url);
    const returned = await browser.visit(await callbackAfterScan(world.wechat, start.location ?? '', person));
    const tokens = toTokens(await redeem(world.url, { browser, returned, verifier }));
    const me = await getWith(`${world.url}/iam/me`, tokens.accessToken);

    expect(answer['error']).toBe('interaction_required');
    expect(me.json()).toMatchObject({ identities: [{ kind: 'open' }] });
  });

  it('carries to the Open Platform what the page or the device asked for', async () => {
    const page = await openFollowPage(world.url, { scope: 'openid profile', nonce: 'n-1' });
    const { deviceCode, qr } = codesOf(await startOnPage(page));
    await scanAndFollow(world, world.wechat.person({ nickname: '小页' }), qr);
    const form = { client_id: 'web', provider: 'wechat', scope: 'openid' };
    const started = await new PcBrowser().visit(`${world.url}/iam/device_authorization`, { form });
    const device = { deviceCode: String(started.json()['device_code']) };
    const shown = String(started.json()['verification_uri_complete']);
    await scanAndFollow(world, world.wechat.person({ nickname: '小机' }), shown);

    const fromPage = (await leavePage(page, deviceCode)).searchParams;
    const { authorize_uri } = (await pollUntilSettled(world.url, device)).json();

    const fromDevice = new URL(String(authorize_uri)).searchParams;
    expect([fromPage.get('scope'), fromPage.get('nonce')]).toEqual(['openid profile', 'n-1']);
    expect([fromDevice.get('scope'), fromDevice.get('nonce')]).toEqual(['openid', null]);
  });

  it('refuses the Open Platform step without the proof of a follow, by whatever link', async () => {
    const browser = new PcBrowser();
    const attempts = [
      { method: 'open' },
      { method: 'open', follow_proof: 'x' },
      { method: 'open', display: 'widget' },
    ];

    const replies = await Promise.all(
      attempts.map((changes) =>
        browser.visit(authorizeUrl(world.url, pkce().challenge, changes), {
          headers: { accept: 'application/json' },
        }),
      ),
    );

    expect(replies.map((reply) => reply.location?.searchParams.get('error') ?? reply.json()['code'])).toEqual(
      ['follow_required', 'follow_required', 'follow_required'],
    );
  });

  it('takes a proof once', async () => {
    const { person, url } = await followed('小明');
    const once = new PcBrowser();
    const again = new PcBrowser();
    const first = await once.visit(url);
    const second = await again.visit(url);

    await once.visit(await callbackAfterScan(world.wechat, first.location ?? '', person));
    const refused = await again.visit(await callbackAfterScan(world.wechat, second.location ?? '', person));

    expect(refused.location?.searchParams.get('error')).toBe('follow_required');
  });

  it('refuses somebody else at the Open Platform than the one who followed', async () => {
    const { url } = await followed('小华');
    const other = world.wechat.person({ nickname: '别人' });
    const browser = new PcBrowser();

    const start = await browser.visit(url);
    const returned = await browser.visit(await callbackAfterScan(world.wechat, start.location ?? '', other));

    expect(returned.location?.searchParams.get('error')).toBe('follow_required');
  });

  it('cannot be redeemed with the Official Account’s identity', async () => {
    const { device } = await followed('小李');

    const reply = await pollUntilSettled(world.url, device);

    expect(reply.json()).not.toHaveProperty('access_token');
  });
});

describe('a row whose apps show no unionid', () => {
  it('refuses everybody after the scan, since nothing tells one person from another', async () => {
    const world = await startFollowWorld({ qr_login_with: 'open', qr_confirmation: 'none' });
    const oa = world.wechat.officialAccount({ oauthDomain: 'localhost' });
    const site = world.account.websiteApp({ callbackDomain: 'localhost', bound: false });
    const server = { token: 'unbound0token', encodingAesKey: 'u'.repeat(43) };
    oa.configureServer({ url: `${world.url}/iam/webhook/wechat`, mode: 'safe', ...server });
    await world.saveProvider({
      open_app_id: site.appid,
      open_app_secret: site.secret,
      mp_app_id: oa.appid,
      mp_app_secret: oa.secret,
      mp_token: server.token,
      mp_encoding_aes_key: server.encodingAesKey,
    });
    const victim = await followedAt({ ...world, oa }, '甲');
    const other = await followedAt({ ...world, oa }, '乙');
    const signIn = async (start: URL, by: Person) => {
      const browser = new PcBrowser();
      const { location } = await browser.visit(start);
      const callback = await callbackAfterScan(world.wechat, location ?? '', by);
      return (await browser.visit(callback)).location?.searchParams.get('error');
    };

    const errors = [await signIn(victim.url, other.person), await signIn(other.url, other.person)];
    const people = await rowsOf(world.dataSource, 'SELECT 1 FROM iam.identities');
    await world.close();

    expect(errors).toEqual(['follow_required', 'follow_required']);
    expect(people).toEqual([]);
  });
});

describe('a row that signs in with the Official Account', () => {
  it('has no Open Platform step at all', async () => {
    const world = await startFollowWorld({ qr_login_with: 'mp' });
    const lan = world.wechat.person({ nickname: '小兰' });
    const device = await askForQrCode(world.url);
    await scanAndFollow(world, lan, device.qr);
    await decideOnPhone(world, lan, 'confirm');

    const reply = await new PcBrowser().visit(authorizeUrl(world.url, pkce().challenge, { method: 'open' }));

    expect(reply.location?.searchParams.get('error')).toBe('follow_required');
    await world.close();
  });
});

describe('a user who links by a row that goes on to the Open Platform', () => {
  let world: World;
  const { start, confirmed, person, newUser, ownerOf, audited } = linksIn(() => world);

  beforeAll(async () => {
    world = await startFollowWorld(
      { qr_confirmation: 'tap', qr_login_with: 'open' },
      { options: { rateLimits: 'off' } },
    );
  });
  afterAll(() => world.close());

  /** The page leaves for the Open Platform, where `by` confirms. */
  async function goOn(page: FollowPage, deviceCode: string, by: Person) {
    const step = await leavePage(page, deviceCode);
    const callback = await callbackAfterScan(world.wechat, step.href, by);
    return { step, callback, visit: () => page.browser.visit(callback) };
  }
  const openOwnerOf = (other: Person) =>
    valueOf(world.dataSource, 'SELECT user_id FROM iam.identities WHERE openid = $1', [
      other.openid(world.site),
    ]);

  it('links the identity of the website app, with the scan as the proof of the follow', async () => {
    const user = await newUser('甲');
    const second = person('甲二');
    const { page, deviceCode } = await confirmed(user, second);

    const { step, visit } = await goOn(page, deviceCode, second);
    const reply = await visit();
    const [, linked] = itemsOf(await callMe(world, user, '/identities'));

    expect(step.pathname).toBe('/connect/qrconnect');
    expect(returned(reply.location ?? step)).toEqual({
      linked: linked?.['id'],
      state: 'mine',
      iss: world.url,
    });
    expect(linked).toMatchObject({ kind: 'open' });
    expect([await openOwnerOf(second), await ownerOf(second)]).toEqual([user.id, undefined]);
    expect(await audited(user.id, 'identity.linked')).toHaveLength(1);
  });

  it('refuses somebody else at the Open Platform than the one who followed', async () => {
    const user = await newUser('乙');
    const other = person('乙三');
    const { page, deviceCode } = await confirmed(user, person('乙二'));

    const reply = await (await goOn(page, deviceCode, other)).visit();

    expect(reply.location?.searchParams.get('error')).toBe('follow_required');
    expect(await openOwnerOf(other)).toBeUndefined();
    expect(await audited(user.id, 'identity.link_refused')).toMatchObject([
      { detail: { error: 'follow_required' } },
    ]);
  });

  it('takes the scan once', async () => {
    const user = await newUser('丙');
    const second = person('丙二');
    const { page, deviceCode } = await confirmed(user, second);
    const once = await goOn(page, deviceCode, second);
    const again = await goOn(page, deviceCode, second);

    await once.visit();
    const refused = await again.visit();

    expect(refused.location?.searchParams.get('error')).toBe('follow_required');
    expect(itemsOf(await callMe(world, user, '/identities'))).toHaveLength(2);
  });

  it('is refused when the session that asked is over by then', async () => {
    const user = await newUser('丁');
    const second = person('丁二');
    const { page, deviceCode } = await confirmed(user, second);
    const { visit } = await goOn(page, deviceCode, second);
    await revoke(world.url, user.refreshToken);

    const reply = await visit();

    expect(reply.location?.searchParams.get('error')).toBe('invalid_token');
    expect(await openOwnerOf(second)).toBeUndefined();
  });

  it('does not open the Open Platform step without the scan, nor a sign-in by it', async () => {
    const user = await newUser('戊');
    const { deviceCode } = await confirmed(user, person('戊二'));

    const started = await start(user, new PcBrowser(), { method: 'open' });
    const polled = await poll(world.url, { deviceCode });
    const loginId = deviceCode.split('.')[1] ?? '';
    const proof = world.app.get(LoginTokens).mint('follow-proof', loginId);
    const byProof = await new PcBrowser().visit(
      authorizeUrl(world.url, pkce().challenge, { method: 'open', follow_proof: proof }),
    );

    expect(started.json()['code']).toBe('follow_required');
    expect(polled.json()['error']).toBe('invalid_grant');
    expect(polled.json()).not.toHaveProperty('authorize_uri');
    expect(byProof.location?.searchParams.get('error')).toBe('follow_required');
  });
});
