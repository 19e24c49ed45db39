import { createHash } from 'node:crypto';
import { Reencryption } from '../../src/keys/reencryption.service.js';
import { AdminClient, adminOptions } from '../support/admin.js';
import {
  type IamApp,
  redirectUri,
  startIamApp,
  startReplica,
  startWorld,
  testKey,
  type World,
} from '../support/iam-app.js';
import { PcBrowser } from '../support/pc-browser.js';
import { rowsOf } from '../support/rows.js';
import {
  type ApprovedOnPc,
  approveOnPc,
  redeem,
  returnFromPc,
  signInOnPc,
  toTokens,
} from '../support/sign-in.js';
import { refresh } from '../support/signed-in.js';

/** The id of a host's key, as a sealed text shows it. */
const idOf = (key: string) =>
  createHash('sha256').update(Buffer.from(key, 'base64')).digest('hex').slice(0, 8);

describe('sealing everything anew', () => {
  let world: World;
  /** In the order in which they come into use; the world itself stays at the first and knows the others. */
  const [oldKey = '', newKey = '', thirdKey = '', latest = ''] = Array.from({ length: 4 }, testKey);
  const hosts: IamApp[] = [];

  beforeAll(async () => {
    const keys = [oldKey, newKey, thirdKey, latest];
    world = await startWorld({ options: { ...adminOptions, keys } });
  });
  afterEach(async () => {
    for (const host of hosts.splice(0)) await host.close();
  });
  afterAll(() => world.close());

  /** A host of its own address, so that no replica with another first key has a part in its sign-ins. */
  const start = async (keys: readonly string[]) => {
    const { endpoints } = world.wechat;
    const host = await startIamApp({
      databaseUrl: world.database.url,
      endpoints,
      options: { ...adminOptions, keys },
    });
    hosts.push(host);
    return host;
  };
  const person = () => world.wechat.person({ nickname: '封' });
  const signInAt = async ({ url }: IamApp) =>
    redeem(url, await returnFromPc({ url, wechat: world.wechat }, person()));
  /** The keys whose seals are stored, by column. */
  const sealedBy = async () => {
    const [row = {}] = await rowsOf(
      world.dataSource,
      `SELECT split_part(open_app_secret, ':', 3) AS open, split_part(mp_app_secret, ':', 3) AS mp,
              (SELECT split_part(private_jwk, ':', 3) || ',' || split_part(rs256_private_jwk, ':', 3) FROM iam.signing_keys) AS signing
       FROM iam.identity_providers WHERE slug = 'wechat'`,
    );
    return row;
  };
  const resealed = () =>
    rowsOf(
      world.dataSource,
      `SELECT detail - 'kid' AS detail, actor FROM iam.audit_log WHERE action = 'key.resealed' ORDER BY id`,
    );
  const all = (key: string) => ({ open: idOf(key), mp: idOf(key), signing: `${idOf(key)},${idOf(key)}` });

  it('shows first what the old key holds, and then lets it go: nobody who came meanwhile is signed out', async () => {
    const rotating = await start([oldKey, newKey]);
    const admin = new AdminClient(rotating.url);
    await new PcBrowser().visit(`${rotating.url}/iam/jwks`);
    const before = (await admin.get('keys')).json()['sealing_keys'];
    const sealing = await start([newKey, oldKey]);

    const report = await new AdminClient(sealing.url).post('keys/reseal');
    const after = (await new AdminClient(sealing.url).get('keys')).json()['sealing_keys'];
    const tokens = toTokens(await signInAt(sealing));
    const retired = await start([newKey]);

    expect(before).toEqual([
      {
        key_id: idOf(oldKey),
        is_configured: true,
        is_current: true,
        provider_secrets: 2,
        signing_keys: 2,
        session_keys: 0,
        subject_secrets: 0,
      },
      {
        key_id: idOf(newKey),
        is_configured: true,
        is_current: false,
        provider_secrets: 0,
        signing_keys: 0,
        session_keys: 0,
        subject_secrets: 0,
      },
    ]);
    expect(report.json()).toEqual({
      provider_secrets: 2,
      signing_keys: 0,
      session_keys: 0,
      subject_secrets: 0,
      left: 0,
    });
    expect(after).toEqual([
      {
        key_id: idOf(newKey),
        is_configured: true,
        is_current: true,
        provider_secrets: 2,
        signing_keys: 2,
        session_keys: 0,
        subject_secrets: 0,
      },
      {
        key_id: idOf(oldKey),
        is_configured: true,
        is_current: false,
        provider_secrets: 0,
        signing_keys: 0,
        session_keys: 0,
        subject_secrets: 0,
      },
    ]);
    expect(await sealedBy()).toEqual(all(newKey));
    expect((await refresh(retired.url, tokens.refreshToken)).status).toBe(200);
    expect((await signInAt(retired)).status).toBe(200);
    expect(await resealed()).toEqual([
      { actor: 'admin_token', detail: { provider: 'wechat', count: 2, keyId: idOf(newKey) } },
    ]);
  });

  it('leaves refresh tokens to their holders: who has not come since needs the old key, or signs in again', async () => {
    const early = await signInOnPc(world, person());
    const late = await signInOnPc(world, person());
    const both = await start([newKey, oldKey]);
    await both.app.get(Reencryption).run();

    const renewed = toTokens(await refresh(both.url, early.refreshToken));
    const retired = await start([newKey]);

    expect((await refresh(retired.url, renewed.refreshToken)).status).toBe(200);
    expect((await refresh(retired.url, late.refreshToken)).json()['error']).toBe('invalid_grant');
    expect((await refresh(both.url, late.refreshToken)).status).toBe(200);
  });

  it('tells how far it is, and what it cannot open', async () => {
    await world.saveProvider({ slug: 'lost', open_app_id: 'wxlost', open_app_secret: 'a-secret' });
    await world.dataSource.query(
      `UPDATE iam.identity_providers SET open_app_secret = replace(open_app_secret, $1, 'ffffffff') WHERE slug = 'lost'`,
      [idOf(oldKey)],
    );
    const sealing = await start([thirdKey, newKey, oldKey]);
    const progress: unknown[] = [];

    const report = await sealing.app.get(Reencryption).run((each) => progress.push(each));

    expect(progress).toEqual([1, 2, 3, 4].map((done) => ({ done, total: 4 })));
    expect(report).toMatchObject({ provider_secrets: 2, left: 1 });
    await world.dataSource.query(`DELETE FROM iam.identity_providers WHERE slug = 'lost'`);
  });

  it('loses no change that an administrator makes meanwhile, nor one of two runs at once', async () => {
    const sealing = await start([latest, thirdKey, newKey, oldKey]);
    const secrets = Array.from({ length: 20 }, (_, index) => `secret-${index}`);

    await Promise.all([
      sealing.app.get(Reencryption).run(),
      sealing.app.get(Reencryption).run(),
      ...secrets.map((secret, index) =>
        world.saveProvider({ slug: `row-${index}`, open_app_id: 'wxrow', open_app_secret: secret }),
      ),
    ]);
    const { left } = await sealing.app.get(Reencryption).run();

    expect(left).toBe(0);
    const retired = await start([latest]);
    expect((await signInAt(retired)).status).toBe(200);
    expect(
      await rowsOf(
        world.dataSource,
        `SELECT count(*)::int AS rows FROM iam.identity_providers WHERE slug LIKE 'row-%' AND open_app_secret LIKE $1`,
        [`sealed:v1:${idOf(latest)}:%`],
      ),
    ).toEqual([{ rows: 20 }]);
  });
});

describe('a host that replaces its key', () => {
  let world: World;
  const newKey = testKey();
  const replicas: IamApp[] = [];

  beforeAll(async () => {
    world = await startWorld();
  });
  afterAll(async () => {
    for (const replica of replicas) await replica.close();
    await world.close();
  });

  const start = async (keys: readonly string[]) => {
    const replica = await startReplica(world, { options: { keys } });
    replicas.push(replica);
    return replica;
  };
  const person = () => world.wechat.person({ nickname: '换钥' });
  const finishAt = async ({ url }: IamApp, { browser, callback, verifier }: ApprovedOnPc) => {
    const returned = await browser.visit(`${url}${callback.pathname}${callback.search}`);
    return redeem(url, { browser, returned, verifier }, { redirect_uri: redirectUri(world.url) });
  };
  const secrets = async () =>
    rowsOf(world.dataSource, 'SELECT open_app_secret, mp_app_secret FROM iam.identity_providers');

  it('loses no sign-in and no session that began under the old one', async () => {
    const started = await approveOnPc(world, person());
    const returned = await returnFromPc(world, person());
    const { refreshToken } = toTokens(await redeem(world.url, await returnFromPc(world, person())));

    const rotating = await start([newKey, world.key]);

    expect((await finishAt(rotating, started)).status).toBe(200);
    expect((await redeem(rotating.url, returned, { redirect_uri: redirectUri(world.url) })).status).toBe(200);
    expect((await refresh(rotating.url, refreshToken)).status).toBe(200);
  });

  it('retires the old one once everything sealed has been sealed anew', async () => {
    const rotating = await start([newKey, world.key]);
    await new PcBrowser().visit(`${rotating.url}/iam/providers`);
    const keyId = createHash('sha256').update(Buffer.from(newKey, 'base64')).digest('hex').slice(0, 8);

    const retired = await start([newKey]);
    const providers = await new PcBrowser().visit(`${retired.url}/iam/providers`);

    const sealedAnew = expect.stringMatching(`^sealed:v1:${keyId}:`) as string;
    expect(await secrets()).toEqual([{ open_app_secret: sealedAnew, mp_app_secret: sealedAnew }]);
    expect(providers.json()['providers']).toMatchObject([{ slug: 'wechat', problem: null }]);
  });

  it('keeps the other providers when a secret of one does not open', async () => {
    await world.saveProvider({
      slug: 'broken',
      open_app_id: world.site.appid,
      open_app_secret: world.site.secret,
    });
    await world.dataSource.query(
      `UPDATE iam.identity_providers SET open_app_secret = left(open_app_secret, -4) || 'AAAA' WHERE slug = 'broken'`,
    );
    const rotating = await start([testKey(), newKey, world.key]);

    const providers = await new PcBrowser().visit(`${rotating.url}/iam/providers`);

    expect(providers.json()['providers']).toMatchObject([{ slug: 'wechat' }]);
  });
});
