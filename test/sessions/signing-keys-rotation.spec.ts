import { setTimeout as delay } from 'node:timers/promises';
import { decodeProtectedHeader } from 'jose';
import { Cleanup } from '../../src/privacy/cleanup.service.js';
import { KeyRotation } from '../../src/sessions/key-rotation.service.js';
import { SigningKeys } from '../../src/sessions/signing-keys.service.js';
import { AdminClient, adminOptions, adminWithPermissions } from '../support/admin.js';
import { FakeClock } from '../support/fake-clock.js';
import { startReplica, startWorld, type IamApp, type World } from '../support/iam-app.js';
import { PcBrowser } from '../support/pc-browser.js';
import { countQueries } from '../support/query-counter.js';
import { rowsOf, valueOf } from '../support/rows.js';
import { getWith, signInOnPc, toTokens } from '../support/sign-in.js';
import { refresh } from '../support/signed-in.js';

describe('a signing key that is replaced', () => {
  let world: World;
  let replica: IamApp;
  let admin: AdminClient;
  let refreshToken: string;
  const clock = new FakeClock();

  beforeAll(async () => {
    world = await startWorld({ clock, options: adminOptions });
    replica = await startReplica(world, { clock, options: adminOptions });
    admin = new AdminClient(world.url);
    ({ refreshToken } = await signInOnPc(world, world.wechat.person({ nickname: '轮' })));
  });
  afterAll(async () => {
    await replica.close();
    await world.close();
  });

  /** A fresh access token, signed by this host. */
  const tokenFrom = async ({ url }: IamApp): Promise<string> => {
    const tokens = toTokens(await refresh(url, refreshToken));
    ({ refreshToken } = tokens);
    return tokens.accessToken;
  };
  const kidOf = (token: string) => decodeProtectedHeader(token).kid;
  const statusesOf = async (token: string) =>
    Promise.all([world, replica].map(async ({ url }) => (await getWith(`${url}/iam/me`, token)).status));
  const publishedBy = async ({ url }: IamApp, algorithm = 'ES256') => {
    const { keys } = (await new PcBrowser().visit(`${url}/iam/jwks`)).json();
    const published = Array.isArray(keys) ? (keys as { kid: string; alg: string }[]) : [];
    return published.filter(({ alg }) => alg === algorithm).map(({ kid }) => kid);
  };
  const keys = () =>
    rowsOf(
      world.dataSource,
      `SELECT kid, rs256_kid, generation, retires_at, active_at,
              extract(epoch FROM retires_at - lead(active_at) OVER (ORDER BY generation))::int AS overlap
       FROM iam.signing_keys ORDER BY generation`,
    );
  const newestKid = async () => (await keys()).at(-1)?.['kid'];
  const actions = async (action: string) =>
    valueOf(world.dataSource, 'SELECT count(*)::int FROM iam.audit_log WHERE action = $1', [action]);
  /** What both replicas do by themselves every 30 seconds. */
  const reloadBoth = () => Promise.all([world, replica].map(({ app }) => app.get(SigningKeys).reload()));
  const letTheNextSign = async () => {
    await world.dataSource.query('UPDATE iam.signing_keys SET active_at = now() WHERE active_at > now()');
    await reloadBoth();
  };

  it('gets an RSA pair when its keys are first asked for: one, however many replicas are asked', async () => {
    const before = await keys();
    const token = await tokenFrom(world);

    const published = await Promise.all(
      [world, replica, world, replica].map((host) => publishedBy(host, 'RS256')),
    );

    const after = await keys();
    expect(before.map(({ rs256_kid }) => rs256_kid)).toEqual([null]);
    expect(await statusesOf(token)).toEqual([200, 200]);
    expect(published).toEqual(Array(4).fill([after[0]?.['rs256_kid']]));
    expect((await admin.get('keys')).json()['signing_keys']).toMatchObject([
      { rs256_kid: published[0]?.[0] },
    ]);
  });

  it('has a successor in the JWKS at once, which signs only after everybody can know it', async () => {
    const old = await tokenFrom(world);

    const rotated = await admin.post('keys/rotate');
    const early = await tokenFrom(world);
    await reloadBoth();
    const late = await tokenFrom(replica);

    expect(rotated.status).toBe(200);
    expect(rotated.json()).toMatchObject({ state: 'next', is_new: true, kid: await newestKid() });
    const wait = Date.parse(String(rotated.json()['active_at'])) - Date.now();
    expect(wait).toBeGreaterThan(590_000);
    expect([kidOf(early), kidOf(late)]).toEqual([kidOf(old), kidOf(old)]);
    for (const host of [world, replica]) {
      expect(await publishedBy(host)).toEqual([kidOf(old), await newestKid()]);
      expect(await publishedBy(host, 'RS256')).toHaveLength(2);
    }
    expect(await actions('key.rotated')).toBe(1);
  });

  it('is known to everybody who had the keys read again, also where others do so at the same time', async () => {
    await letTheNextSign();
    await replica.app.get(KeyRotation).rotate();
    const newest = String(await newestKid());
    const known = world.app.get(SigningKeys);

    const before = known.isKnown(newest);
    const afterEach = await Promise.all(
      Array.from({ length: 3 }, () => known.reload().then(() => known.isKnown(newest))),
    );

    expect([before, afterEach]).toEqual([false, [true, true, true]]);
  });

  it('verifies for as long as its last token may live, while the successor signs', async () => {
    const old = await tokenFrom(world);
    await letTheNextSign();

    const fresh = [await tokenFrom(world), await tokenFrom(replica)];

    expect(fresh.map(kidOf)).toEqual([await newestKid(), await newestKid()]);
    for (const token of [old, ...fresh]) expect(await statusesOf(token)).toEqual([200, 200]);
    const [before, newest] = (await keys()).slice(-2);
    expect(newest).toMatchObject({ retires_at: null });
    expect(before?.['retires_at']).not.toBeNull();
  });

  it('retires one token life, the skew and two reloads after its successor begins to sign', async () => {
    await admin.post('keys/rotate', { activate_in: 3600 });

    const [before] = (await keys()).slice(-2);

    expect(before).toMatchObject({ overlap: 900 + 60 + 60 });
    await letTheNextSign();
  });

  it('goes with the clean-up once it has retired, and with it what it signed', async () => {
    const token = await tokenFrom(world);
    await admin.post('keys/rotate', { activate_in: 0 });
    await world.dataSource.query(
      `UPDATE iam.signing_keys SET retires_at = now() - interval '1 second' WHERE retires_at IS NOT NULL`,
    );

    await world.app.get(Cleanup).removeExpired();
    await reloadBoth();

    expect(await keys()).toHaveLength(1);
    expect(await publishedBy(replica)).toEqual([await newestKid()]);
    expect(await statusesOf(token)).toEqual([401, 401]);
  });

  it('gets one successor when two administrators rotate at once, on two replicas', async () => {
    const before = (await keys()).length;
    const clients = [world, replica, world, replica].map(({ url }) => new AdminClient(url));

    const replies = await Promise.all(clients.map((client) => client.post('keys/rotate')));
    const again = await admin.post('keys/rotate');

    expect(replies.map(({ status }) => status)).toEqual([200, 200, 200, 200]);
    expect(replies.filter((reply) => reply.json()['is_new'] === true)).toHaveLength(1);
    expect(again.json()).toMatchObject({ is_new: false, kid: await newestKid() });
    expect(await keys()).toHaveLength(before + 1);
  });

  it('gets one successor when both want it to sign at once', async () => {
    await letTheNextSign();
    const before = (await keys()).length;

    const rotations = await Promise.all(
      [world, replica, world].map(({ app }) => app.get(KeyRotation).rotate(0)),
    );

    expect(rotations.filter(({ isNew }) => isNew)).toHaveLength(1);
    expect(await keys()).toHaveLength(before + 1);
  });

  it('in an emergency makes the waiting one sign at once', async () => {
    await admin.post('keys/rotate');
    const before = (await keys()).length;

    const urgent = await admin.post('keys/rotate', { activate_in: 0 });

    expect(urgent.json()).toMatchObject({ is_new: false, state: 'signing', kid: await newestKid() });
    expect(await keys()).toHaveLength(before);
    expect(kidOf(await tokenFrom(world))).toBe(await newestKid());
  });

  it('is looked for in the database by all that ask at once for one that a replica does not know', async () => {
    await reloadBoth();
    const fresh = await admin.post('keys/rotate', { activate_in: 0 });
    const token = await tokenFrom(world);
    clock.advance(11);

    const here = await Promise.all(
      Array.from({ length: 4 }, async () => (await getWith(`${replica.url}/iam/me`, token)).status),
    );

    expect(fresh.json()).toMatchObject({ is_new: true, kid: kidOf(token) });
    expect(here).toEqual([200, 200, 200, 200]);
  });

  it('is dropped when somebody else may have it: its tokens die, another signs at once', async () => {
    const token = await tokenFrom(world);
    await statusesOf(token);

    const reply = await admin.delete(`keys/${String(kidOf(token))}`);
    const here = await getWith(`${world.url}/iam/me`, token);
    await reloadBoth();

    expect(reply.status).toBe(204);
    expect(here.status).toBe(401);
    expect(await statusesOf(token)).toEqual([401, 401]);
    const next = await tokenFrom(replica);
    expect(kidOf(next)).toBe(await newestKid());
    expect(await statusesOf(next)).toEqual([200, 200]);
    expect(await actions('key.revoked')).toBe(1);
  });

  it('stays in office when the one that waits is dropped', async () => {
    const kid = kidOf(await tokenFrom(world));
    const { kid: next } = (await admin.post('keys/rotate')).json();

    await admin.delete(`keys/${String(next)}`);

    expect((await keys()).at(-1)).toMatchObject({ kid, retires_at: null });
    expect(kidOf(await tokenFrom(world))).toBe(kid);
  });

  it('goes with the RSA pair of its generation, by whose name it is dropped too', async () => {
    const token = await tokenFrom(world);
    const [rs256 = ''] = (await publishedBy(world, 'RS256')).slice(-1);

    const reply = await admin.delete(`keys/${rs256}`);
    await reloadBoth();

    expect(reply.status).toBe(204);
    expect(await statusesOf(token)).toEqual([401, 401]);
    expect(await publishedBy(replica, 'RS256')).not.toContain(rs256);
  });

  it('is not found under another name', async () => {
    const reply = await admin.delete('keys/nothing');

    expect([reply.status, reply.code]).toEqual([404, 'not_found']);
  });

  it('is shown to whom may see it and replaced by whom may write', async () => {
    const reader = await adminWithPermissions(world, 'iam:keys:read');

    const listed = await reader.get('keys');
    const refused = [
      await reader.post('keys/rotate'),
      await reader.post('keys/reseal'),
      await reader.delete(`keys/${String(await newestKid())}`),
    ];

    expect(listed.json()['signing_keys']).toContainEqual(
      expect.objectContaining({ kid: await newestKid(), state: 'signing', retires_at: null }),
    );
    expect(listed.text).not.toMatch(/"d"|private|sealed:/);
    expect(refused.map(({ status }) => status)).toEqual([403, 403, 403]);
  });

  it('costs no request a query, however many unknown key ids are tried', async () => {
    const token = await tokenFrom(world);
    const [head = '', ...rest] = token.split('.');
    const header = JSON.parse(Buffer.from(head, 'base64url').toString()) as Record<string, unknown>;
    const withKid = (kid: string) =>
      [Buffer.from(JSON.stringify({ ...header, kid })).toString('base64url'), ...rest].join('.');
    clock.advance(11);
    const queries = countQueries(world.database.url);

    for (let index = 0; index < 300; index += 1)
      await getWith(`${world.url}/iam/me`, withKid(`unknown-${index}`));
    const reads = queries.since(0).filter((sql) => sql.includes('signing_keys'));
    queries.stop();

    expect(reads).toHaveLength(1);
  });

  it('refuses nobody while it is replaced again and again under load', async () => {
    const people = await Promise.all(
      Array.from({ length: 4 }, () => signInOnPc(world, world.wechat.person({ nickname: '忙' }))),
    );
    const failures: string[] = [];
    const signedBy = new Set<unknown>();
    let isOver = false;
    const work = async (start: string, index: number): Promise<void> => {
      let token = start;
      for (let turn = index; !isOver; turn += 1) {
        const reply = await refresh((turn % 2 === 0 ? world : replica).url, token);
        if (reply.status !== 200) failures.push(`refresh ${reply.status}`);
        const tokens = toTokens(reply);
        token = tokens.refreshToken;
        signedBy.add(kidOf(tokens.accessToken));
        for (const status of await statusesOf(tokens.accessToken))
          if (status !== 200) failures.push(`verify ${status}`);
        await delay(10);
      }
    };
    const working = Promise.all(people.map(({ refreshToken: start }, index) => work(start, index)));

    for (const host of [world, replica, world]) {
      await host.app.get(KeyRotation).rotate(1);
      await reloadBoth();
      await delay(1_100);
      await reloadBoth();
      await delay(200);
    }
    isOver = true;
    await working;

    expect(failures).toEqual([]);
    expect(signedBy.size).toBe(4);
  }, 60_000);
});
