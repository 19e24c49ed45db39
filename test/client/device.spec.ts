import type { Page } from 'playwright-core';
import { useShop } from './shop.js';

/** Starts the device grant in the page: `states` collects what it says, `ended` what becomes of it. */
const start = `
window.states = [];
window.stop = new AbortController();
window.ended = iam.signInByDevice({
  provider: 'wechat',
  signal: stop.signal,
  onState: (state, device) => { states.push(state); window.device = device; },
}).then(() => 'signed in', (error) => error.code);
undefined`;

describe('the browser client, signing in by a scan on its own page', () => {
  const shop = useShop();
  let page: Page;

  beforeAll(() => shop.world.saveProvider({ qr_enabled: true }));
  beforeEach(async () => {
    page = await shop.visit('/signed-in');
    await page.locator('#who', { hasText: 'nobody' }).waitFor();
    shop.forget();
  });

  const begin = async () => {
    await page.evaluate(start);
    await page.waitForFunction('window.device');
    return String(await page.evaluate('device.verificationUriComplete'));
  };
  /** The apps by which the signed-in person is known. */
  const kinds = () =>
    page.evaluate('iam.getUser().then((user) => user && user.identities.map(({ kind }) => kind))');

  it('follows every state by the stream, with few polls', async () => {
    const lan = shop.person();
    const qr = await begin();
    expect(await page.evaluate('device.qrImage')).toMatch(/^data:image\/svg/);

    await shop.scanAndDecide(lan, qr, 'confirm');

    expect(await page.evaluate('ended')).toBe('signed in');
    expect(await page.evaluate('states')).toEqual(['pending', 'scanned', 'confirmed']);
    expect(await kinds()).toEqual(['mp']);
    expect(shop.grants).toHaveLength(1);
    expect(await page.evaluate('changes')).toEqual([true]);
  }, 60_000);

  it('needs no stream: polls are enough, and go on for as long as the server waits', async () => {
    const wei = shop.person();
    await page.evaluate('delete window.EventSource; undefined');
    const qr = await begin();
    await page.evaluate(
      `{ const now = Date.now; Date.now = () => now() + 2 * (device.expiresAt - now() + 1000); }`,
    );

    await shop.scanAndDecide(wei, qr, 'confirm');

    expect(await page.evaluate('ended')).toBe('signed in');
    expect(await page.evaluate('states')).toEqual(['pending']);
    expect(await kinds()).toEqual(['mp']);
  }, 60_000);

  it('says that the phone has denied, and that a QR code has expired', async () => {
    const denied = await begin();
    await shop.scanAndDecide(shop.person(), denied, 'deny');
    expect(await page.evaluate('ended')).toBe('access_denied');
    expect(await page.evaluate('states')).toEqual(['pending', 'scanned', 'denied']);

    await begin();
    await shop.world.dataSource.query(
      `UPDATE iam.logins SET redeem_before = now() - interval '1 second' WHERE status = 'pending'`,
    );
    expect(await page.evaluate('ended')).toBe('expired_token');
    expect(await page.evaluate('states')).toEqual(['pending', 'expired']);
    expect(await kinds()).toBeNull();
  }, 60_000);

  it('is given up by its signal, and asks no more', async () => {
    await begin();

    await page.evaluate('stop.abort()');

    expect(await page.evaluate('ended')).toBe('aborted');
    expect(await page.evaluate('states')).toEqual(['pending']);
    expect(shop.grants).toEqual([]);
  }, 60_000);

  it('outlasts a network that goes away, and loses no scan of that time', async () => {
    const lan = shop.person();
    const qr = await begin();
    await shop.context.setOffline(true);
    await page.waitForFunction(`states.includes('reconnecting')`);
    await shop.scanAndDecide(lan, qr, 'confirm');

    await shop.context.setOffline(false);

    expect(await page.evaluate('ended')).toBe('signed in');
    expect(await kinds()).toEqual(['mp']);
  }, 60_000);

  it('goes on to the Open Platform where the row asks for it', async () => {
    await shop.world.saveProvider({ qr_login_with: 'open' });
    const lan = shop.person();
    const qr = await begin();

    await shop.scanAndDecide(lan, qr, 'confirm');
    await page.locator('#box').waitFor();
    await shop.scan(page, lan);
    await page.locator('#who', { hasText: lan.nickname }).waitFor();

    await shop.world.saveProvider({ qr_login_with: 'mp' });
    expect(page.url()).toBe(`${shop.front.url}/signed-in`);
  }, 60_000);
});
