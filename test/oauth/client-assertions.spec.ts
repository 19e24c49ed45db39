import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import { type BeforeApplicationShutdown, Module } from '@nestjs/common';
import { AdminClient, adminOptions } from '../support/admin.js';
import { FakeClock } from '../support/fake-clock.js';
import { type IamApp, redirectUri, startReplica, startWorld, type World } from '../support/iam-app.js';
import { countQueries } from '../support/query-counter.js';
import { rowsOf, valueOf } from '../support/rows.js';
import {
  addServer,
  basic,
  type KeyServer,
  post,
  proof,
  proofOf,
  refusalOf,
  serverKey,
  type ServerKey,
  startKeyServer,
} from '../support/server-client.js';
import { pkce } from '../support/sign-in.js';
import { until } from '../support/until.js';
import { Cleanup } from '../../src/privacy/cleanup.service.js';

const deviceCode = 'urn:ietf:params:oauth:grant-type:device_code';
const invalidClient = [401, 'invalid_client', 'invalid_client'];
const options = { ...adminOptions, rateLimits: 'off' } as const;

describe('servers that prove themselves by a signed assertion', () => {
  const clock = new FakeClock();
  let world: World;
  let admin: AdminClient;
  let keys: KeyServer;
  let key: ServerKey;
  let id: string;
  let secret: string;

  beforeAll(async () => {
    world = await startWorld({ options, clock });
    admin = new AdminClient(world.url);
    keys = await startKeyServer();
    key = await serverKey();
    ({ id, secret } = await add({ jwks: { keys: [key.jwk] } }));
  });
  afterAll(() => keys.close().finally(() => world.close()));

  const add = (members: Readonly<Record<string, unknown>>) =>
    addServer(admin, {
      redirect_uris: [redirectUri(world.url)],
      grants: ['authorization_code', 'refresh_token', deviceCode],
      ...members,
    });
  /** 200 for who has proven themselves. */
  const revoke = (form: Readonly<Record<string, string>>, headers = {}, url = world.url) =>
    post(`${url}/iam/revoke`, { token: 'unknown', ...form }, headers);
  const soon = (seconds: number) => Math.floor(clock.now() / 1000) + seconds;
  const prove = (changes: Readonly<Record<string, unknown>> = {}, by = key, client = id) =>
    proof(client, world.url, by, { exp: soon(60), ...changes });

  it('are taken at every endpoint, whichever of our addresses they name, with and without client_id', async () => {
    const { challenge: code_challenge } = pkce();
    const requests = [
      ['token', { grant_type: 'refresh_token', refresh_token: 'x' }],
      ['token', { grant_type: 'client_credentials' }],
      ['revoke', { token: 'x' }],
      ['introspect', { token: 'x' }],
      ['device_authorization', { provider: 'none' }],
      [
        'par',
        {
          response_type: 'code',
          redirect_uri: redirectUri(world.url),
          code_challenge,
          code_challenge_method: 'S256',
        },
      ],
    ] as const;
    const audiences = [world.url, `${world.url}/iam/token`, `${world.url}/iam/par`];

    const outcomes = [];
    for (const [path, form] of requests)
      outcomes.push(await post(`${world.url}/iam/${path}`, { ...form, ...(await prove()) }));
    const others = [];
    for (const aud of [...audiences, audiences])
      others.push(await revoke({ ...(await prove({ aud })), client_id: id }));

    expect(outcomes.map(({ status }) => status)).toEqual([400, 400, 200, 200, 400, 201]);
    expect(outcomes.map(({ text }) => text.includes('invalid_client'))).toEqual(outcomes.map(() => false));
    expect(others.map(({ status }) => status)).toEqual([200, 200, 200, 200]);
  });

  it.each(['RS256', 'PS256', 'ES384', 'EdDSA'])('sign by %s', async (alg) => {
    const other = await serverKey(alg);
    const { id: client } = await add({ jwks: { keys: [key.jwk, other.jwk] } });

    expect((await revoke(await prove({}, other, client))).status).toBe(200);
  });

  it('are refused, and nothing is written, when anything about the assertion is wrong', async () => {
    const stranger = await serverKey('ES256', key.jwk.kid);
    const { client_assertion: good = '' } = await prove();
    const [header = '', payload = ''] = good.split('.');
    const encode = (part: object) => Buffer.from(JSON.stringify(part)).toString('base64url');
    const byMac = `${encode({ alg: 'HS256', kid: key.jwk.kid })}.${payload}`;
    const mac = createHmac('sha256', JSON.stringify(key.jwk)).update(byMac).digest('base64url');
    const before = await valueOf(world.dataSource, 'SELECT count(*)::int FROM iam.client_assertions');
    const wrong = {
      expired: await prove({ exp: soon(-61) }),
      'without an end': await prove({ exp: undefined }),
      'for two hours': await prove({ exp: soon(7_200) }),
      'not yet valid': await prove({ nbf: soon(120) }),
      'without jti': await prove({ jti: undefined }),
      'with an empty jti': await prove({ jti: '' }),
      'without audience': await prove({ aud: undefined }),
      'for another server': await prove({ aud: 'https://other.example' }),
      'for us and another server': await prove({ aud: [world.url, 'https://other.example'] }),
      'of another issuer': await prove({ iss: 'somebody' }),
      'of another subject': { ...(await prove({ sub: 'somebody' })), client_id: id },
      'by another key': await prove({}, stranger),
      'of an unknown key': await prove({}, await serverKey()),
      'of a client without keys': await proof((await add({})).id, world.url, key),
      'of a public client': await proof('web', world.url, key),
      'of nobody': await proof('nobody', world.url, key),
      'without signature': proofOf(`${encode({ alg: 'none' })}.${payload}.`),
      'by a MAC with the public key': proofOf(`${byMac}.${mac}`),
      'cut off': proofOf(`${header}.${payload}.`),
      'no JWT': proofOf('x'),
    };

    const replies = [];
    for (const [name, form] of Object.entries(wrong)) replies.push([name, refusalOf(await revoke(form))]);

    expect(replies).toEqual(Object.keys(wrong).map((name) => [name, invalidClient]));
    expect(await valueOf(world.dataSource, 'SELECT count(*)::int FROM iam.client_assertions')).toBe(before);
  });

  it('prove themselves in one way at a time', async () => {
    const both = await revoke({ ...(await prove()), client_secret: secret });
    const withBasic = await revoke(await prove(), basic(id, secret));
    const { client_assertion = '', client_assertion_type = '' } = await prove();
    const halves = [
      await revoke({ client_assertion }),
      await revoke({ client_assertion_type, client_id: id }),
      await revoke({ client_assertion, client_assertion_type: 'urn:ietf:params:oauth:saml2-bearer' }),
      await revoke(await prove(), { authorization: 'Bearer x' }),
    ];

    expect([both, withBasic, ...halves].map(({ status }) => status)).toEqual([400, 400, 400, 400, 400, 200]);
    expect([both, withBasic].map((reply) => reply.json()['error'])).toEqual([
      'invalid_request',
      'invalid_request',
    ]);
    expect((await revoke({}, basic(id, secret))).status).toBe(200);
  });

  it('cost one statement more than a secret, at introspection too, and one that does not verify none', async () => {
    const counter = countQueries(world.database.url);
    const count = async (endpoint: string, form: Readonly<Record<string, string>>, headers = {}) => {
      const mark = counter.mark();
      await post(`${world.url}/iam/${endpoint}`, { token: 'unknown', ...form }, headers);
      return counter.since(mark).length;
    };

    const counts = [];
    for (const endpoint of ['revoke', 'introspect'])
      counts.push([
        await count(endpoint, {}, basic(id, secret)),
        await count(endpoint, { client_id: id, client_secret: 'wrong' }),
        await count(endpoint, await prove()),
        await count(endpoint, await prove({ exp: soon(-61) })),
      ]);
    counter.stop();

    expect(counts).toEqual([
      [0, 0, 1, 0],
      [0, 0, 1, 0],
    ]);
  });

  describe('with two replicas', () => {
    let replica: IamApp;

    beforeAll(async () => {
      replica = await startReplica(world, { options });
    });
    afterAll(() => replica.close());

    it('have an assertion taken once, however many requests bring it at the same time', async () => {
      const form = await prove({ jti: 'the only one' });
      const urls = [world.url, replica.url, world.url, replica.url];

      const replies = await Promise.all(urls.map((url) => revoke(form, {}, url)));
      const later = await revoke(form, {}, replica.url);

      expect(replies.map(({ status }) => status).sort()).toEqual([200, 401, 401, 401]);
      expect(refusalOf(later)).toEqual(invalidClient);
    });

    it('have used ones forgotten once they have expired, and the jti of another client is another', async () => {
      const { id: other } = await add({ jwks: { keys: [key.jwk] } });
      await revoke(await prove({ jti: 'once' }));
      const byOther = await revoke(await prove({ jti: 'once' }, key, other));
      await world.dataSource.query(
        `UPDATE iam.client_assertions SET expires_at = now() - interval '1 second'`,
      );

      const again = await revoke(await prove({ jti: 'once' }));
      await world.app.get(Cleanup).removeExpired();

      expect([byOther.status, again.status]).toEqual([200, 200]);
      expect(
        await rowsOf(
          world.dataSource,
          'SELECT expires_at > now() AS lives, count(*)::int FROM iam.client_assertions GROUP BY 1',
        ),
      ).toEqual([{ lives: true, count: 1 }]);
    });
  });

  describe('whose keys are at an address', () => {
    const publish = (...published: readonly ServerKey[]) =>
      keys.respond(JSON.stringify({ keys: [{ kty: 'oct', k: 'x' }, ...published.map(({ jwk }) => jwk)] }));

    it('are read there when one is needed, and again for an unknown one every ten seconds at most', async () => {
      const [first, second] = [await serverKey(), await serverKey()];
      publish(first);
      const { id: client } = await add({ jwks_uri: keys.url });
      const by = async (one: ServerKey) => (await revoke(await prove({}, one, client))).status;
      const asked = keys.asked();

      const before = [await by(first), await by(first), await by(second)];
      const atFirst = keys.asked() - asked;
      publish(second);
      const tooSoon = [await by(second), await by(second)];
      clock.advance(10);
      const rotated = [await by(second), await by(first), await by(await serverKey())];
      const inAll = keys.asked() - asked;

      expect([before, tooSoon, rotated]).toEqual([
        [200, 200, 401],
        [401, 401],
        [200, 401, 401],
      ]);
      expect([atFirst, inAll]).toEqual([1, 2]);
    });

    it('lose a key that is withdrawn after five minutes, and keep theirs for an hour while nobody responds', async () => {
      const [first, second] = [await serverKey(), await serverKey()];
      publish(first, second);
      const { id: client } = await add({ jwks_uri: `${keys.url}?of=withdrawn` });
      const by = async (one: ServerKey) => (await revoke(await prove({}, one, client))).status;
      const before = [await by(first), await by(second)];
      publish(second);
      clock.advance(301);
      const withdrawn = [await by(first), await by(second)];

      keys.respond('', 500);
      clock.advance(3_500);
      const without = await by(second);
      clock.advance(101);
      const tooLong = await by(second);

      expect([before, withdrawn, without, tooLong]).toEqual([[200, 200], [401, 200], 200, 401]);
    });

    it('are read also by a replica that goes down, as long as it serves requests', async () => {
      const stop = new AbortController();
      let isStopping = false;
      @Module({})
      class BusyHost implements BeforeApplicationShutdown {
        async beforeApplicationShutdown(): Promise<void> {
          isStopping = true;
          await once(stop.signal, 'abort');
        }
      }
      publish(key);
      const ids = [];
      for (const when of ['before', 'during'])
        ids.push((await add({ jwks_uri: `${keys.url}?of=${when}` })).id);
      const replica = await startReplica(world, { options, clock, imports: [BusyHost] });
      const by = async (client = '') => (await revoke(await prove({}, key, client), {}, replica.url)).status;
      const before = await by(ids[0]);

      const closing = replica.close();
      await until('the replica goes down', () => isStopping);
      const during = await by(ids[1]);
      stop.abort();
      await closing;

      expect([before, during]).toEqual([200, 200]);
    });

    it.each([
      ['a redirect', '', 302],
      ['no JSON', 'keys', 200],
      ['too much', JSON.stringify({ keys: [], more: 'x'.repeat(70_000) }), 200],
      ['nothing that can sign', JSON.stringify({ keys: [{ kty: 'oct', k: 'x' }] }), 200],
    ])('are refused where the response is %s', async (_name, body, status) => {
      const asked = keys.asked();
      keys.respond(body, status);
      const { id: client } = await add({ jwks_uri: `${keys.url}?status=${status}&length=${body.length}` });

      expect(refusalOf(await revoke(await prove({}, key, client)))).toEqual(invalidClient);
      expect(keys.asked() - asked).toBe(1);
    });
  });

  it('are registered with public keys alone, which can verify', async () => {
    const rsa = await serverKey('RS256');
    const change = async (members: Readonly<Record<string, unknown>>) =>
      (await admin.patch(`clients/${id}`, members)).status;
    const nameless = { ...key.jwk, kid: undefined };
    const refused = [
      { jwks: { keys: [{ ...key.jwk, d: 'private' }] } },
      { jwks: { keys: [{ kty: 'oct', k: 'c2VjcmV0' }] } },
      { jwks: { keys: [] } },
      { jwks: { keys: [{ ...key.jwk, x: 'AA' }] } },
      { jwks: { keys: [{ ...rsa.jwk, n: rsa.jwk.n?.slice(0, 171) }] } },
      { jwks: { keys: [{ ...key.jwk, use: 'enc' }] } },
      { jwks: { keys: [nameless] } },
      { jwks: { keys: [key.jwk, { ...rsa.jwk, kid: key.jwk.kid }] } },
      { jwks_uri: 'http://keys.example.com/' },
      { jwks_uri: 'ftp://keys.example.com/' },
      { jwks_uri: keys.url },
    ];

    const statuses = [];
    for (const members of refused) statuses.push(await change(members));
    const ofPublic = await admin.post('clients', {
      id: 'page',
      redirect_uris: [redirectUri(world.url)],
      jwks: { keys: [key.jwk] },
    });
    const shown = await admin.get(`clients/${id}`);

    expect(statuses).toEqual(refused.map(() => 400));
    expect([ofPublic.status, ofPublic.code]).toEqual([400, 'invalid_request']);
    expect(shown.json()).toMatchObject({ jwks: { keys: [key.jwk] }, jwks_uri: null });
    expect(await change({ jwks: null, jwks_uri: keys.url })).toBe(200);
    expect(await change({ jwks_uri: null, jwks: { keys: [key.jwk] } })).toBe(200);
    expect((await revoke(await prove())).status).toBe(200);
  });
});

describe('secrets and assertions that are guessed', () => {
  it('are limited by address and application, and lock out neither the right one nor anybody else', async () => {
    const world = await startWorld({
      options: { ...adminOptions, rateLimits: { failuresPerAddressAndMinute: 3 } },
    });
    const admin = new AdminClient(world.url);
    const register = (id: string, members = {}) =>
      admin.post('clients', { id, type: 'confidential', redirect_uris: ['https://a.test/'], ...members });
    const key = await serverKey();
    const stranger = await serverKey('ES256', key.jwk.kid);
    await register('server');
    await register('other');
    await register('signer', { jwks: { keys: [key.jwk] } });
    const rotated = await admin.post('clients/server/rotate', {}, '*');
    const guess = async (client_secret: string, client_id = 'server') =>
      (await post(`${world.url}/iam/revoke`, { client_id, client_secret })).status;

    const statuses = [];
    for (let tries = 0; tries < 5; tries += 1) statuses.push(await guess('guess'));
    const right = await guess(String(rotated.json()['secret']));
    const sign = async (by: ServerKey) =>
      (await post(`${world.url}/iam/revoke`, await proof('signer', world.url, by))).status;
    const signed = [];
    for (const by of [stranger, stranger, stranger, stranger, key]) signed.push(await sign(by));
    const others = [await guess('guess', 'other'), await guess('guess', 'nobody')];
    for (let tries = 0; tries < 3; tries += 1) others.push(await guess('guess', 'nobody'));
    await world.close();

    expect(statuses).toEqual([401, 401, 401, 429, 429]);
    // Proven, and there is no token to revoke.
    expect(right).toBe(400);
    expect(signed).toEqual([401, 401, 401, 429, 400]);
    expect(others).toEqual([401, 401, 401, 401, 429]);
  });
});
