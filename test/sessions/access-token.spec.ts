import { createRemoteJWKSet, decodeJwt, decodeProtectedHeader, jwtVerify } from 'jose';
import { randomBytes } from 'node:crypto';
import { FakeClock } from '../support/fake-clock.js';
import { startReplica, startWorld, type World } from '../support/iam-app.js';
import { PcBrowser } from '../support/pc-browser.js';
import { countQueries, type QueryCounter } from '../support/query-counter.js';
import { getWith, signInOnPc } from '../support/sign-in.js';

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

    expect(keys).toEqual([
      {
        kty: 'EC',
        crv: 'P-256',
        x: expect.any(String) as string,
        y: expect.any(String) as string,
        kid: decodeProtectedHeader(await issue()).kid,
        alg: 'ES256',
        use: 'sig',
      },
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
