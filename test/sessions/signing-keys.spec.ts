import { createHash } from 'node:crypto';
import { decodeProtectedHeader } from 'jose';
import pg from 'pg';
import { IdentityProviders } from '../../src/index.js';
import { createDatabase } from '../support/database.js';
import { SkewedClock } from '../support/fake-clock.js';
import {
  type IamApp,
  redirectUri,
  startIamApp,
  startReplica,
  startWorld,
  testKey,
  type World,
} from '../support/iam-app.js';
import { migrated } from '../support/templates.js';
import { PcBrowser } from '../support/pc-browser.js';
import { rowsOf, valueOf } from '../support/rows.js';
import { authorizeUrl, getWith, pkce, redeem, returnFromPc, toTokens } from '../support/sign-in.js';

/** The id of a host's key, as a sealed text shows it. */
const idOf = (key: string) =>
  createHash('sha256').update(Buffer.from(key, 'base64')).digest('hex').slice(0, 8);

describe('the signing key', () => {
  let world: World;
  const others: IamApp[] = [];

  beforeAll(async () => {
    world = await startWorld();
  });
  afterEach(async () => {
    for (const other of others.splice(0)) await other.close();
  });
  afterAll(() => world.close());

  const replica = async (keys: readonly string[]) => {
    const started = await startReplica(world, { options: { keys } });
    others.push(started);
    return started;
  };
  const sealed = async () =>
    String(await valueOf(world.dataSource, 'SELECT private_jwk FROM iam.signing_keys'));
  /** An access token that this replica signed. */
  const tokenFrom = async ({ url }: IamApp) => {
    const signIn = await returnFromPc(world, world.wechat.person({ nickname: '钥' }));
    return toTokens(await redeem(url, signIn, { redirect_uri: redirectUri(world.url) })).accessToken;
  };
  const statusAt = async ({ url }: IamApp, token: string) => (await getWith(`${url}/iam/me`, token)).status;

  it('is in the database with its private half sealed', async () => {
    const rows = await rowsOf(world.dataSource, 'SELECT * FROM iam.signing_keys');

    expect(rows).toHaveLength(1);
    expect(rows[0]).toMatchObject({ generation: 1, algorithm: 'ES256', rs256_kid: null });
    expect(Object.keys(rows[0]?.['public_jwk'] ?? {}).sort()).toEqual(['crv', 'kty', 'x', 'y']);
    expect(rows[0]?.['private_jwk']).toMatch(new RegExp(`^sealed:v1:${idOf(world.key)}:[\\w-]+$`));
  });

  it('is published without an RSA pair only while PostgreSQL takes none', async () => {
    const published = async () => {
      const { keys } = (await new PcBrowser().visit(`${world.url}/iam/jwks`)).json();
      return (keys as { alg: string }[]).map(({ alg }) => alg);
    };
    await world.dataSource.query(`
      CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''read-only''; END';
      CREATE TRIGGER refuse BEFORE UPDATE ON iam.signing_keys FOR EACH ROW EXECUTE FUNCTION refuse()`);
    const without = await published();
    await world.dataSource.query('DROP FUNCTION refuse CASCADE');

    expect(without).toEqual(['ES256']);
    expect(await published()).toEqual(['ES256', 'RS256']);
  });

  it.each([-3_600, 3_600])(
    'comes with the time of PostgreSQL, also where a process was %i s off',
    async (seconds) => {
      const clock = new SkewedClock(0);
      const quiet = await startReplica(world, { clock, options: { background: false } });
      others.push(quiet);
      const wrong = () => {
        const time = Date.now() + seconds * 1_000;
        clock.correct(time, time);
        clock.pass(31);
      };
      const token = await tokenFrom(world);

      wrong();
      const judged = await Promise.all([statusAt(quiet, token), statusAt(quiet, token)]);
      wrong();
      const made = await tokenFrom(quiet);

      expect([judged, await statusAt(world, made)]).toEqual([[200, 200], 200]);
    },
  );

  it('is sealed by the new key once the host has one, so that the old one can be retired', async () => {
    const newKey = testKey();
    const before = await sealed();

    const rotating = await replica([newKey, world.key]);
    const after = await sealed();
    const rotated = await replica([newKey]);
    const token = await tokenFrom(rotating);

    expect(before).toContain(idOf(world.key));
    expect(after).toContain(idOf(newKey));
    expect(await Promise.all([world, rotating, rotated].map((each) => statusAt(each, token)))).toEqual([
      200, 200, 200,
    ]);

    await replica([world.key, newKey]);
    expect(await sealed()).toContain(idOf(world.key));
  });

  it('stops the start of a host that was given other keys, with a message that says which one is missing', async () => {
    const start = replica([testKey()]);

    await expect(start).rejects.toBeInstanceOf(TypeError);
    await expect(start).rejects.toThrow(
      `IamModule option \`keys\`: expected the key that sealed iam.signing_keys (key ${idOf(world.key)}, by the first 8 hex digits of its SHA-256) among them`,
    );
  });

  it('is lost with the key that sealed it: the error says how to go on without, and that works', async () => {
    const database = await createDatabase(migrated);
    const host = { databaseUrl: database.url, endpoints: world.wechat.endpoints };
    const row = {
      slug: 'wechat',
      name: '微信',
      open_app_id: world.site.appid,
      open_app_secret: world.site.secret,
    };
    const first = await startIamApp({ ...host, key: testKey() });
    await first.app.get(IdentityProviders).save(row);
    await first.close();
    const newKey = testKey();
    const error: unknown = await startIamApp({ ...host, key: newKey }).catch((thrown: unknown) => thrown);
    const [remedy = ''] = /DELETE FROM [\w.]+/.exec(String(error)) ?? [];

    const sql = new pg.Client({ connectionString: database.url });
    await sql.connect();
    await sql.query(remedy);
    await sql.end();
    const second = await startIamApp({ ...host, key: newKey });
    await second.app.get(IdentityProviders).save(row);

    const started = await new PcBrowser().visit(authorizeUrl(second.url, pkce().challenge));
    expect([started.status, started.location?.origin]).toEqual([302, world.wechat.endpoints.open]);
    await second.close();
    await database.drop();
  });

  it('stops the start of a host when it was tampered with', async () => {
    const kept = await sealed();
    await world.dataSource.query(`UPDATE iam.signing_keys SET private_jwk = left(private_jwk, -4) || 'AAAA'`);

    await expect(replica([testKey(), world.key])).rejects.toThrow('IamModule option `keys`');

    await world.dataSource.query('UPDATE iam.signing_keys SET private_jwk = $1', [kept]);
  });

  it('does not keep a host from starting before the migrations have run', async () => {
    await world.dataSource.query('ALTER TABLE iam.signing_keys RENAME TO signing_keys_later');

    const started = await replica([world.key]);
    await world.dataSource.query('ALTER TABLE iam.signing_keys_later RENAME TO signing_keys');

    expect(await statusAt(started, await tokenFrom(world))).toBe(200);
  });

  it('is one, however many replicas start together without any', async () => {
    await world.dataSource.query('DELETE FROM iam.signing_keys');

    const replicas = await Promise.all(Array.from({ length: 4 }, () => replica([world.key])));
    const tokens = await Promise.all(replicas.map(tokenFrom));

    const { kid } = (await rowsOf(world.dataSource, 'SELECT kid FROM iam.signing_keys'))[0] ?? {};
    expect(tokens.map((token) => decodeProtectedHeader(token).kid)).toEqual([kid, kid, kid, kid]);
    expect(await valueOf(world.dataSource, 'SELECT count(*)::int FROM iam.signing_keys')).toBe(1);
  });
});
