import { WechatEmulator } from '../../emulator/index.js';
import { startIamApp, testKey, type IamApp } from '../support/iam-app.js';
import { getWith } from '../support/sign-in.js';
import { onPc, refresh } from '../support/signed-in.js';
import { recordOf, startOperator, type Operator } from './support/operator.js';

describe('nestjs-wechat-iam keys', () => {
  let wechat: WechatEmulator;
  let operator: Operator;
  let iam: IamApp;

  beforeEach(async () => {
    wechat = await WechatEmulator.start();
    const site = wechat.openPlatformAccount().websiteApp({ callbackDomain: 'localhost' });
    operator = await startOperator();
    await operator.json(
      ['provider', 'add', 'wechat', '--open-app-id', site.appid, '--open-app-secret-from', '-'],
      {
        input: site.secret,
      },
    );
    iam = await start(operator.key);
  });
  afterEach(async () => {
    await iam.close();
    await wechat.stop();
    await operator.close();
  });

  const start = (key: string) =>
    startIamApp({ databaseUrl: operator.database.url, endpoints: wechat.endpoints, key });
  const signingKeys = async () => {
    const { signing_keys: keys } = await operator.json(['keys', 'list']);
    return Array.isArray(keys) ? keys.map(recordOf) : [];
  };

  it('publishes a new signing key that waits, and signs nobody out', async () => {
    const { accessToken, refreshToken } = await onPc(
      { url: iam.url, wechat },
      wechat.person({ nickname: '钥' }),
    );

    const rotated = await operator.json(['keys', 'rotate', '--activate-in', '30']);

    expect(rotated).toMatchObject({ state: 'next', is_new: true });
    expect(await operator.json(['keys', 'rotate'])).toMatchObject({ kid: rotated['kid'], is_new: false });
    const keys = await signingKeys();
    expect(keys.map(({ state }) => state)).toEqual(['next', 'signing']);
    expect((await getWith(`${iam.url}/iam/me`, accessToken)).status).toBe(200);
    expect((await refresh(iam.url, refreshToken)).status).toBe(200);
    expect((await operator.run(['keys', 'list'])).stdout).toContain(String(rotated['kid']));
  });

  it('keeps the old key for the longest life that an access token can have', async () => {
    await operator.json(['keys', 'rotate', '--activate-in', '0']);

    const [, old] = await signingKeys();

    const rest = Date.parse(String(old?.['retires_at'])) - Date.now();
    expect(rest).toBeGreaterThan(3_600_000);
    expect((await operator.run(['keys', 'rotate', '--activate-in', '-1'])).exitCode).toBe(2);
    expect((await operator.run(['keys', 'rotate', '--activate-in', '604801'])).exitCode).toBe(2);
  });

  it('seals everything anew, tells how far it is, and leaves the old key with nothing', async () => {
    const next = testKey();
    const both = { variables: { IAM_KEYS: `${next},${operator.key}` } };

    const { exitCode, stdout, stderr } = await operator.run(['keys', 'reseal'], both);

    expect([exitCode, stderr]).toEqual([0, '2 of 2\n']);
    expect(stdout).toContain('Sealed anew: 1 provider secrets, 1 signing keys.');
    const { sealing_keys: sealing } = await operator.json(['keys', 'list'], both);
    expect(sealing).toMatchObject([
      { is_current: true, provider_secrets: 1, signing_keys: 1 },
      { is_current: false, provider_secrets: 0, signing_keys: 0 },
    ]);
    const renewed = await start(next);
    await onPc({ url: renewed.url, wechat }, wechat.person({ nickname: '封' }));
    await renewed.close();
    const again = await operator.run(['keys', 'reseal', '--json'], { variables: { IAM_KEYS: next } });
    expect(again).toMatchObject({ exitCode: 0, stderr: '2 of 2\n' });
    expect(again.json()).toEqual({ provider_secrets: 0, signing_keys: 0, left: 0 });
  });

  it('says what a lost key leaves behind', async () => {
    const lost = testKey();
    await operator.json(['provider', 'add', 'old', '--mp-token-from', '-'], {
      input: 'TheToken',
      variables: { IAM_KEYS: `${lost},${operator.key}` },
    });

    const { exitCode, stdout } = await operator.run(['keys', 'reseal']);

    expect(exitCode).toBe(1);
    expect(stdout).toContain('1 are left that IAM_KEYS does not open');
  });

  it('shows no key', async () => {
    const outputs = [await operator.run(['keys', 'list']), await operator.run(['keys', 'list', '--json'])];

    for (const { stdout } of outputs) {
      expect(stdout).not.toContain(operator.key);
      expect(stdout).not.toMatch(/sealed:|"d":/);
    }
  });
});
