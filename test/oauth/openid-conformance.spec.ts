import { createRemoteJWKSet, decodeJwt, jwtVerify } from 'jose';
import { z } from 'zod';
import { AdminClient, adminOptions } from '../support/admin.js';
import { redirectUri, startWorld, type World } from '../support/iam-app.js';
import { PcBrowser, type Reply } from '../support/pc-browser.js';
import { rowsOf } from '../support/rows.js';
import { addServer, basic, post } from '../support/server-client.js';
import { callbackAfterScan, getWith, outlastGrace, pkce } from '../support/sign-in.js';

type Parameters = Readonly<Record<string, string | undefined>>;

/** A server as the conformance suite has it: neither PKCE nor the name of a provider. */
interface Application {
  readonly client_id: string;
  readonly client_secret: string;
}

const discovered = z.object({ issuer: z.string(), jwks_uri: z.string() });

/** No member beyond these: no private half. */
const shared = { kid: z.string(), use: z.literal('sig'), alg: z.string() };
const publicKey = z.union([
  z.strictObject({ ...shared, kty: z.literal('EC'), crv: z.string(), x: z.string(), y: z.string() }),
  z.strictObject({ ...shared, kty: z.literal('RSA'), n: z.string(), e: z.string() }),
]);

/** The requests of the OpenID Foundation's plan Basic OP, each under the name of its module; see docs/conformance.md. */
describe('an authorization request of the conformance suite', () => {
  let world: World;
  let admin: AdminClient;
  let application: Application;

  beforeAll(async () => {
    world = await startWorld({ options: adminOptions });
    admin = new AdminClient(world.url);
    application = await register();
  });
  afterAll(() => world.close());

  const register = async (): Promise<Application> => {
    const { id, secret } = await addServer(admin, { redirect_uris: [redirectUri(world.url)] });
    return { client_id: id, client_secret: secret };
  };
  const requestOf = (changes: Parameters = {}): URLSearchParams => {
    const { client_id } = application;
    const base = { response_type: 'code', client_id, redirect_uri: redirectUri(world.url) };
    const all: Parameters = {
      ...base,
      scope: 'openid',
      state: 'suite-state',
      nonce: 'suite-nonce',
      ...changes,
    };
    return new URLSearchParams(
      Object.entries(all).filter((pair): pair is [string, string] => pair[1] !== undefined),
    );
  };
  const visit = (query: URLSearchParams, browser = new PcBrowser()) =>
    browser.visit(`${world.url}/iam/authorize?${query.toString()}`);
  /** From the request to the return to the client. */
  const signIn = async (query: URLSearchParams, browser = new PcBrowser()): Promise<Reply> => {
    const { location, text } = await visit(query, browser);
    if (location === null) throw new Error(text);
    const person = world.wechat.person({ nickname: '考', avatar: 'https://thirdwx.qlogo.cn/a/132' });
    return browser.visit(await callbackAfterScan(world.wechat, location, person));
  };
  const token = (form: Readonly<Record<string, string>>, { client_id, client_secret } = application) =>
    post(`${world.url}/iam/token`, form, basic(client_id, client_secret));
  const codeForm = ({ location }: Reply) => ({
    grant_type: 'authorization_code',
    code: location?.searchParams.get('code') ?? '',
    redirect_uri: redirectUri(world.url),
  });
  const text = (reply: Reply, member: string) => String(reply.json()[member]);
  const errorOf = (reply: Reply) => [reply.status, reply.json()['error']];

  it('oidcc-discovery-endpoint-verification', async () => {
    const document = (await new PcBrowser().visit(`${world.url}/.well-known/openid-configuration`)).json();
    const keys = (await new PcBrowser().visit(String(document['jwks_uri']))).json()['keys'];

    const endpoints = Object.entries(document).filter(([name]) => /_(endpoint|uri)$/.test(name));
    const required = ['authorization_endpoint', 'token_endpoint', 'userinfo_endpoint', 'jwks_uri'];
    expect(document['issuer']).toBe(world.url);
    expect(document).toMatchObject({
      response_types_supported: ['code'],
      subject_types_supported: ['public', 'pairwise'],
      id_token_signing_alg_values_supported: expect.arrayContaining(['RS256']) as unknown,
      grant_types_supported: expect.arrayContaining(['authorization_code']) as unknown,
      scopes_supported: expect.arrayContaining(['openid']) as unknown,
      claims_supported: expect.arrayContaining(['sub']) as unknown,
      code_challenge_methods_supported: ['S256'],
    });
    expect(endpoints.map(([name]) => name)).toEqual(expect.arrayContaining(required));
    expect(endpoints.filter(([, url]) => !String(url).startsWith(`${world.url}/`))).toEqual([]);
    expect(
      z
        .array(publicKey)
        .parse(keys)
        .map(({ kty }) => kty)
        .sort(),
    ).toEqual(['EC', 'RSA']);
  });

  it('oidcc-server', async () => {
    const document = await new PcBrowser().visit(`${world.url}/.well-known/openid-configuration`);
    const { issuer, jwks_uri } = discovered.parse(document.json());
    const returned = await signIn(requestOf());

    const reply = await token(codeForm(returned));

    const expected = { issuer, audience: application.client_id, algorithms: ['RS256'] };
    const verified = await jwtVerify(
      text(reply, 'id_token'),
      createRemoteJWKSet(new URL(jwks_uri)),
      expected,
    );
    const userinfo = await getWith(`${world.url}/iam/userinfo`, text(reply, 'access_token'));
    expect(returned.location?.searchParams.get('state')).toBe('suite-state');
    expect(verified.payload['nonce']).toBe('suite-nonce');
    expect(verified.protectedHeader.kid).toEqual(expect.any(String));
    expect(userinfo.json()).toEqual({ sub: verified.payload.sub });
  });

  it('oidcc-server-client-secret-post', async () => {
    const form = { ...codeForm(await signIn(requestOf())), ...application };

    const reply = await new PcBrowser().visit(`${world.url}/iam/token`, { form });

    expect([reply.status, typeof reply.json()['id_token']]).toEqual([200, 'string']);
  });

  it.each<[string, Parameters, readonly string[]]>([
    ['oidcc-scope-profile', { scope: 'openid profile' }, ['name', 'nickname', 'picture', 'updated_at']],
    ['oidcc-scope-email', { scope: 'openid email' }, []],
    ['oidcc-scope-address', { scope: 'openid address' }, []],
    ['oidcc-scope-phone', { scope: 'openid phone' }, []],
    [
      'oidcc-scope-all',
      { scope: 'openid profile email address phone' },
      ['name', 'nickname', 'picture', 'updated_at'],
    ],
    ['oidcc-display-page', { display: 'page' }, []],
    ['oidcc-display-popup', { display: 'popup' }, []],
    ['oidcc-ensure-request-with-unknown-parameter-succeeds', { extra: 'foobar' }, []],
    ['oidcc-login-hint', { login_hint: 'user@example.com' }, []],
    ['oidcc-ui-locales', { ui_locales: 'se en' }, []],
    ['oidcc-claims-locales', { claims_locales: 'se' }, []],
    ['oidcc-ensure-request-with-acr-values-succeeds', { acr_values: '1 2' }, []],
    ['oidcc-claims-essential', { claims: '{"userinfo":{"name":{"essential":true}}}' }, []],
  ])('%s', async (_module, changes, claims) => {
    const reply = await token(codeForm(await signIn(requestOf(changes))));

    const userinfo = await getWith(`${world.url}/iam/userinfo`, text(reply, 'access_token'));
    expect(decodeJwt(text(reply, 'id_token'))['nonce']).toBe('suite-nonce');
    expect(Object.keys(userinfo.json()).sort()).toEqual(['sub', ...claims].sort());
  });

  it('oidcc-alternate-happy-flow', async () => {
    const reversed = new URLSearchParams([...requestOf({ scope: 'email openid' })].reverse());

    const reply = await token(codeForm(await signIn(reversed)));

    expect(reply.status).toBe(200);
  });

  it('oidcc-ensure-post-request-succeeds', async () => {
    const posted = await new PcBrowser().visit(`${world.url}/iam/authorize`, { form: requestOf() });

    const reply = await token(codeForm(await signIn(posted.location?.searchParams ?? new URLSearchParams())));

    expect([posted.status, reply.status]).toEqual([303, 200]);
  });

  it.each([
    [
      'oidcc-unsigned-request-object-supported-correctly-or-rejected-as-unsupported',
      'request',
      'request_not_supported',
    ],
  ])('%s', async (_module, name, error) => {
    const { location } = await visit(requestOf({ [name]: 'https://suite.example/object' }));

    expect(location?.searchParams.get('error')).toBe(error);
  });

  it('oidcc-ensure-request-with-valid-pkce-succeeds', async () => {
    const { verifier, challenge } = pkce();
    const query = requestOf({ code_challenge: challenge, code_challenge_method: 'S256' });

    const reply = await token({ ...codeForm(await signIn(query)), code_verifier: verifier });

    expect(reply.status).toBe(200);
  });

  it('oidcc-refresh-token', async () => {
    const other = await register();
    const first = await token(codeForm(await signIn(requestOf({ scope: 'openid offline_access' }))));
    const form = { grant_type: 'refresh_token', refresh_token: text(first, 'refresh_token') };

    const foreign = await token(form, other);
    const own = await token(form);

    const [before, after] = [first, own].map((reply) => decodeJwt(text(reply, 'id_token')));
    expect(errorOf(foreign)).toEqual([400, 'invalid_grant']);
    expect(after).toMatchObject({ iss: before?.iss, sub: before?.sub, auth_time: before?.['auth_time'] });
    expect(after?.aud).toBe(application.client_id);
  });

  describe('without PKCE', () => {
    it('needs a nonce, of an application that is a server and asks for openid', async () => {
      await admin.post('clients', { id: 'browser', redirect_uris: [redirectUri(world.url)] });
      const starts = [{ nonce: undefined }, { nonce: '' }, { scope: 'profile' }, { client_id: 'browser' }];

      const replies = await Promise.all(starts.map((changes) => visit(requestOf(changes))));

      expect(replies.map(({ location }) => location?.searchParams.get('error'))).toEqual(
        starts.map(() => 'invalid_request'),
      );
    });

    it('gives a code that no verifier opens, as a code with a challenge opens to nobody without its verifier', async () => {
      const without = codeForm(await signIn(requestOf()));
      const { verifier, challenge } = pkce();
      const query = requestOf({ code_challenge: challenge, code_challenge_method: 'S256' });
      const withOne = codeForm(await signIn(query));

      const refused = [await token({ ...without, code_verifier: verifier }), await token(withOne)];

      expect(refused.map(errorOf)).toEqual(refused.map(() => [400, 'invalid_grant']));
      expect((await token(without)).status).toBe(200);
      expect((await token({ ...withOne, code_verifier: verifier })).status).toBe(200);
    });

    it('gives a code that works once, and only to its own application', async () => {
      const form = codeForm(await signIn(requestOf()));
      const foreign = await token(form, await register());
      const first = await token(form);
      await outlastGrace(world);

      const again = await token(form);

      const { sid } = decodeJwt(text(first, 'access_token'));
      const ends = await rowsOf(world.dataSource, 'SELECT end_reason FROM iam.sessions WHERE id = $1', [sid]);
      expect([foreign, again].map(errorOf)).toEqual(Array(2).fill([400, 'invalid_grant']));
      expect(ends).toEqual([{ end_reason: 'code_reused' }]);
    });

    it('is refused at /token to an application that keeps no secret', async () => {
      const form = { grant_type: 'authorization_code', client_id: 'web', code: 'x' };

      const reply = await new PcBrowser().visit(`${world.url}/iam/token`, { form });

      expect(errorOf(reply)).toEqual([400, 'invalid_request']);
    });
  });
});
