import { createHash } from 'node:crypto';
import { createRemoteJWKSet, decodeJwt, decodeProtectedHeader, jwtVerify, type JWTPayload } from 'jose';
import type { Person } from '../../emulator/index.js';
import { addApps, type Apps } from '../support/account.js';
import { AdminClient, adminOptions } from '../support/admin.js';
import { cookieClient } from '../support/cookie-client.js';
import { scanAndFollow } from '../support/follow.js';
import { codesOf, leavePage, openFollowPage, redeemFromPage, startOnPage } from '../support/follow-page.js';
import { redirectUri, startWorld, type World } from '../support/iam-app.js';
import { PcBrowser, type Reply } from '../support/pc-browser.js';
import { countQueries } from '../support/query-counter.js';
import { rowsOf, valueOf } from '../support/rows.js';
import { authorizeUrl, getWith, pkce, redeem, returnFromPc } from '../support/sign-in.js';
import { until } from '../support/until.js';

const deviceCode = 'urn:ietf:params:oauth:grant-type:device_code';
const encodingAesKey = 'a'.repeat(43);
const scans = {
  slug: 'scans',
  mp_token: 'tokenofthescans',
  mp_encoding_aes_key: encodingAesKey,
  qr_enabled: true,
  qr_confirmation: 'none',
} as const;
const nonce = 'n-0S6_WzA2Mj';
/** Not what watches the QR codes of other tests. */
const isOfRequest = (statement: string) => !statement.includes('AS offer');
const everything = 'openid profile phone roles offline_access';

describe('OpenID Connect', () => {
  let world: World;
  let apps: Apps;
  let admin: AdminClient;
  let created = 0;

  beforeAll(async () => {
    world = await startWorld({ options: { ...adminOptions, clients: [cookieClient()] } });
    apps = await addApps(world);
    await world.saveProvider({ ...scans, mp_app_id: world.oa.appid, mp_app_secret: world.oa.secret });
    const url = `${world.url}/iam/webhook/scans`;
    world.oa.configureServer({ url, token: scans.mp_token, encodingAesKey, mode: 'safe' });
    admin = new AdminClient(world.url);
  });
  afterAll(() => world.close());

  const register = async (members: Readonly<Record<string, unknown>> = {}) => {
    created += 1;
    const id = `rp-${created}`;
    const reply = await admin.post('clients', { id, redirect_uris: [redirectUri(world.url)], ...members });
    if (reply.status !== 201) throw new Error(reply.text);
    return id;
  };
  const person = (nickname = '兰') =>
    world.wechat.person({ nickname, avatar: 'https://thirdwx.qlogo.cn/a/132' });
  const signIn = async (changes: Readonly<Record<string, string>>, who: Person = person()) => {
    const clientId = changes['client_id'] ?? 'web';
    return redeem(world.url, await returnFromPc(world, who, changes), { client_id: clientId });
  };
  const text = (reply: Reply, member: string) => String(reply.json()[member]);
  const post = (path: string, form: Readonly<Record<string, string>>) =>
    new PcBrowser().visit(`${world.url}/iam/${path}`, { form, headers: { accept: 'application/json' } });
  const refresh = (reply: Reply, changes: Readonly<Record<string, string>> = {}) =>
    post('token', {
      grant_type: 'refresh_token',
      client_id: 'web',
      refresh_token: text(reply, 'refresh_token'),
      ...changes,
    });
  /** As a stranger would, who knows the issuer alone. */
  const verify = async (token: string, audience = 'web', algorithm = 'RS256') => {
    const discovered = await new PcBrowser().visit(`${world.url}/.well-known/openid-configuration`);
    const keys = createRemoteJWKSet(new URL(text(discovered, 'jwks_uri')));
    const expected = { issuer: text(discovered, 'issuer'), audience, algorithms: [algorithm] };
    return (await jwtVerify(token, keys, expected)).payload;
  };
  const claimsOf = (reply: Reply): JWTPayload => decodeJwt(text(reply, 'id_token'));
  const userinfo = (token: string) => getWith(`${world.url}/iam/userinfo`, token);
  const outcome = (reply: Reply) => [reply.status, reply.json()['error'], reply.json()['code']];
  const problem = (reply: Reply) => [
    reply.status,
    reply.json()['code'],
    reply.headers.get('www-authenticate'),
  ];

  describe('an ID token', () => {
    it('tells a stranger who signed in, when and how, for one statement at /token', async () => {
      await signIn({ scope: everything }, person('先'));
      const back = await returnFromPc(world, person('小兰'), { scope: everything, nonce });
      const queries = countQueries(world.database.url);

      const reply = await redeem(world.url, back);
      const statements = queries.since(0).filter(isOfRequest);
      queries.stop();
      const payload = await verify(text(reply, 'id_token'));
      const me = (await getWith(`${world.url}/iam/me`, text(reply, 'access_token'))).json();

      const access = decodeJwt(text(reply, 'access_token'));
      const digest = createHash('sha256').update(text(reply, 'access_token')).digest();
      expect(statements).toHaveLength(1);
      expect(reply.json()['scope']).toBe(everything);
      expect(payload).toEqual({
        iss: world.url,
        sub: me['id'],
        aud: 'web',
        iat: access.iat,
        exp: (access.iat ?? 0) + 900,
        auth_time: access['auth_time'],
        nonce,
        amr: ['open'],
        acr: 'urn:wechat:acr:account',
        sid: access['sid'],
        at_hash: digest.subarray(0, 16).toString('base64url'),
        name: '小兰',
        nickname: '小兰',
        picture: me['avatar_url'],
        updated_at: expect.any(Number) as number,
        roles: [],
      });
      expect(decodeProtectedHeader(text(reply, 'id_token'))).toMatchObject({ alg: 'RS256', typ: 'JWT' });
      expect(decodeProtectedHeader(text(reply, 'access_token'))).toMatchObject({ alg: 'ES256' });
      expect(access['scope']).toBe(everything);
    });

    it('is made for nobody who did not ask, whose response and statements stay as they were', async () => {
      const plain = await returnFromPc(world, person());
      const scoped = await returnFromPc(world, person(), { scope: 'profile roles' });
      const queries = countQueries(world.database.url);

      const replies = [await redeem(world.url, plain), await redeem(world.url, scoped)];
      const statements = queries.since(0).filter(isOfRequest);
      queries.stop();

      const members = ['access_token', 'token_type', 'expires_in', 'refresh_token'];
      expect(replies.map((reply) => Object.keys(reply.json()))).toEqual([members, [...members, 'scope']]);
      expect(replies.map((reply) => decodeJwt(text(reply, 'access_token'))['scope'])).toEqual([
        undefined,
        'profile roles',
      ]);
      expect(statements).toHaveLength(2);
    });

    it('tells no more than the scope allows, and nothing that is not known', async () => {
      const told = async (scope: string) => Object.keys(claimsOf(await signIn({ scope })));
      const own = ['iss', 'iat', 'exp', 'sub', 'aud', 'auth_time', 'amr', 'acr', 'sid', 'at_hash'];

      expect(await told('openid')).toEqual(own);
      expect(await told('openid phone')).toEqual(own);
      expect(await told('roles openid')).toEqual([...own, 'roles']);
      expect(await told('openid profile')).toEqual([...own, 'name', 'nickname', 'picture', 'updated_at']);
    });

    it('carries the number that WeChat has verified with the scope phone', async () => {
      const who = person();
      const first = await signIn({ scope: 'openid phone' }, who);
      await world.dataSource.query(
        `UPDATE iam.users SET phone_number = '+8613800138000', phone_verified_at = now() WHERE id = $1`,
        [claimsOf(first).sub],
      );

      const claims = { phone_number: '+8613800138000', phone_number_verified: true };
      expect(claimsOf(await signIn({ scope: 'openid phone' }, who))).toMatchObject(claims);
      expect((await userinfo(text(first, 'access_token'))).json()).toMatchObject(claims);
    });

    it('is signed as its application chose, and so is its access token, which our guard takes', async () => {
      const id = await register({
        id_token_signed_response_alg: 'ES256',
        access_token_signed_response_alg: 'RS256',
      });

      const reply = await signIn({ client_id: id, scope: 'openid' });

      expect((await verify(text(reply, 'id_token'), id, 'ES256')).aud).toBe(id);
      expect(decodeProtectedHeader(text(reply, 'access_token'))).toMatchObject({
        alg: 'RS256',
        typ: 'at+jwt',
      });
      await verify(text(reply, 'access_token'), world.url);
      expect((await getWith(`${world.url}/iam/me`, text(reply, 'access_token'))).status).toBe(200);
    });

    it('comes again with a refreshed session, of the same sign-in and without nonce, for one statement', async () => {
      const first = await signIn({ scope: 'openid profile', nonce });
      const queries = countQueries(world.database.url);

      const second = await refresh(first);
      const statements = queries.since(0).filter(isOfRequest);
      queries.stop();

      const [before, after] = [claimsOf(first), claimsOf(second)];
      expect(statements).toHaveLength(1);
      expect(after['nonce']).toBeUndefined();
      for (const claim of ['iss', 'sub', 'aud', 'auth_time', 'sid', 'amr', 'acr', 'name'])
        expect(after[claim]).toEqual(before[claim]);
      expect(second.json()['scope']).toBe('openid profile');
    });

    it('is the same person’s when a code is sent twice, with its nonce', async () => {
      const back = await returnFromPc(world, person(), { scope: 'openid', nonce });

      const [one, two] = [await redeem(world.url, back), await redeem(world.url, back)];

      const [first, again] = [claimsOf(one), claimsOf(two)];
      expect([again.sub, again['sid'], again['nonce']]).toEqual([first.sub, first['sid'], nonce]);
    });

    it('comes by the code of a mini program, of a mobile app and of a device', async () => {
      const asked = { client_id: 'web', scope: 'openid profile' };
      const byApp = (type: string, code: string) =>
        post('token', { grant_type: `urn:wechat:grant:${type}`, provider: 'wechat', code, ...asked });
      const started = await post('device_authorization', { provider: 'scans', ...asked });
      await scanAndFollow(world, person(), text(started, 'verification_uri_complete'));
      const poll = () =>
        post('token', {
          grant_type: deviceCode,
          client_id: 'web',
          device_code: text(started, 'device_code'),
        });
      let collected = await poll();
      await until('the scan is there', async () => {
        if (collected.status !== 200) collected = await poll();
        return collected.status === 200;
      });

      const replies = [
        await byApp('mini_program', person().wxLogin(apps.mini)),
        await byApp('mobile_app', person().sendAuth(apps.mobile)),
        collected,
      ];

      const methods = [];
      for (const reply of replies) methods.push((await verify(text(reply, 'id_token')))['amr']);
      expect(methods).toEqual([['mini'], ['mobile'], ['follow']]);
      expect(replies.map((reply) => reply.json()['scope'])).toEqual(Array(3).fill('openid profile'));
    });

    it('comes by the QR code of our own page, which carries what was asked for', async () => {
      const page = await openFollowPage(world.url, { provider: 'scans', scope: 'openid', nonce });
      const { deviceCode: code, qr } = codesOf(await startOnPage(page));
      await scanAndFollow(world, person(), qr);

      const reply = await redeemFromPage(page, await leavePage(page, code));

      expect(claimsOf(reply)).toMatchObject({ nonce, amr: ['follow'], aud: 'web' });
    });

    it('goes to a client with cookies in the body, while the tokens stay out of it', async () => {
      const site = 'https://shop.example/signed-in';
      const changes = { client_id: 'shop', redirect_uri: site, scope: 'openid' };
      const back = await returnFromPc(world, person(), changes);

      const reply = await new PcBrowser().visit(`${world.url}/iam/token`, {
        form: {
          grant_type: 'authorization_code',
          client_id: 'shop',
          code: back.returned.location?.searchParams.get('code') ?? '',
          redirect_uri: site,
          code_verifier: back.verifier,
        },
        from: world.url,
      });

      expect(Object.keys(reply.json())).toEqual(['token_type', 'expires_in', 'scope', 'id_token']);
      expect(claimsOf(reply)['at_hash']).toBeUndefined();
      expect((await verify(text(reply, 'id_token'), 'shop')).aud).toBe('shop');
    });
  });

  describe('a scope', () => {
    const start = (changes: Readonly<Record<string, string>>) =>
      new PcBrowser().visit(authorizeUrl(world.url, pkce().challenge, changes));
    const errorOf = (reply: Reply) => reply.location?.searchParams.get('error') ?? null;

    it('may name what we do not know beside openid: it is left out of what is granted', async () => {
      const reply = await signIn({ scope: 'openid email openid profile address' });

      expect([reply.status, reply.json()['scope']]).toEqual([200, 'openid profile']);
    });

    it('is refused everywhere where the application may not ask for it', async () => {
      const scopes = ['openid', 'profile'];
      const grants = ['authorization_code', 'refresh_token', deviceCode, 'urn:wechat:grant:mini_program'];
      const client_id = await register({ scopes, grants });
      const scope = 'openid roles';
      const allowed = await signIn({ client_id, scope: 'openid profile' });

      expect(errorOf(await start({ client_id, scope }))).toBe('invalid_scope');
      const refused = [
        await post('device_authorization', { client_id, provider: 'scans', scope }),
        await post('token', {
          grant_type: 'urn:wechat:grant:mini_program',
          provider: 'wechat',
          code: person().wxLogin(apps.mini),
          client_id,
          scope,
        }),
        await refresh(allowed, { client_id, scope }),
      ];
      expect(refused.map(outcome)).toEqual(refused.map(() => [400, 'invalid_scope', 'invalid_scope']));
      // Nor has it with the next refresh what it may ask for no longer.
      await admin.patch(`clients/${client_id}`, { scopes: ['openid'] });
      expect((await refresh(allowed, { client_id })).json()['scope']).toBe('openid');
      await admin.patch(`clients/${client_id}`, { scopes: ['roles'] });
      expect(outcome(await refresh(allowed, { client_id }))).toEqual([400, 'invalid_scope', 'invalid_scope']);
    });

    it('is less at a refresh if the client asks for less, and whole again at the next', async () => {
      const first = await signIn({ scope: 'openid profile roles' });

      const less = await refresh(first, { scope: 'profile' });
      const whole = await refresh(less);

      expect([less.json()['scope'], less.json()['id_token']]).toEqual(['profile', undefined]);
      expect(decodeJwt(text(less, 'access_token'))['scope']).toBe('profile');
      expect(whole.json()['scope']).toBe('openid profile roles');
    });

    it('is refused at a refresh that asks for more than there is, and the session goes on', async () => {
      const [named, unnamed] = [await signIn({ scope: 'openid' }), await signIn({})];

      const more = [
        await refresh(named, { scope: 'openid profile' }),
        await refresh(unnamed, { scope: 'openid' }),
      ];
      const later = [await refresh(named), await refresh(unnamed, { scope: 'profile' })];
      const repeated = await refresh(named, { scope: 'roles' });

      expect([...more, repeated].map(outcome)).toEqual(
        Array(3).fill([400, 'invalid_scope', 'invalid_scope']),
      );
      expect(later.map((reply) => [reply.status, reply.json()['scope']])).toEqual([
        [200, 'openid'],
        [200, 'profile'],
      ]);
      expect((await refresh(named)).status).toBe(200);
    });

    it('goes with a nonce that comes once', async () => {
      const twice = `${authorizeUrl(world.url, pkce().challenge, { scope: 'openid', nonce })}&nonce=other`;

      expect(errorOf(await new PcBrowser().visit(twice))).toBe('invalid_request');
      for (const wrong of ['n'.repeat(513), 'n\u0000'])
        expect(errorOf(await start({ scope: 'openid', nonce: wrong }))).toBe('invalid_request');
      expect(errorOf(await start({ scope: 'openid', request: 'e30.e30.' }))).toBe('request_not_supported');
    });

    it('may be asked for by a form, whose sender’s browser then navigates', async () => {
      const { verifier, challenge } = pkce();
      const url = new URL(authorizeUrl(world.url, challenge, { scope: 'openid' }));

      const reply = await new PcBrowser().visit(url.origin + url.pathname, { form: url.searchParams });
      const tooLong = await new PcBrowser().visit(url.origin + url.pathname, {
        form: { state: 's'.repeat(9_000) },
        headers: { accept: 'application/json' },
      });

      expect(verifier).toHaveLength(43);
      expect([reply.status, reply.location?.href]).toEqual([303, url.href]);
      expect([tooLong.status, tooLong.json()['code']]).toEqual([400, 'invalid_request']);
    });
  });

  describe('userinfo', () => {
    const withForm = (form: Readonly<Record<string, string>>, token?: string) =>
      new PcBrowser().visit(`${world.url}/iam/userinfo`, {
        form,
        headers: {
          accept: 'application/json',
          ...(token !== undefined && { authorization: `Bearer ${token}` }),
        },
      });

    it('tells what the scope allows, by header or form, for one statement each', async () => {
      const reply = await signIn({ scope: 'openid profile' }, person('小明'));
      const token = text(reply, 'access_token');
      const queries = countQueries(world.database.url);

      const told = [
        await userinfo(token),
        await withForm({ access_token: token }),
        await withForm({}, token),
      ];
      const statements = queries.since(0).filter(isOfRequest);
      queries.stop();

      const { sub, name, nickname, picture, updated_at } = claimsOf(reply);
      expect(told.map(({ status }) => status)).toEqual([200, 200, 200]);
      expect(name).toBe('小明');
      for (const each of told) expect(each.json()).toEqual({ sub, name, nickname, picture, updated_at });
      expect(statements).toHaveLength(3);
    });

    it('refuses as RFC 6750 says', async () => {
      const plain = text(await signIn({}), 'access_token');
      const token = text(await signIn({ scope: 'openid' }), 'access_token');

      expect(
        problem(
          await new PcBrowser().visit(`${world.url}/iam/userinfo?access_token=${token}`, {
            headers: { accept: 'application/json' },
          }),
        ),
      ).toEqual([401, 'authentication_required', 'Bearer']);
      expect(problem(await userinfo('nonsense'))).toEqual([
        401,
        'invalid_token',
        'Bearer error="invalid_token"',
      ]);
      expect(problem(await userinfo(plain))).toEqual([
        403,
        'insufficient_scope',
        'Bearer error="insufficient_scope", scope="openid"',
      ]);
      const twice = await withForm({ access_token: token }, token);
      expect([twice.status, twice.json()['code']]).toEqual([400, 'invalid_request']);
      const ofIdToken = await signIn({ scope: 'openid' });
      expect((await userinfo(text(ofIdToken, 'id_token'))).status).toBe(401);
      expect((await getWith(`${world.url}/iam/me`, text(ofIdToken, 'id_token'))).status).toBe(401);
    });

    it('tells nothing once the session, the user or the application is no longer there', async () => {
      const client_id = await register();
      const [ended, banned, disabled] = [
        await signIn({ scope: 'openid' }),
        await signIn({ scope: 'openid' }),
        await signIn({ client_id, scope: 'openid' }),
      ];
      await post('revoke', { client_id: 'web', token: text(ended, 'access_token') });
      await admin.post(`users/${String(claimsOf(banned).sub)}/disable`);
      await admin.patch(`clients/${client_id}`, { enabled: false });

      for (const reply of [ended, banned, disabled])
        expect(problem(await userinfo(text(reply, 'access_token')))).toEqual([
          401,
          'invalid_token',
          'Bearer error="invalid_token"',
        ]);
    });
  });

  it('keeps what was asked for with the login and the session, and nothing where nothing was', async () => {
    const [asked, plain] = [await signIn({ scope: 'openid', nonce }), await signIn({})];

    const rows = [];
    for (const reply of [asked, plain])
      rows.push(
        ...(await rowsOf(
          world.dataSource,
          `SELECT l.scope AS login_scope, l.nonce, s.scope, s.resources, s.browser_session_id, s.auth_time
           FROM iam.sessions s JOIN iam.logins l ON l.id = s.login_id WHERE s.id = $1`,
          [decodeJwt(text(reply, 'access_token'))['sid']],
        )),
      );

    const nothing = { resources: null, browser_session_id: null, auth_time: null };
    expect(rows).toEqual([
      { login_scope: 'openid', nonce, scope: 'openid', ...nothing },
      { login_scope: null, nonce: null, scope: null, ...nothing },
    ]);
    expect(await valueOf(world.dataSource, 'SELECT count(*)::int FROM iam.signing_keys')).toBe(1);
  });
});
