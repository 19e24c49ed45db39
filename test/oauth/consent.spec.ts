import { Injectable, Module } from '@nestjs/common';
import type { IamHooks, SignIn } from '../../src/index.js';
import { callMe } from '../support/account.js';
import { AdminClient, adminOptions, adminWithPermissions } from '../support/admin.js';
import { decide, openConsent, ThirdParties } from '../support/consent.js';
import { cookiesOf } from '../support/cookie-client.js';
import { codesOf, leavePage, openFollowPage, startOnPage } from '../support/follow-page.js';
import { redirectUri, startWorld, type World } from '../support/iam-app.js';
import { answerQuestion, scanPageCode } from '../support/page-qr.js';
import { fieldOf, PcBrowser, type Reply } from '../support/pc-browser.js';
import { countWaiting, rowsOf, valueOf } from '../support/rows.js';
import { onPc } from '../support/signed-in.js';
import { authorizeUrl, pkce, returnInsideWechat } from '../support/sign-in.js';
import { until } from '../support/until.js';

/** What happens while the host still works on a sign-in. */
@Injectable()
class Meanwhile implements IamHooks {
  does: (signIn: SignIn) => Promise<unknown> = () => Promise.resolve();

  async afterSignIn(signIn: SignIn): Promise<void> {
    await this.does(signIn);
  }
}

@Module({ providers: [Meanwhile], exports: [Meanwhile] })
class MeanwhileModule {}

describe('an application of a third party', () => {
  let world: World;
  let admin: AdminClient;
  let parties: ThirdParties;

  beforeAll(async () => {
    world = await startWorld({
      imports: [MeanwhileModule],
      options: { ...adminOptions, hooks: Meanwhile },
    });
    admin = new AdminClient(world.url);
    parties = new ThirdParties(world);
  });
  afterAll(() => world.close());

  const person = () => world.wechat.person({ nickname: '小兰' });
  const returnOf = ({ location }: Pick<Reply, 'location'>) => ({
    path: location?.pathname,
    error: location?.searchParams.get('error') ?? null,
    hasCode: location?.searchParams.has('code'),
    state: location?.searchParams.get('state'),
  });
  const withCode = { path: '/signed-in', error: null, hasCode: true, state: 'client-state' };
  const withError = (error: string) => ({ path: '/signed-in', error, hasCode: false, state: 'client-state' });
  const audited = (client: string) =>
    rowsOf(
      world.dataSource,
      `SELECT action, detail->'scopes' AS scopes FROM iam.audit_log WHERE client_id = $1 AND action LIKE 'consent.%' ORDER BY id`,
      [client],
    );

  describe('is let in', () => {
    it('by a page that names it, its address and what it will see, once for each scope', async () => {
      const who = person();
      const id = await parties.register({
        name: 'Calendar “<b>',
        client_uri: 'https://calendar.example.com/',
        logo_uri: 'https://cdn.example.com/logo.png',
      });

      const first = await parties.come(id, who, 'openid profile');
      const page = await openConsent(first);
      const agreed = await decide(first, page, 'confirm');
      const again = await parties.come(id, who, 'openid');
      const more = await parties.come(id, who, 'openid profile phone');
      const asked = await openConsent(more);

      expect(first.returned.location?.pathname).toBe('/iam/consent');
      expect(page.status).toBe(200);
      expect(page.text).toContain('允许「Calendar b」使用您的账号？');
      expect(page.text).toContain('<dd>Calendar “&#60;b&#62;</dd>');
      expect(page.text).toContain('<dd>https://calendar.example.com/</dd>');
      expect(page.text).toContain('您以「小兰」登录');
      expect(page.text).toContain('<li>看到您的昵称和头像</li>');
      expect(page.text).not.toContain('手机号码');
      expect(page.text).toContain('<img class="logo" src="https://cdn.example.com/logo.png"');
      const policy = page.headers.get('content-security-policy') ?? '';
      expect(policy).toContain('img-src https://cdn.example.com;');
      expect(policy).toContain("frame-ancestors 'none'");
      expect(policy).not.toContain('form-action');
      expect([agreed.status, returnOf(agreed)]).toEqual([303, withCode]);
      expect(returnOf(again.returned)).toEqual(withCode);
      expect(asked.text).toContain('看到您的手机号码');
      expect(await audited(id)).toEqual([{ action: 'consent.given', scopes: ['openid', 'profile'] }]);
    });

    it('without a question about more where the person agreed in parts', async () => {
      const who = person();
      const id = await parties.register();
      await parties.agree(id, who, 'openid profile');
      await parties.agree(id, who, 'openid phone');

      const all = await parties.come(id, who, 'openid profile phone');

      expect(returnOf(all.returned)).toEqual(withCode);
    });

    it('where it asks for no scope too, and is told nothing but who it is', async () => {
      const who = person();
      const id = await parties.register();

      const page = await openConsent(await parties.come(id, who, null));
      const granted = await parties.tokens(id, await parties.agree(id, who, null));

      expect(page.text.match(/<li>/g)).toHaveLength(1);
      expect([granted.status, granted.json()['id_token'], granted.json()['refresh_token']]).toEqual([
        200,
        undefined,
        undefined,
      ]);
    });

    it('only after the question where the request says prompt=consent, and without any for prompt=none', async () => {
      const who = person();
      const client_id = await parties.register({ sso: true });
      const first = await parties.agree(client_id, who, 'openid');
      const visit = (changes: Readonly<Record<string, string>>) =>
        first.browser.visit(
          authorizeUrl(world.url, pkce().challenge, { client_id, scope: 'openid', ...changes }),
        );

      const asked = await visit({ prompt: 'consent' });
      const silent = await visit({ prompt: 'none' });
      const logins = () =>
        valueOf(world.dataSource, 'SELECT count(*)::int FROM iam.logins WHERE client_id = $1', [client_id]);
      const before = await logins();
      const more = await visit({ prompt: 'none', scope: 'openid phone' });

      expect(asked.location?.pathname).toBe('/iam/consent');
      expect(returnOf(silent)).toEqual(withCode);
      expect(returnOf(more)).toEqual(withError('consent_required'));
      expect(await logins()).toBe(before);
    });

    it('not with a state whose cookie has no room for the decision, which goes back as an error', async () => {
      const client_id = await parties.register({ sso: true });
      const { browser } = await parties.agree(client_id, person(), 'openid');
      const visit = (state: string) =>
        browser.visit(authorizeUrl(world.url, pkce().challenge, { client_id, scope: 'openid phone', state }));
      const [short] = cookiesOf(await visit('s'));
      // Three bytes are four characters there; \u0001 takes six.
      const room = Math.floor((4_096 - (short?.bytes ?? 0)) / 4) * 3 - 3;
      const stateOf = (bytes: number) => '\u0001'.repeat(bytes / 6) + 's'.repeat(bytes % 6);

      const longer = await visit(stateOf(room));
      const long = { browser, returned: await visit(stateOf(room - 24)), verifier: '' };
      const decided = await decide(long, await openConsent(long), 'confirm');

      expect(returnOf(longer)).toEqual({ ...withError('invalid_request'), state: stateOf(room) });
      expect(returnOf(decided)).toEqual({ ...withCode, state: stateOf(room - 24) });
    });

    it('inside WeChat', async () => {
      const who = person();
      const id = await parties.register();

      const { location } = await returnInsideWechat(world.url, who, {
        client_id: id,
        scope: 'openid profile',
      });
      const page = await who.openInWechat(location.href);
      const agreed = await answerQuestion(who, page, 'confirm');

      expect(location.pathname).toBe('/iam/consent');
      expect(new URL(agreed.url).searchParams.has('code')).toBe(true);
    });

    it('from the page with a QR code', async () => {
      const who = person();
      const id = await parties.register();
      await world.saveProvider({
        slug: 'scan',
        mp_app_id: world.oa.appid,
        mp_app_secret: world.oa.secret,
        qr_enabled: true,
        qr_with: 'page',
      });
      const page = await openFollowPage(world.url, {
        method: undefined,
        client_id: id,
        provider: 'scan',
        scope: 'openid',
      });
      const { qr, deviceCode } = codesOf(await startOnPage(page));
      await answerQuestion(who, await scanPageCode(who, qr), 'confirm');
      const location = await leavePage(page, deviceCode);
      const { browser } = page;
      const agreed = await decide(
        { browser, returned: { location } },
        await browser.visit(location),
        'confirm',
      );

      expect(location.pathname).toBe('/iam/consent');
      expect(returnOf(agreed)).toMatchObject({ error: null, hasCode: true });
    });
  });

  describe('is declined', () => {
    it('with an error for it, and asks again the next time', async () => {
      const who = person();
      const id = await parties.register();

      const first = await parties.come(id, who);
      const declined = await decide(first, await openConsent(first), 'deny');
      const reloaded = await openConsent(first);
      const next = await parties.come(id, who);

      expect([declined.status, returnOf(declined)]).toEqual([303, withError('access_denied')]);
      expect(returnOf(reloaded)).toEqual(withError('access_denied'));
      expect(next.returned.location?.pathname).toBe('/iam/consent');
      expect(await audited(id)).toEqual([
        { action: 'consent.declined', scopes: ['openid', 'profile', 'offline_access'] },
      ]);
    });

    it('for good: no later form of the same sign-in agrees', async () => {
      const id = await parties.register();
      const signIn = await parties.come(id, person());
      const page = await openConsent(signIn);
      await decide(signIn, page, 'deny');

      const late = await decide(signIn, page, 'confirm');

      expect(returnOf(late)).toEqual(withError('access_denied'));
      expect(
        await valueOf(world.dataSource, 'SELECT count(*)::int FROM iam.consents WHERE client_id = $1', [id]),
      ).toBe(0);
    });
  });

  it('is declined where both are sent at the same time and the refusal is first', async () => {
    const id = await parties.register();
    const signIn = await parties.come(id, person());
    const page = await openConsent(signIn);
    const runner = world.dataSource.createQueryRunner();
    await runner.startTransaction();
    await runner.query("UPDATE iam.logins SET status = 'denied', error = 'access_denied' WHERE id = $1", [
      fieldOf(page.text, 'login'),
    ]);

    const agreeing = decide(signIn, page, 'confirm');
    await until('it waits for the refusal', async () => (await countWaiting(world.dataSource)) === 1);
    await runner.commitTransaction();
    await runner.release();

    expect(returnOf(await agreeing)).toEqual(withError('access_denied'));
    expect(await audited(id)).toEqual([]);
    expect(await valueOf(world.dataSource, 'SELECT 1 FROM iam.consents WHERE client_id = $1', [id])).toBe(
      undefined,
    );
  });

  it('is declined after all by a person who agreed in one tab and withdrew in another', async () => {
    const who = person();
    const me = await onPc(world, who);
    const id = await parties.register();
    const signIn = await parties.come(id, who);
    await decide(signIn, await openConsent(signIn), 'confirm');
    await callMe(world, me, `/consents/${id}`, { method: 'DELETE' });

    const declined = await decide(signIn, await openConsent(signIn), 'deny');

    expect(returnOf(declined)).toEqual(withError('access_denied'));
  });

  it('loses what it has when an administrator withdraws, who finds it with the person', async () => {
    const who = person();
    const me = await onPc(world, who);
    const id = await parties.register({ name: 'Calendar' });
    const granted = await parties.tokens(id, await parties.agree(id, who));
    const reader = await adminWithPermissions(world, 'iam:users:read');
    const writer = await adminWithPermissions(world, 'iam:users:write');
    const at = `users/${me.id}/consents`;

    const listed = (await reader.get(at)).items();
    const withdrawn = [
      await reader.delete(`${at}/${id}`),
      await writer.delete(`${at}/${id}`),
      await admin.delete(`${at}/${id}`),
      await admin.get(`users/00000000-0000-7000-8000-00000000000f/consents`),
    ];
    const refreshed = await parties.refresh(id, granted.json()['refresh_token']);

    expect(listed).toMatchObject([
      { client_id: id, name: 'Calendar', scopes: ['offline_access', 'openid', 'profile'], resources: [] },
    ]);
    expect(withdrawn.map(({ status }) => status)).toEqual([403, 204, 404, 404]);
    expect(refreshed.json()['error']).toBe('invalid_grant');
    expect((await admin.get(at)).items()).toEqual([]);
    expect((await audited(id)).map(({ action }) => action)).toEqual(['consent.given', 'consent.withdrawn']);
  });

  describe('waits for the person', () => {
    it('for ten minutes, and then lives no longer than any code', async () => {
      const id = await parties.register();
      const lifeOf = () =>
        valueOf(
          world.dataSource,
          'SELECT round(extract(epoch FROM redeem_before - now()) / 60)::int FROM iam.logins WHERE client_id = $1',
          [id],
        );

      const signIn = await parties.come(id, person());
      const reading = await lifeOf();
      const returned = await decide(signIn, await openConsent(signIn), 'confirm');
      const decided = await lifeOf();

      expect([reading, decided]).toEqual([10, 1]);
      expect((await parties.tokens(id, { ...signIn, returned })).status).toBe(200);
    });

    it('and learns that it took too long', async () => {
      const id = await parties.register();
      const signIn = await parties.come(id, person());
      const page = await openConsent(signIn);
      await world.dataSource.query('UPDATE iam.logins SET redeem_before = now() WHERE client_id = $1', [id]);

      const [late, reloaded] = [await decide(signIn, page, 'confirm'), await openConsent(signIn)];

      expect([returnOf(late), returnOf(reloaded)]).toEqual([
        withError('invalid_request'),
        withError('invalid_request'),
      ]);
      expect(await audited(id)).toEqual([]);
    });

    it('in two tabs of one browser, for two applications at once', async () => {
      const who = person();
      const [one, other] = [
        await parties.register({ name: 'One' }),
        await parties.register({ name: 'Other' }),
      ];
      const [first, second] = [await parties.come(one, who), await parties.come(other, who)];
      for (const cookie of await second.browser.jar.getCookies(world.url))
        await first.browser.jar.setCookie(cookie, world.url);
      const tab = { ...second, browser: first.browser };

      const [pageOfFirst, pageOfSecond] = [await openConsent(first), await openConsent(tab)];
      const answers = [await decide(tab, pageOfSecond, 'confirm'), await decide(first, pageOfFirst, 'deny')];

      expect([pageOfFirst.text.includes('「One」'), pageOfSecond.text.includes('「Other」')]).toEqual([
        true,
        true,
      ]);
      expect(answers.map(returnOf)).toEqual([withCode, withError('access_denied')]);
    });

    it('and gets the same code for a page that is sent or loaded twice, until it was redeemed', async () => {
      const id = await parties.register();
      const signIn = await parties.come(id, person());
      const page = await openConsent(signIn);

      const [sent, again] = [await decide(signIn, page, 'confirm'), await decide(signIn, page, 'confirm')];
      const [loaded, denied] = [await openConsent(signIn), await decide(signIn, page, 'deny')];
      const granted = await parties.tokens(id, { ...signIn, returned: loaded });
      const over = await openConsent(signIn);

      const codes = [sent, again, loaded, denied].map(({ location }) => location?.searchParams.get('code'));
      expect(new Set(codes).size).toBe(1);
      expect(granted.status).toBe(200);
      expect([over.status, over.text.includes('已处理'), over.text.includes('name="decision"')]).toEqual([
        200,
        true,
        false,
      ]);
    });
  });

  describe('cannot be let in', () => {
    it('by a form of another site, an invented token or another browser', async () => {
      const id = await parties.register();
      const signIn = await parties.come(id, person());
      const page = await openConsent(signIn);
      const stranger = { ...signIn, browser: new PcBrowser() };

      const foreign = await decide(signIn, page, 'confirm', 'https://evil.example');
      const form = {
        login: fieldOf(page.text, 'login'),
        csrf: fieldOf(page.text, 'csrf'),
        decision: 'confirm',
      };
      const headers = { 'sec-fetch-site': 'same-site' };
      const sibling = await signIn.browser.visit(`${world.url}/iam/consent`, { form, headers });
      const invented = await decide(
        signIn,
        { text: page.text.replace(/(name="csrf" value=")[^"]+/, '$1x') },
        'confirm',
      );
      const [other, shown] = [await decide(stranger, page, 'confirm'), await openConsent(stranger)];

      const replies = [foreign, sibling, invented, other, shown];
      expect(replies.map(({ status }) => status)).toEqual([403, 403, 403, 403, 400]);
      expect(shown.text).toContain('state_mismatch');
      expect(await audited(id)).toEqual([]);
    });

    it('after it was disabled or deleted meanwhile, or lost its address', async () => {
      const ids = [await parties.register(), await parties.register(), await parties.register()] as const;
      const [disabled, deleted, moved] = ids;
      const tabs = await Promise.all(ids.map((id) => parties.come(id, person())));
      const pages = await Promise.all(tabs.map(async (tab) => [tab, await openConsent(tab)] as const));
      await admin.patch(`clients/${disabled}`, { enabled: false });
      await admin.delete(`clients/${deleted}`);
      await admin.patch(`clients/${moved}`, { redirect_uris: ['https://elsewhere.example/'] });

      const answers = await Promise.all(pages.map(([tab, page]) => decide(tab, page, 'confirm')));

      expect(
        answers.map(({ status, text }) => [status, /client_[du]\w+|redirect_uri_mismatch/.exec(text)?.[0]]),
      ).toEqual([
        [400, 'client_disabled'],
        [400, 'client_unknown'],
        [400, 'redirect_uri_mismatch'],
      ]);
    });

    it('under its id by another application, which the page did not name', async () => {
      const id = await parties.register({ name: 'Calendar' });
      const signIn = await parties.come(id, person());
      const page = await openConsent(signIn);
      await admin.delete(`clients/${id}`);
      await admin.post('clients', { id, first_party: false, redirect_uris: [redirectUri(world.url)] });

      const answers = [await decide(signIn, page, 'confirm'), await openConsent(signIn)];

      expect(answers.map(returnOf)).toEqual([withError('invalid_request'), withError('invalid_request')]);
      expect(await audited(id)).toEqual([]);
    });

    it('once it was deleted, not even while the host still works on the sign-in', async () => {
      const id = await parties.register();
      const signIn = await parties.agree(id, person());
      const meanwhile = world.app.get(Meanwhile);
      meanwhile.does = ({ clientId }) => admin.delete(`clients/${clientId}`);

      const refused = await parties.tokens(id, signIn);
      meanwhile.does = () => Promise.resolve();

      expect([refused.status, refused.json()['error']]).toEqual([401, 'invalid_client']);
    });

    it('by a person who was banned meanwhile', async () => {
      const who = person();
      const me = await onPc(world, who);
      const id = await parties.register();
      const signIn = await parties.come(id, who);
      const page = await openConsent(signIn);
      await admin.post(`users/${me.id}/disable`);

      const answer = await decide(signIn, page, 'confirm');

      expect(returnOf(answer)).toEqual(withError('temporarily_unavailable'));
      expect(await audited(id)).toEqual([]);
    });
  });
});
