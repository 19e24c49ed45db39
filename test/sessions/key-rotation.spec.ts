import { createHash } from 'node:crypto';
import {
  redirectUri,
  startReplica,
  startWorld,
  testKey,
  type IamApp,
  type World,
} from '../support/iam-app.js';
import { PcBrowser } from '../support/pc-browser.js';
import { rowsOf } from '../support/rows.js';
import { approveOnPc, redeem, returnFromPc, toTokens, type ApprovedOnPc } from '../support/sign-in.js';
import { refresh } from '../support/signed-in.js';

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
