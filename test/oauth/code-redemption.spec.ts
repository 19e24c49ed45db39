import { Injectable, Module } from '@nestjs/common';
import { decodeJwt } from 'jose';
import type { IamHooks } from '../../src/index.js';
import { AdminClient, adminOptions } from '../support/admin.js';
import { startWorld, type World, redirectUri } from '../support/iam-app.js';
import { PcBrowser, type Reply, type Visit } from '../support/pc-browser.js';
import { rowsOf, valueOf } from '../support/rows.js';
import {
  getWith,
  outlastGrace,
  pkce,
  redeem,
  returnFromPc,
  toTokens,
  type PcSignIn,
} from '../support/sign-in.js';
import { refresh, revoke } from '../support/signed-in.js';

@Injectable()
class CountingHooks implements IamHooks {
  signIns = 0;

  afterSignIn(): void {
    this.signIns += 1;
  }
}

@Module({ providers: [CountingHooks], exports: [CountingHooks] })
class HooksModule {}

const [one, two] = ['https://one.example.com', 'https://two.example.com'];

describe('a one-time code', () => {
  let world: World;

  beforeAll(async () => {
    world = await startWorld({
      imports: [HooksModule],
      options: {
        ...adminOptions,
        hooks: CountingHooks,
        resources: [{ identifier: one }, { identifier: two }],
        clients: [{ id: 'other', redirectUris: ['https://other.example/back'] }],
      },
    });
  });
  afterAll(() => world.close());

  const returned = () => returnFromPc(world, world.wechat.person({ nickname: '码' }));
  const codeOf = ({ returned: { location } }: PcSignIn) => location?.searchParams.get('code') ?? '';
  const post = (visit: Visit) =>
    new PcBrowser().visit(`${world.url}/iam/token`, { method: 'POST', ...visit });
  const fields = (signIn: PcSignIn) => ({
    grant_type: 'authorization_code',
    client_id: 'web',
    code: codeOf(signIn),
    redirect_uri: redirectUri(world.url),
    code_verifier: signIn.verifier,
  });
  const summary = (reply: Reply) => ({ status: reply.status, error: reply.json()['error'] });
  const invalidGrant = { status: 400, error: 'invalid_grant' };
  const invalidRequest = { status: 400, error: 'invalid_request' };

  it('becomes tokens, in an answer that nobody caches', async () => {
    const signIn = await returned();

    const reply = await redeem(world.url, signIn);

    expect(reply.status).toBe(200);
    expect(reply.json()).toEqual({
      access_token: expect.stringMatching(/^[\w-]+\.[\w-]+\.[\w-]+$/) as string,
      token_type: 'Bearer',
      expires_in: 900,
      refresh_token: expect.any(String) as string,
    });
    expect(Object.fromEntries(reply.headers)).toMatchObject({
      'cache-control': 'no-store',
      pragma: 'no-cache',
      'content-type': 'application/json; charset=utf-8',
      'x-content-type-options': 'nosniff',
    });
    expect(reply.headers.get('set-cookie')).toBeNull();
  });

  it('is 60 seconds good, and was in no address but the one it returned in', async () => {
    const signIn = await returned();
    const life = await valueOf(
      world.dataSource,
      'SELECT extract(epoch FROM redeem_before - now())::int FROM iam.logins ORDER BY id DESC LIMIT 1',
    );

    expect(life).toBeGreaterThan(50);
    expect(life).toBeLessThanOrEqual(60);
    expect(signIn.returned.location?.hash).toBe('');
  });

  it('is taken as JSON too, and without redirect_uri (OAuth 2.1)', async () => {
    const body = { ...fields(await returned()), redirect_uri: undefined };

    expect((await post({ body })).status).toBe(200);
  });

  it('is taken with an empty redirect_uri, which counts as none (RFC 6749 §3.2)', async () => {
    expect((await redeem(world.url, await returned(), { redirect_uri: '' })).status).toBe(200);
  });

  it('tells the session where it was redeemed', async () => {
    const signIn = await returned();
    const tokens = toTokens(await redeem(world.url, signIn));
    const { id } = (await getWith(`${world.url}/iam/me`, tokens.accessToken)).json();

    expect(
      await rowsOf(
        world.dataSource,
        'SELECT client_id, provider, method, appid, ip, user_agent FROM iam.sessions WHERE user_id = $1',
        [id],
      ),
    ).toEqual([
      {
        client_id: 'web',
        provider: 'wechat',
        method: 'open',
        appid: world.site.appid,
        ip: expect.stringContaining('127.0.0.1') as string,
        user_agent: expect.stringContaining('Chrome') as string,
      },
    ]);
  });

  it.each([
    ['with another verifier', () => ({ code_verifier: pkce().verifier })],
    ['by another client', () => ({ client_id: 'other' })],
    ['with another redirect_uri', () => ({ redirect_uri: 'https://other.example/back' })],
    ['with a redirect_uri that differs in a slash', () => ({ redirect_uri: `${redirectUri(world.url)}/` })],
  ])('is refused %s, and stays good for its owner', async (_case, changes) => {
    const signIn = await returned();

    const refused = await redeem(world.url, signIn, changes());
    const accepted = await redeem(world.url, signIn);

    expect(summary(refused)).toEqual(invalidGrant);
    expect(refused.headers.get('cache-control')).toBe('no-store');
    expect(accepted.status).toBe(200);
  });

  it.each([
    ['made up', () => 'made-up'],
    ['cut short', (code: string) => code.slice(0, -1)],
    ['changed in one character', (code: string) => code.replace(/.$/, (last) => (last === 'A' ? 'B' : 'A'))],
    [
      'of another login',
      (code: string) => code.replace(/\.[0-9a-f-]{36}\./, '.01900000-0000-7000-8000-000000000000.'),
    ],
    ['the refresh token', () => ''],
  ])('is refused when it is %s', async (_case, change) => {
    const signIn = await returned();
    const spent = await returned();
    const { refreshToken } = toTokens(await redeem(world.url, spent));
    const code = change(codeOf(signIn)) || refreshToken;

    expect(summary(await redeem(world.url, signIn, { code }))).toEqual(invalidGrant);
  });

  it('is refused once it has expired', async () => {
    const signIn = await returned();
    await world.dataSource.query(
      `UPDATE iam.logins SET redeem_before = now() - interval '1 millisecond' WHERE status = 'authenticated'`,
    );

    expect(summary(await redeem(world.url, signIn))).toEqual(invalidGrant);
  });

  it('is answered again with the same session for ten seconds: a reload, two tabs, a lost response', async () => {
    const signIn = await returned();
    const first = toTokens(await redeem(world.url, signIn));

    const again = toTokens(await redeem(world.url, signIn));
    const claims = [first, again].map(({ accessToken }) => decodeJwt(accessToken));

    expect(again.refreshToken).toBe(first.refreshToken);
    expect(claims[1]).toMatchObject({ sid: claims[0]?.['sid'], sub: claims[0]?.sub });
    expect((await getWith(`${world.url}/iam/me`, first.accessToken)).status).toBe(200);
    expect((await refresh(world.url, first.refreshToken)).status).toBe(200);
  });

  it('is answered with the live refresh token when the first one was spent within the grace', async () => {
    const signIn = await returned();
    const first = toTokens(await redeem(world.url, signIn));
    const { refresh_token: second } = (await refresh(world.url, first.refreshToken)).json();

    const again = toTokens(await redeem(world.url, signIn));

    expect(again.refreshToken).toBe(second);
    expect((await refresh(world.url, again.refreshToken)).status).toBe(200);
  });

  it('that is answered again tells the host of one sign-in only', async () => {
    const signIn = await returned();
    const hooks = world.app.get(CountingHooks);
    hooks.signIns = 0;

    await redeem(world.url, signIn);
    await redeem(world.url, signIn);

    expect(hooks.signIns).toBe(1);
  });

  it('is answered a hundred times at most, then its session ends', async () => {
    const signIn = await returned();
    const { refreshToken } = toTokens(await redeem(world.url, signIn));
    await world.dataSource.query('UPDATE iam.sessions SET grace_uses = 99 WHERE ended_at IS NULL');

    const hundredth = await redeem(world.url, signIn);
    const next = await redeem(world.url, signIn);

    expect([hundredth.status, summary(next)]).toEqual([200, invalidGrant]);
    expect(summary(await refresh(world.url, refreshToken))).toEqual(invalidGrant);
  });

  it('is refused after the grace, which ends the session of the first time', async () => {
    const signIn = await returned();
    const { refreshToken, accessToken } = toTokens(await redeem(world.url, signIn));
    const { id } = (await getWith(`${world.url}/iam/me`, accessToken)).json();
    await outlastGrace(world);

    const again = await redeem(world.url, signIn);
    const refreshed = await refresh(world.url, refreshToken);

    expect(summary(again)).toEqual(invalidGrant);
    expect(summary(refreshed)).toEqual(invalidGrant);
    expect(
      await rowsOf(world.dataSource, 'SELECT end_reason FROM iam.sessions WHERE user_id = $1', [id]),
    ).toEqual([{ end_reason: 'code_reused' }]);
    expect(
      await valueOf(
        world.dataSource,
        `SELECT count(*)::int FROM iam.audit_log WHERE user_id = $1 AND action = 'session.code_reused'`,
        [id],
      ),
    ).toBe(1);
  });

  it('that a thief brings a second time without the verifier ends nothing', async () => {
    const signIn = await returned();
    const { refreshToken } = toTokens(await redeem(world.url, signIn));

    const stolen = await redeem(world.url, signIn, { code_verifier: pkce().verifier });

    expect(summary(stolen)).toEqual(invalidGrant);
    expect((await refresh(world.url, refreshToken)).status).toBe(200);
  });

  it('is still good, as a refresh token is, after a request that asks for more or can have nothing of it', async () => {
    const admin = new AdminClient(world.url);
    const client_id = 'bounded';
    const members = { redirect_uris: [redirectUri(world.url)], resources: [one, two] };
    await admin.post('clients', { id: client_id, ...members });
    const change = (changes: Readonly<Record<string, unknown>>) =>
      admin.patch(`clients/${client_id}`, changes);
    const asked = { client_id, scope: 'openid profile', resource: one };
    const signIn = await returnFromPc(world, world.wechat.person({ nickname: '界' }), asked);
    const [, login] = codeOf(signIn).split('.');
    const ask = (more: Readonly<Record<string, string>> = {}) =>
      redeem(world.url, signIn, { client_id, ...more });
    const sessions = () =>
      rowsOf(world.dataSource, 'SELECT generation FROM iam.sessions WHERE login_id = $1', [login]);

    const refused = [await ask({ resource: two })];
    await change({ scopes: ['roles'] });
    refused.push(await ask());
    await change({ scopes: null, resources: [two] });
    refused.push(await ask());
    await change({ resources: [one, two] });
    const begun = await sessions();
    const { refreshToken } = toTokens(await ask());
    const again = (more: Readonly<Record<string, string>> = {}) =>
      refresh(world.url, refreshToken, { client_id, ...more });
    refused.push(await again({ resource: two }));
    await change({ scopes: ['roles'] });
    refused.push(await again());
    await change({ scopes: null });

    expect(refused.map((reply) => reply.json()['error'])).toEqual([
      ...['invalid_target', 'invalid_scope', 'invalid_target'],
      ...['invalid_target', 'invalid_scope'],
    ]);
    expect([begun, await sessions()]).toEqual([[], [{ generation: 0 }]]);
    expect((await again()).status).toBe(200);
  });

  it('begins no session anew after a sign-out', async () => {
    const signIn = await returned();
    const { refreshToken } = toTokens(await redeem(world.url, signIn));
    await revoke(world.url, refreshToken);

    expect(summary(await redeem(world.url, signIn))).toEqual(invalidGrant);
  });

  it('gives one session to 20 requests at once', async () => {
    const signIn = await returned();
    const sessions = () => valueOf(world.dataSource, 'SELECT count(*)::int FROM iam.sessions');
    const before = Number(await sessions());

    const replies = await Promise.all(Array.from({ length: 20 }, () => redeem(world.url, signIn)));

    expect(replies.map(({ status }) => status)).toEqual(Array(20).fill(200));
    expect(new Set(replies.map((reply) => toTokens(reply).refreshToken)).size).toBe(1);
    expect(await sessions()).toBe(before + 1);
  });

  describe('in a request that is not one', () => {
    let signIn: PcSignIn;
    beforeAll(async () => {
      signIn = await returned();
    });

    it.each([
      ['without verifier', { code_verifier: undefined }, invalidRequest],
      ['with a verifier of 42 characters', { code_verifier: 'v'.repeat(42) }, invalidRequest],
      ['with a verifier of 129 characters', { code_verifier: 'v'.repeat(129) }, invalidRequest],
      ['with a verifier of odd characters', { code_verifier: '+'.repeat(43) }, invalidRequest],
      ['without code', { code: undefined }, invalidRequest],
      ['with an empty code', { code: '' }, invalidRequest],
      ['without client', { client_id: undefined }, invalidRequest],
      ['without grant type', { grant_type: undefined }, invalidRequest],
      [
        'with a grant of nobody',
        { grant_type: 'password' },
        { status: 400, error: 'unsupported_grant_type' },
      ],
      ['with a list of codes', { code: ['a', 'b'] }, invalidRequest],
      ['with a number for a client', { client_id: 7 }, invalidRequest],
      ['of an unknown client', { client_id: 'nobody' }, { status: 401, error: 'invalid_client' }],
    ])('is refused %s', async (_case, changes, expected) => {
      const reply = await post({ body: { ...fields(signIn), ...changes } });

      expect(summary(reply)).toEqual(expected);
      expect(reply.json()['error_description']).toEqual(expect.any(String));
      expect(reply.headers.get('www-authenticate')).toBe(
        expected.status === 401 ? 'Basic realm="iam"' : null,
      );
    });

    it.each(['grant_type', 'client_id', 'code', 'code_verifier', 'redirect_uri'] as const)(
      'is refused with %s twice (RFC 6749 §3.2)',
      async (name) => {
        const form = new URLSearchParams(fields(signIn));
        form.append(name, form.get(name) ?? '');

        const reply = await fetch(`${world.url}/iam/token`, { method: 'POST', body: form });

        expect(reply.status).toBe(400);
        expect(await reply.json()).toMatchObject({ error: 'invalid_request' });
      },
    );

    it.each([
      ['an empty body', '', 'application/x-www-form-urlencoded'],
      ['broken JSON', '{"grant_type":', 'application/json'],
      ['a JSON list', '[]', 'application/json'],
      ['JSON null', 'null', 'application/json'],
      ['a text', 'grant_type=authorization_code', 'text/plain'],
    ])('is refused as %s', async (_case, body, type) => {
      const reply = await fetch(`${world.url}/iam/token`, {
        method: 'POST',
        body,
        headers: { 'content-type': type },
      });

      expect(reply.status).toBe(400);
      expect(await reply.json()).toMatchObject({ error: 'invalid_request' });
    });

    it('and is still good afterwards', async () => {
      expect((await redeem(world.url, signIn)).status).toBe(200);
    });
  });
});
