import { IamUsers } from '../../src/index.js';
import { decodeJwt } from 'jose';
import type { Page } from 'playwright-core';
import { rowsOf } from '../support/rows.js';
import { useShop } from './shop.js';

const storages = '[Object.keys(localStorage), Object.keys(sessionStorage)]';

describe('the browser client, signing in by redirect', () => {
  const shop = useShop();

  const failureOn = async (page: Page, path: string) => {
    await page.goto(shop.front.url + path);
    await page.locator('#who', { hasText: 'nobody' }).waitFor();
    return [await page.evaluate('failure'), page.url()];
  };

  it('signs a person in by the lines of the README', async () => {
    const lan = shop.person();
    const page = await shop.visit('/lines');
    await page.locator('#who', { hasText: 'nobody' }).waitFor();

    await shop.signIn(page, lan);

    expect(page.url()).toBe(`${shop.front.url}/lines`);
  }, 60_000);

  it('signs a person in by three lines, and leaves code and state nowhere', async () => {
    const lan = shop.person();
    const page = await shop.visit('/signed-in?from=mail#teas');
    await page.locator('#who', { hasText: 'nobody' }).waitFor();
    let meanwhile: Promise<unknown> | undefined;
    await page.route('**/iam/token', (route) => {
      meanwhile = page.evaluate('iam.getAccessToken()');
      return route.continue();
    });

    await shop.signIn(page, lan);

    expect(page.url()).toBe(`${shop.front.url}/signed-in`);
    expect(await page.evaluate('left')).toBe(page.url());
    expect(await page.evaluate(storages)).toEqual([[], []]);
    expect(await page.evaluate('changes')).toEqual([true]);
    expect(await meanwhile).toMatch(/^eyJ/);
    expect(await page.evaluate('iam.finishSignIn()')).toEqual({ returnTo: '/orders/5' });
    expect(await page.evaluate('iam.getUser().then(({ nickname }) => nickname)')).toBe(lan.nickname);
    expect(shop.grants).toEqual(['authorization_code']);
    expect(shop.tokenRequests[0]?.get('code_verifier')).toMatch(/^[\w-]{43}$/);

    await page.reload();
    await page.locator('#who', { hasText: 'nobody' }).waitFor();
    expect(shop.grants).toHaveLength(1);
  }, 60_000);

  it('keeps a person of cookies and of storage over a reload, and shows no token of cookies to scripts', async () => {
    const [lan, wei] = [shop.person(), shop.person()];
    const askForOpenId = "asked = { scope: 'openid' }";
    const kept = await shop.visit('/kept');
    await kept.evaluate(askForOpenId);
    await shop.signIn(kept, lan);
    await kept.reload();
    await kept.locator('#who', { hasText: lan.nickname }).waitFor();
    const stored = await shop.visit('/stored');
    await stored.evaluate(askForOpenId);
    await shop.signIn(stored, wei);
    await stored.reload();

    await stored.locator('#who', { hasText: wei.nickname }).waitFor();

    expect(await kept.evaluate('iam.getAccessToken()')).toBeNull();
    expect(await stored.evaluate('iam.getAccessToken()')).toMatch(/^eyJ/);
    expect(await kept.evaluate('iam.getIdToken()')).toBeNull();
    expect(decodeJwt(String(await stored.evaluate('iam.getIdToken()')))).toMatchObject({ aud: 'stored' });
    expect(await kept.evaluate('document.cookie')).toBe('');
    const values = await kept.evaluate('Object.entries(localStorage)');
    const ofCookies = JSON.stringify(values).match(/expiresAt/g);
    expect(ofCookies).toHaveLength(2);
    expect(JSON.stringify(values).match(/"(?:access|id)\\?"/g)).toHaveLength(2);
  }, 60_000);

  it('refuses a return that this tab has not begun, of another issuer, or with an error, and sends no code', async () => {
    const page = await shop.visit('/signed-in');
    const iss = encodeURIComponent(shop.front.url);
    const clean = `${shop.front.url}/signed-in?from=mail#teas`;

    const foreign = await failureOn(page, `/signed-in?from=mail&code=abc&state=iam.xyz&iss=${iss}#teas`);
    await shop.leaveForWechat(page);
    await page.goBack();
    const state = String(await page.evaluate(`Object.keys(sessionStorage)[0].split(' ').at(-1)`));
    const mixedUp = await failureOn(
      page,
      `/signed-in?from=mail&code=abc&state=${state}&iss=https%3A%2F%2Fevil.example#teas`,
    );
    const again = await failureOn(page, `/signed-in?from=mail&code=abc&state=${state}&iss=${iss}#teas`);

    expect([foreign, mixedUp, again]).toEqual([
      ['state_mismatch', clean],
      ['issuer_mismatch', clean],
      ['state_mismatch', clean],
    ]);
    expect(await page.evaluate(storages)).toEqual([[], []]);
    expect(shop.grants).toEqual([]);
  }, 60_000);

  it('leaves the returns of other libraries and other clients of the page alone', async () => {
    const page = await shop.context.newPage();
    const iss = encodeURIComponent(shop.front.url);
    const returns = ['code=a&state=1', `code=a&state=1&iss=${iss}`, `code=a&state=iam.theirs&iss=${iss}`].map(
      (query) => `/signed-in?${query}`,
    );
    await failureOn(page, '/signed-in');
    await page.evaluate(`sessionStorage.setItem('iam another iam.theirs', '{}')`);

    const results = [];
    for (const each of returns) results.push(await failureOn(page, each));

    expect(results).toEqual(returns.map((each) => [null, shop.front.url + each]));
    expect(await page.evaluate('Object.keys(sessionStorage)')).toEqual(['iam another iam.theirs']);
  });

  it('says why WeChat or the row refuses a person', async () => {
    await shop.world.saveProvider({ sign_up: 'off' });
    const page = await shop.visit('/signed-in');
    await shop.leaveForWechat(page);

    await shop.scan(page, shop.person());
    await page.locator('#who', { hasText: 'nobody' }).waitFor();

    await shop.world.saveProvider({ sign_up: 'auto' });
    expect(await page.evaluate('failure')).toBe('access_denied');
    expect(page.url()).toBe(`${shop.front.url}/signed-in`);
  }, 60_000);

  it('ends in the same session when the response with the tokens is lost', async () => {
    const lan = shop.person();
    const page = await shop.visit('/signed-in');
    let lost = 0;
    await page.route('**/iam/token', async (route) => {
      if (lost > 0) return route.continue();
      lost += 1;
      await route.fetch();
      await route.abort();
    });

    await shop.signIn(page, lan);

    const sessions = await rowsOf(
      shop.world.dataSource,
      'SELECT end_reason FROM iam.sessions JOIN iam.users ON users.id = user_id WHERE nickname = $1',
      [lan.nickname],
    );
    expect([lost, sessions]).toEqual([1, [{ end_reason: null }]]);
  }, 60_000);

  it('waits for the account of a person whom the host is to connect, and goes on', async () => {
    await shop.world.saveProvider({ sign_up: 'bind' });
    const lan = shop.person();
    const page = await shop.visit('/signed-in');
    await shop.leaveForWechat(page);
    await shop.scan(page, lan);
    await page.locator('#who', { hasText: 'nobody' }).waitFor();
    await shop.world.saveProvider({ sign_up: 'auto' });

    const failure = await page.evaluate('failure');
    const tooEarly = await page.evaluate('iam.resumeSignIn().catch((error) => error.code)');
    const token = String(await page.evaluate('error.bindingToken'));
    await shop.world.app.get(IamUsers).bind(token, { externalId: 'member-7' }, { clientId: 'web' });
    await page.evaluate('iam.resumeSignIn()');

    expect([failure, tooEarly]).toEqual(['binding_required', 'invalid_grant']);
    expect(await page.evaluate('iam.getUser().then((user) => user.external_id)')).toBe('member-7');
    expect(await page.evaluate(storages)).toEqual([[], []]);
  }, 60_000);
});
