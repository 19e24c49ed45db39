import { type KeyObject, randomBytes, sign } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import {
  createRemoteJWKSet,
  type CryptoKey,
  decodeJwt,
  decodeProtectedHeader,
  exportJWK,
  exportSPKI,
  generateKeyPair,
  type JWTPayload,
  jwtVerify,
  SignJWT,
} from 'jose';
import { SigningKeys } from '../../src/sessions/signing-keys.service.js';
import { FakeClock } from '../support/fake-clock.js';
import { startReplica, startWorld, type World } from '../support/iam-app.js';
import { PcBrowser } from '../support/pc-browser.js';
import { countQueries, type QueryCounter } from '../support/query-counter.js';
import { getWith, redeem, returnFromPc, signInOnPc, toTokens } from '../support/sign-in.js';

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/** A clock that can break. */
class BrittleClock extends FakeClock {
  fault: Error | null = null;

  override now(): number {
    if (this.fault !== null) throw this.fault;
    return super.now();
  }
}

describe('an access token', () => {
  const clock = new BrittleClock();
  let world: World;
  let queries: QueryCounter;

  beforeAll(async () => {
    world = await startWorld({ clock });
    queries = countQueries(world.database.url);
  });
  afterAll(async () => {
    queries.stop();
    await world.close();
  });

  const issue = async () => (await signInOnPc(world, world.wechat.person({ nickname: '牌' }))).accessToken;
  const statusOf = async (token: string) => (await getWith(`${world.url}/iam/me`, token)).status;

  it('says in the words of RFC 9068 who may do what, and nothing more', async () => {
    const token = await issue();
    const { id, ...me } = (await getWith(`${world.url}/iam/me`, token)).json();
    const now = Math.floor(clock.now() / 1000);
    const { kid } = decodeProtectedHeader(token);

    expect(decodeProtectedHeader(token)).toEqual({ alg: 'ES256', typ: 'at+jwt', kid });
    expect(kid).toMatch(/^[\w-]{43}$/);
    expect(decodeJwt(token)).toEqual({
      iss: world.url,
      aud: world.url,
      sub: id,
      client_id: 'web',
      sid: expect.stringMatching(uuid) as string,
      jti: expect.stringMatching(uuid) as string,
      iat: now,
      exp: now + 900,
      roles: me['roles'],
      amr: ['open'],
      auth_time: expect.any(Number) as number,
    });
  });

  it('is not called invalid for a fault of ours', async () => {
    const token = await issue();
    clock.fault = new TypeError('a bug');

    const during = await statusOf(token);
    clock.fault = null;

    expect([during, await statusOf(token)]).toEqual([500, 200]);
  });

  it('is verified by anybody who fetches the public keys', async () => {
    const token = await issue();
    const keys = createRemoteJWKSet(new URL(`${world.url}/iam/jwks`));

    const { payload } = await jwtVerify(token, keys, {
      typ: 'at+jwt',
      issuer: world.url,
      audience: world.url,
      currentDate: new Date(clock.now()),
    });

    expect(payload['client_id']).toBe('web');
  });

  it('has its public key at /iam/jwks without the private half', async () => {
    const { keys } = (await new PcBrowser().visit(`${world.url}/iam/jwks`)).json();

    const some = expect.any(String) as string;
    expect(keys).toEqual([
      {
        kty: 'EC',
        crv: 'P-256',
        x: some,
        y: some,
        kid: decodeProtectedHeader(await issue()).kid,
        alg: 'ES256',
        use: 'sig',
      },
      { kty: 'RSA', n: some, e: 'AQAB', kid: some, alg: 'RS256', use: 'sig' },
    ]);
  });

  it('is bound to the audience that the host configured', async () => {
    const audience = 'https://api.example.com';
    const other = await startReplica(world, { clock, options: { tokens: { audience } } });
    const token = (await signInOnPc(world, world.wechat.person({ nickname: '牌' }))).accessToken;

    const refused = await getWith(`${other.url}/iam/me`, token);
    await other.close();

    expect(refused.status).toBe(401);
  });

  it('works for its 15 minutes and 59 seconds of skew, not for 61', async () => {
    const token = await issue();

    clock.advance(900 + 59);
    const late = await statusOf(token);
    clock.advance(2);
    const tooLate = await statusOf(token);

    expect([late, tooLate]).toEqual([200, 401]);
  });

  it('works on a replica whose clock is 59 seconds behind, not 61', async () => {
    const behind = new FakeClock();
    const replica = await startReplica(world, { clock: behind });
    const token = await issue();
    behind.advance((clock.now() - behind.now()) / 1000 - 59);

    const early = await getWith(`${replica.url}/iam/me`, token);
    behind.advance(-2);
    const tooEarly = await getWith(`${replica.url}/iam/me`, token);
    await replica.close();

    expect([early.status, tooEarly.status]).toEqual([200, 401]);
  });

  it('is verified without a query', async () => {
    const token = await issue();
    const mark = queries.mark();

    const unguarded = await new PcBrowser().visit(`${world.url}/iam/me`, {
      headers: { accept: 'application/json' },
    });
    const tampered = await statusOf(`${token.slice(0, -3)}AAA`);
    const withoutMe = queries.since(mark);
    await statusOf(token);

    expect([unguarded.status, tampered]).toEqual([401, 401]);
    expect(withoutMe).toEqual([]);
    expect(queries.since(mark)).toHaveLength(1);
  });

  it('of unknown keys makes the keys be read once in 10 seconds, however many come', async () => {
    const [, payload, signature] = (await issue()).split('.');
    const unknown = () => {
      const header = { alg: 'ES256', typ: 'at+jwt', kid: randomBytes(32).toString('base64url') };
      return `${Buffer.from(JSON.stringify(header)).toString('base64url')}.${payload ?? ''}.${signature ?? ''}`;
    };
    const flood = () => Promise.all(Array.from({ length: 100 }, () => statusOf(unknown())));
    clock.advance(11);
    const mark = queries.mark();

    const first = await flood();
    const second = await flood();
    const reads = queries.since(mark).length;
    clock.advance(11);
    await flood();

    expect(new Set([...first, ...second])).toEqual(new Set([401]));
    expect(reads).toBe(1);
    expect(queries.since(mark)).toHaveLength(2);
  });
});

const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');

describe('a hostile bearer', () => {
  let world: World;
  let good: string;
  let payload: JWTPayload & Record<string, unknown>;
  let ours: { kid: string; privateKey: KeyObject; publicKey: CryptoKey };
  let theirs: { privateKey: CryptoKey; publicKey: CryptoKey };
  let attacker: Server;
  const asked: string[] = [];

  beforeAll(async () => {
    world = await startWorld();
    good = (await signInOnPc(world, world.wechat.person({ nickname: '善' }))).accessToken;
    payload = JSON.parse(Buffer.from(good.split('.')[1] ?? '', 'base64url').toString()) as typeof payload;
    ours = await world.app.get(SigningKeys).current();
    theirs = await generateKeyPair('ES256', { extractable: true });
    attacker = createServer((request, response) => {
      asked.push(request.url ?? '');
      response.end('{}');
    });
    await new Promise<void>((resolve) => attacker.listen(0, '127.0.0.1', resolve));
  });
  afterAll(async () => {
    attacker.close();
    await world.close();
  });

  const header = () => ({ alg: 'ES256', typ: 'at+jwt', kid: ours.kid });
  /** A token that our own key signed: only what it says is wrong. */
  const signed = (claims: Record<string, unknown>, changes: Record<string, unknown> = {}) =>
    new SignJWT(claims).setProtectedHeader({ ...header(), ...changes }).sign(ours.privateKey);
  /** A token that somebody else's key signed. */
  const forged = (changes: Record<string, unknown>) =>
    new SignJWT(payload).setProtectedHeader({ ...header(), ...changes }).sign(theirs.privateKey);
  const attackerUrl = () => `http://127.0.0.1:${(attacker.address() as AddressInfo).port}/jwks`;

  async function expectRefused(token: string): Promise<void> {
    const reply = await getWith(`${world.url}/iam/me`, token);
    expect({ status: reply.status, ...reply.json() }).toMatchObject({ status: 401, code: 'invalid_token' });
    expect(reply.headers.get('www-authenticate')).toBe('Bearer error="invalid_token"');
  }

  it('is not every bearer', async () => {
    expect((await getWith(`${world.url}/iam/me`, await signed(payload))).status).toBe(200);
    expect(
      (await getWith(`${world.url}/iam/me`, await signed(payload, { typ: 'application/at+jwt' }))).status,
    ).toBe(200);
  });

  describe('is refused with a signature that is none:', () => {
    it.each(['none', 'None', 'NONE', ''])('alg %p', async (alg) => {
      await expectRefused(`${encode({ ...header(), alg })}.${encode(payload)}.`);
      await expectRefused(`${encode({ ...header(), alg })}.${encode(payload)}.${good.split('.')[2] ?? ''}`);
    });

    it.each([
      ['an empty one', () => ''],
      ['zeroes', () => Buffer.alloc(64).toString('base64url')],
      ['one cut short', (text: string) => text.slice(0, -4)],
      ['one with more behind it', (text: string) => `${text}AAAA`],
      [
        'one in DER',
        () =>
          Buffer.concat([
            Buffer.from('30440220', 'hex'),
            Buffer.alloc(32, 1),
            Buffer.from('0220', 'hex'),
            Buffer.alloc(32, 1),
          ]).toString('base64url'),
      ],
      ['that of another token', () => 'x'.repeat(86)],
    ])('%s', async (_what, change) => {
      const [head = '', body = '', signature = ''] = good.split('.');
      await expectRefused(`${head}.${body}.${change(signature)}`);
    });

    it('our own, under other claims', async () => {
      const [head = '', , signature = ''] = good.split('.');
      await expectRefused(`${head}.${encode({ ...payload, roles: ['admin'] })}.${signature}`);
    });

    it('HS256 with our public key for a secret', async () => {
      const jwk = await exportJWK(ours.publicKey);
      for (const secret of [await exportSPKI(ours.publicKey), JSON.stringify(jwk), jwk.x ?? '']) {
        const token = new SignJWT(payload).setProtectedHeader({ ...header(), alg: 'HS256' });
        await expectRefused(await token.sign(new TextEncoder().encode(secret)));
      }
    });

    it('one by an algorithm that is not the one of its key, though both keys are ours', async () => {
      const rsa = await world.app.get(SigningKeys).current('RS256');
      const under = (alg: string, kid: string) =>
        new SignJWT(payload).setProtectedHeader({ ...header(), alg, kid });
      const secret = new TextEncoder().encode(await exportSPKI(rsa.publicKey));

      const accepted = await under('RS256', rsa.kid).sign(rsa.privateKey);
      const refused = [
        await under('RS256', ours.kid).sign(rsa.privateKey),
        await under('ES256', rsa.kid).sign(ours.privateKey),
        await under('PS256', rsa.kid).sign(rsa.privateKey),
        await under('RS512', rsa.kid).sign(rsa.privateKey),
        await under('HS256', rsa.kid).sign(secret),
        `${encode({ ...header(), alg: 'none', kid: rsa.kid })}.${encode(payload)}.`,
      ];

      expect((await getWith(`${world.url}/iam/me`, accepted)).status).toBe(200);
      for (const token of refused) await expectRefused(token);
    });

    it('RS256, ES384 and EdDSA by keys that the token brings', async () => {
      for (const alg of ['RS256', 'PS256', 'ES384', 'EdDSA']) {
        const pair = await generateKeyPair(alg, { extractable: true });
        const jwk = await exportJWK(pair.publicKey);
        await expectRefused(
          await new SignJWT(payload).setProtectedHeader({ ...header(), alg, jwk }).sign(pair.privateKey),
        );
      }
    });
  });

  it('is refused with a key of its own, wherever the header says it is, and nobody looks there', async () => {
    const jwk = await exportJWK(theirs.publicKey);
    for (const changes of [
      {},
      { jwk },
      { jwk, kid: undefined },
      { jku: attackerUrl() },
      { x5u: attackerUrl() },
      { x5c: ['MIIB'] },
      { kid: attackerUrl() },
    ])
      await expectRefused(await forged(changes));

    expect(asked).toEqual([]);
  });

  it.each([
    '../../dev/null',
    "' OR 1=1 --",
    '__proto__',
    'constructor',
    '\u0000',
    'k'.repeat(6_000),
    7,
    true,
    ['a'],
    { toString: 'x' },
    null,
  ])('is refused with the key id %j', async (kid) => {
    await expectRefused(`${encode({ ...header(), kid })}.${encode(payload)}.${good.split('.')[2] ?? ''}`);
  });

  it.each([
    ['typ JWT', { typ: 'JWT' }],
    ['no typ', { typ: undefined }],
    ['typ of an id token', { typ: 'id+jwt' }],
    ['a critical extension', { crit: ['exp'], exp: 1 }],
  ])('is refused with %s', async (_what, changes) => {
    const token = `${encode({ ...header(), ...changes })}.${encode(payload)}`;
    const key = { key: ours.privateKey, dsaEncoding: 'ieee-p1363' } as const;
    const signature = sign('sha256', Buffer.from(token), key).toString('base64url');

    await expectRefused(`${token}.${signature}`);
  });

  it.each(['iss', 'aud', 'sub', 'client_id', 'sid', 'jti', 'iat', 'exp', 'roles'])(
    'is refused without %s',
    async (claim) => {
      await expectRefused(await signed({ ...payload, [claim]: undefined }));
    },
  );

  const now = Math.floor(Date.now() / 1000);
  it.each([
    ['exp as text', { exp: String(now + 900) }],
    ['exp as fraction', { exp: now + 900.5 }],
    ['exp beyond numbers', { exp: 1e20 }],
    ['exp below zero', { exp: -1 }],
    ['exp null', { exp: null }],
    ['exp 61 seconds ago', { iat: now - 961, exp: now - 61 }],
    ['iat as text', { iat: String(now) }],
    ['iat tomorrow', { iat: now + 86_400, exp: now + 87_300 }],
    ['iat yesterday and a long life', { iat: now - 86_400, exp: now + 86_400 }],
    ['nbf tomorrow', { nbf: now + 86_400 }],
    ['nbf as text', { nbf: 'now' }],
    ['an issuer with a slash more', { iss: '/' }],
    ['another issuer', { iss: 'https://evil.example' }],
    ['a list of issuers', { iss: ['https://evil.example'] }],
    ['another audience', { aud: 'https://evil.example' }],
    ['no audience in the list', { aud: [] }],
    ['a number for a user', { sub: 7 }],
    ['an empty user', { sub: '' }],
    ['roles as text', { roles: 'admin' }],
    ['roles that are not texts', { roles: [{ name: 'admin' }] }],
  ])('is refused with %s', async (_what, changes) => {
    const claims = { ...payload, ...changes };
    if (claims.iss === '/') claims.iss = `${world.url}/`;

    await expectRefused(await signed(claims));
  });

  it('is refused with a token of another site on the same database', async () => {
    const other = await startReplica(world, {
      options: {
        publicUrl: 'http://other.localhost',
        clients: [{ id: 'local', redirectUris: [`${world.url}/signed-in`] }],
      },
    });

    const reply = await getWith(`${other.url}/iam/me`, good);
    await other.close();

    expect(reply.status).toBe(401);
  });

  it('is refused with whatever else we issue', async () => {
    const signIn = await returnFromPc(world, world.wechat.person({ nickname: '杂' }));
    const code = signIn.returned.location?.searchParams.get('code') ?? '';
    const { refreshToken } = toTokens(await redeem(world.url, signIn));

    await expectRefused(code);
    await expectRefused(refreshToken);
  });

  it.each([
    ['no header', {}],
    ['another scheme', { authorization: 'Basic d2ViOg==' }],
    ['no token', { authorization: 'Bearer ' }],
    ['two tokens', { authorization: 'Bearer a b' }],
    ['odd characters', { authorization: 'Bearer a;b' }],
  ])('is asked for a token after %s', async (_what, headers) => {
    const reply = await new PcBrowser().visit(`${world.url}/iam/me?access_token=${good}`, {
      headers: { accept: 'application/json', ...headers },
    });

    expect({ status: reply.status, ...reply.json() }).toMatchObject({
      status: 401,
      code: 'authentication_required',
    });
    expect(reply.headers.get('www-authenticate')).toBe('Bearer');
  });
});
