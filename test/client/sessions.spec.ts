import type { Page } from 'playwright-core';
import { rowsOf } from '../support/rows.js';
import { type ShopPage, useShop } from './shop.js';

/** Lets the page believe that it is later, so that its token is about to end. */
const later = 'window.now = Date.now; Date.now = () => now() + 897_000; undefined';
/** What five callers at once get of `/me`. */
const fiveCalls = `Promise.all([1, 2, 3, 4, 5].map(() => iam.fetch('/iam/me').then(({ status }) => status)))`;
const five = [200, 200, 200, 200, 200];

describe('the session of a browser client', () => {
  const shop = useShop();

  /** A page on which a person has just signed in. */
  const signedIn = async (path: ShopPage) => {
    const person = shop.person();
    const page = await shop.visit(path);
    await shop.signIn(page, person);
    shop.forget();
    return { page, person };
  };
  const secondTab = async (path: ShopPage, nickname: string) => {
    const page = await shop.visit(path);
    await page.locator('#who', { hasText: nickname }).waitFor();
    return page;
  };
  const endsOf = async (nickname: string) => {
    const rows = await rowsOf(
      shop.world.dataSource,
      'SELECT end_reason FROM iam.sessions JOIN iam.users ON users.id = user_id WHERE nickname = $1',
      [nickname],
    );
    return rows.map(({ end_reason }) => end_reason);
  };
  const isSignedIn = (page: Page) => page.evaluate('iam.getUser().then((user) => user !== null)');

  it.each(['/signed-in', '/stored', '/kept'] as const)(
    'is refreshed once for all who call at once (%s)',
    async (path) => {
      const { page } = await signedIn(path);
      await page.evaluate(later);

      expect(await page.evaluate(fiveCalls)).toEqual(five);
      expect(shop.grants).toEqual(['refresh_token']);

      await page.evaluate('Date.now = now; undefined');
      shop.clock.advance(1_000);
      shop.forget();
      expect(await page.evaluate(fiveCalls)).toEqual(five);
      expect(shop.grants).toEqual(['refresh_token']);
    },
    60_000,
  );

  it.each(['/stored', '/kept'] as const)(
    'is refreshed once for all tabs (%s)',
    async (path) => {
      const { page, person } = await signedIn(path);
      const other = await secondTab(path, person.nickname);
      await Promise.all([page, other].map((tab) => tab.evaluate(later)));
      shop.forget();

      const [here, there] = await Promise.all([page, other].map((tab) => tab.evaluate(fiveCalls)));

      expect([here, there]).toEqual([five, five]);
      expect(shop.grants).toEqual(['refresh_token']);
      expect(await endsOf(person.nickname)).toEqual([null]);
    },
    60_000,
  );

  it('outlives a refresh whose response is lost, and a server that is away', async () => {
    const { page, person } = await signedIn('/signed-in');
    await page.evaluate(later);
    let tries = 0;
    await page.route('**/iam/token', async (route) => {
      tries += 1;
      if (tries > 3) return route.continue();
      if (tries < 3) await route.fetch();
      return tries === 2 ? route.fulfill({ status: 502, body: 'bad gateway' }) : route.abort();
    });

    const lost = await page.evaluate(`iam.fetch('/iam/me').catch((error) => [error.name, error.code])`);
    const then = await page.evaluate(`iam.fetch('/iam/me').then(({ status }) => status)`);

    expect(lost).toEqual(['IamClientError', 'http_502']);
    expect(then).toBe(200);
    expect(tries).toBe(4);
    expect(await endsOf(person.nickname)).toEqual([null]);
  }, 60_000);

  it('waits while the browser is offline, and goes on afterwards', async () => {
    const { page } = await signedIn('/stored');
    await page.evaluate(later);
    await shop.context.setOffline(true);

    const offline = await page.evaluate('iam.getUser().catch((error) => error.code)');
    await shop.context.setOffline(false);

    expect(offline).toBe('network_error');
    expect(await isSignedIn(page)).toBe(true);
    expect(await page.evaluate('changes')).toEqual([true]);
  }, 60_000);

  it.each(['/signed-in', '/stored', '/kept'] as const)(
    'ends for every tab of the browser (%s)',
    async (path) => {
      const { page, person } = await signedIn(path);
      const other = await shop.visit(path);
      if (path === '/signed-in') {
        await other.locator('#who', { hasText: 'nobody' }).waitFor();
        await shop.signIn(other, person);
      } else await other.locator('#who', { hasText: person.nickname }).waitFor();
      const revoked = path === '/signed-in' ? other.waitForResponse(`${shop.front.url}/iam/revoke`) : null;

      await page.evaluate('iam.signOut()');
      await other.waitForFunction('changes.at(-1) === false');
      await revoked;

      expect(await Promise.all([page, other].map(isSignedIn))).toEqual([false, false]);
      expect(new Set(await endsOf(person.nickname))).toEqual(new Set(['revoked']));
      expect(await page.evaluate('Object.keys(localStorage)')).toEqual([]);
      const cookies = await shop.context.cookies(`${shop.front.url}/iam/token`);
      expect(cookies.filter(({ name }) => /access|refresh/.test(name))).toEqual([]);
    },
    60_000,
  );

  it('is over in the browser when it is over at the server', async () => {
    const { page, person } = await signedIn('/kept');
    await shop.world.dataSource.query(
      `UPDATE iam.sessions SET ended_at = now(), end_reason = 'ended_by_admin' WHERE user_id = (SELECT id FROM iam.users WHERE nickname = $1)`,
      [person.nickname],
    );
    await expect(page.evaluate('iam.refresh()')).resolves.toBeUndefined();

    expect(await isSignedIn(page)).toBe(false);
    expect(await page.evaluate('changes')).toEqual([true, false]);
  }, 60_000);

  it('stays out when a sign-out meets a refresh', async () => {
    const { page, person } = await signedIn('/stored');

    await page.evaluate(`Promise.all([iam.refresh(), iam.signOut()])`);

    expect(await isSignedIn(page)).toBe(false);
    expect(await page.evaluate('Object.keys(localStorage)')).toEqual([]);
    expect(await endsOf(person.nickname)).toEqual(['revoked']);
  }, 60_000);

  it('is signed out here, and says so, when the server cannot be told', async () => {
    const { page } = await signedIn('/stored');
    await shop.context.setOffline(true);

    const told = await page.evaluate('iam.signOut().catch((error) => error.code)');
    await shop.context.setOffline(false);

    expect(told).toBe('network_error');
    expect(await isSignedIn(page)).toBe(false);
  }, 60_000);

  it('is still signed in with cookies, in every tab, when the server cannot be told of a sign-out', async () => {
    const { page, person } = await signedIn('/kept');
    const other = await secondTab('/kept', person.nickname);
    await page.route('**/iam/revoke', (route) => route.abort());

    const told = await page.evaluate('iam.signOut().catch((error) => error.code)');

    expect(told).toBe('network_error');
    expect(await Promise.all([page, other].map(isSignedIn))).toEqual([true, true]);
    expect(await page.evaluate('changes')).toEqual([true]);
    await page.unroute('**/iam/revoke');
    await page.evaluate('iam.signOut()');
    await other.waitForFunction('changes.length > 0');
    expect(await other.evaluate('changes')).toEqual([false]);
  }, 60_000);

  it('sends its token to this page’s origin and those that are named, and to no other', async () => {
    const { page } = await signedIn('/stored');
    const seen: (string | undefined)[] = [];
    await shop.context.route('http://api.localhost:*/**', async (route) => {
      seen.push(route.request().headers()['authorization']);
      await route.fulfill({
        headers: { 'Access-Control-Allow-Origin': '*', 'Access-Control-Allow-Headers': '*' },
      });
    });
    const call = (client: string) =>
      page.evaluate(
        `${client}.fetch('http://api.localhost:9/orders').then(() => 'sent', (error) => error.code)`,
      );

    const unnamed = await call('iam');
    await page.evaluate(
      `window.IamClient = iam.constructor; window.named = new IamClient({ clientId: 'stored', storage: localStorage, origins: ['http://api.localhost:9'] }); undefined`,
    );
    const named = await call('named');

    expect([unnamed, named]).toEqual(['origin_not_allowed', 'sent']);
    expect(seen).toEqual([expect.stringMatching(/^Bearer eyJ/)]);
  }, 60_000);

  it('sends cookies unless the caller wants none', async () => {
    const { page } = await signedIn('/kept');
    const statuses = await page.evaluate(`Promise.all([
      iam.fetch('/iam/me'),
      iam.fetch(new Request('/iam/me')),
      iam.fetch('/iam/me', { credentials: 'omit' }),
      iam.fetch(new Request('/iam/me', { credentials: 'omit' })),
    ].map((response) => response.then(({ status }) => status)))`);

    expect(statuses).toEqual([200, 200, 401, 401]);
    expect(shop.grants).toEqual([]);
  }, 60_000);

  it('goes without a token, and asks for none, where nobody is signed in', async () => {
    const page = await shop.visit('/kept');
    shop.forget();

    const status = await page.evaluate(`iam.fetch('/iam/me').then(({ status }) => status)`);
    const offer = await page.evaluate('iam.getProviders().then(({ providers }) => providers[0].slug)');

    expect([status, offer]).toEqual([401, 'wechat']);
    expect(shop.grants).toEqual([]);
    expect(await page.evaluate('iam.fetch(new Request("/iam/nothing")).then(({ status }) => status)')).toBe(
      404,
    );
  }, 60_000);
});
