import type { Person } from '../../emulator/index.js';
import { FollowTokens } from '../../src/follow-login/codes-and-tokens.service.js';
import { callMe, itemsOf } from '../support/account.js';
import { poll, startFollowWorld } from '../support/follow.js';
import { leavePage, type FollowPage } from '../support/follow-page.js';
import type { World } from '../support/iam-app.js';
import { linksIn, returned } from '../support/link-by-follow.js';
import { PcBrowser } from '../support/pc-browser.js';
import { valueOf } from '../support/rows.js';
import { authorizeUrl, callbackAfterScan, pkce } from '../support/sign-in.js';
import { revoke } from '../support/signed-in.js';

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
    const proof = world.app.get(FollowTokens).mint('follow-proof', loginId);
    const byProof = await new PcBrowser().visit(
      authorizeUrl(world.url, pkce().challenge, { method: 'open', follow_proof: proof }),
    );

    expect(started.json()['code']).toBe('follow_required');
    expect(polled.json()['error']).toBe('invalid_grant');
    expect(polled.json()).not.toHaveProperty('authorize_uri');
    expect(byProof.location?.searchParams.get('error')).toBe('follow_required');
  });
});
