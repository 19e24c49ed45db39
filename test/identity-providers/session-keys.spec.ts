import { createCipheriv } from 'node:crypto';
import type { Person } from '../../emulator/index.js';
import { z } from 'zod';
import { encryptData } from '../../emulator/mini/encrypted-data.js';
import { IamError, WechatApi } from '../../src/index.js';
import { Secret } from '../../src/crypto/secret.js';
import { Reencryption } from '../../src/keys/reencryption.service.js';
import { Cleanup } from '../../src/privacy/cleanup.service.js';
import { openEncryptedData, signWithSession } from '../../src/wechat/mini-session.js';
import { loadExample } from '../docs/load-example.js';
import { exampleOf } from '../docs/pages.js';
import { addApps, type Apps, callMe, handIn, inApp, itemsOf } from '../support/account.js';
import { type IamApp, startReplica, testKey } from '../support/iam-app.js';
import { countQueries, isHousekeeping } from '../support/query-counter.js';
import { rowsOf, valueOf } from '../support/rows.js';
import { signInOnPc, type Tokens } from '../support/sign-in.js';
import { until } from '../support/until.js';
import {
  eventFields,
  post,
  sealed as push,
  startWebhookWorld,
  type WebhookWorld,
} from '../support/webhook.js';

const codeOfThrown = (work: () => unknown): unknown => {
  try {
    return work();
  } catch (error) {
    return error instanceof IamError ? error.code : error;
  }
};

interface GuideExample {
  open(userId: string, sent: { encryptedData: string; iv: string }): Promise<unknown>;
  keysOf(userId: string): Promise<unknown>;
}
const isMiniData = z.custom<new (wechat: WechatApi) => GuideExample>((value) => typeof value === 'function');

const codeOf = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => 'it succeeded',
    (error: unknown) => (error instanceof IamError ? error.code : error),
  );

describe('the vectors of the protocol', () => {
  const key = new Secret('ABEiM0RVZneImaq7zN3u/w==');
  const appid = 'wx4f4bc4dec97d474b';
  const iv = 'Dw4NDAsKCQgHBgUEAwIBAA==';
  const encryptedData =
    'hJpscKwdk5C+8M4/fRzS8D/KalF5RwqKl9mn8WNziyY5d+ilYRPvZpDhRV4z/ohJUlzKy6pKe1WpDUrQFQ9ID0VBZO+SjJbCYALjFhJ60q0wnsUBWfZqJDKuoVegWvHDfO8IyuWLvCcbNWNloqnXjS/aEp02SsU1HNIgsH/PCvbauvqQHEC3bSvMVER92ENPCGI7n+laoWdRRuWWxRf2Exe1ZVRjtHwcx0rlqmsXJmuN3oRlYFzXK/dnCOzpmkkN4sSDBujK8AxiPMrC3NSPOP/FDSEWEbp3cCeMaJ3hPhonkgKWCqHrlEjUktuQWcOcgDCXfxwiWbxFPJDoW/rCXUgSbTXB8SRDRRnQJBf34CI=';

  it('are signed and opened', () => {
    const body = '{"openid": "xxx", "user_ip": "127.0.0.1", "env": 0}';

    expect(signWithSession(key, '')).toBe('cb4ddd2bfeb25111be82a9e5d42e49c7da1f2ecb281cb3f8c188dbb12d9c0798');
    expect(signWithSession(new Secret('9hAb/NEYUlkaMBEsmFgzig=='), body)).toMatch(/^089d9e8d\w{51}2f6c7$/);
    expect(openEncryptedData({ encryptedData, iv }, key, appid)).toMatchObject({
      openId: 'oGZUI0egBJY1zhBYw2KhdUfwVJJE',
      nickName: '微信用户',
      watermark: { appid },
    });
  });

  const sealed = (text: string) => encryptData(text, key.reveal(), iv);
  const withoutPadding = () => {
    const cipher = createCipheriv(
      'aes-128-cbc',
      Buffer.from(key.reveal(), 'base64'),
      Buffer.from(iv, 'base64'),
    );
    cipher.setAutoPadding(false);
    return Buffer.concat([cipher.update('{"watermark":{}}'), cipher.final()]).toString('base64');
  };

  it.each([
    ['the iv of other data', { iv: 'AAAAAAAAAAAAAAAAAAAAAA==' }, 'session_key_stale'],
    ['a short iv', { iv: 'AAAA' }, 'invalid_request'],
    ['an iv that is no base64', { iv: 'Dw4NDAsKCQgHBgUEAwIBA!==' }, 'invalid_request'],
    ['data without its last byte', { encryptedData: cut(encryptedData, 1) }, 'invalid_request'],
    ['data without its last block', { encryptedData: cut(encryptedData, 16) }, 'session_key_stale'],
    ['no data', { encryptedData: '' }, 'invalid_request'],
    ['data without padding', { encryptedData: withoutPadding() }, 'session_key_stale'],
    ['text that is no JSON', { encryptedData: sealed('{') }, 'session_key_stale'],
    ['data without a watermark', { encryptedData: sealed('{"openId":"o"}') }, 'session_key_stale'],
    ['the data of another mini program', { appid: 'wx0000000000000000' }, 'invalid_request'],
    ['data under another key', { key: 'AAAAAAAAAAAAAAAAAAAAAA==' }, 'session_key_stale'],
    ['a key of another length', { key: 'AAAA' }, 'session_key_stale'],
  ])('are refused with %s', (_what, changes: Partial<Record<string, string>>, code) => {
    const data = { encryptedData, iv, ...changes };
    const open = () =>
      openEncryptedData(data, new Secret(changes['key'] ?? key.reveal()), changes['appid'] ?? appid);

    expect(codeOfThrown(open)).toBe(code);
  });
});

function cut(data: string, bytes: number): string {
  return Buffer.from(data, 'base64').subarray(0, -bytes).toString('base64');
}

describe('session keys of a mini program', () => {
  let world: WebhookWorld;
  let apps: Apps;
  const replicas: IamApp[] = [];

  beforeAll(async () => {
    world = await startWebhookWorld();
    apps = await addApps(world);
    await world.saveProvider({ mini_session_keys: true });
  });
  afterEach(async () => {
    world.wechat.clearFaults();
    for (const replica of replicas.splice(0)) await replica.close();
  });
  afterAll(() => world.close());

  const api = (app: Pick<IamApp, 'app'> = world) => app.app.get(WechatApi);
  const start = async (keys: readonly string[]) => {
    const replica = await startReplica(world, { options: { keys } });
    replicas.push(replica);
    return replica;
  };
  const userOf = async (tokens: Tokens) => ({
    provider: 'wechat',
    userId: String((await callMe(world, tokens, '')).json()['id']),
  });
  const signedIn = async (person: Person = world.wechat.person({ nickname: '钥' })) => {
    const tokens = await inApp(world, person, apps, 'mini');
    return { person, tokens, of: await userOf(tokens) };
  };
  const rowOf = (person: Person) =>
    rowsOf(world.dataSource, 'SELECT session_key FROM iam.mini_session_keys WHERE openid = $1', [
      person.openid(apps.mini),
    ]);

  it('sign, decrypt and are checked, on every replica, and nobody reads them', async () => {
    const { person, of } = await signedIn();
    const replica = await start([world.key]);

    const signature = await api(replica).sign(of);
    const { encryptedData, iv } = person.encryptedProfile(apps.mini);
    const opened = await api(replica).decrypt({ ...of, encryptedData, iv });
    const isValid = await api(replica).checkSession({ provider: 'wechat', openid: person.openid(apps.mini) });
    const [row] = await rowOf(person);

    expect(signature).toEqual({
      openid: person.openid(apps.mini),
      signature: world.wechat.calls('/wxa/checksession').at(-1)?.query['signature'],
      sig_method: 'hmac_sha256',
    });
    expect(opened).toMatchObject({ openId: person.openid(apps.mini), nickName: '钥' });
    expect(isValid).toBe(true);
    expect(row?.['session_key']).toMatch(/^sealed:v1:[0-9a-f]{8}:/);
  });

  it('serve the example of the guide', async () => {
    const { person, of } = await signedIn();
    const example = await loadExample(exampleOf('docs/guides/calling-wechat.md', 'wechat-api-session'));
    const data = new (isMiniData.parse(example['MiniData']))(api());
    const path = '/wxa/business/getuserencryptkey';
    world.wechat.once(path, { body: '{"errcode":0,"key_info_list":[]}' });

    const opened = await data.open(of.userId, person.encryptedProfile(apps.mini));
    const keys = await data.keysOf(of.userId);

    expect(opened).toMatchObject({ openId: person.openid(apps.mini) });
    expect(keys).toMatchObject({ key_info_list: [] });
    expect(world.wechat.calls(path).at(-1)?.query).toMatchObject(await api().sign(of));
  });

  it('cost a sign-in no statement more', async () => {
    const costOf = async (person: Person) => {
      const code = person.wxLogin(apps.mini);
      const queries = countQueries(world.database.url);
      const before = queries.mark();
      await handIn(world, 'mini', code);
      queries.stop();
      return queries.since(before).filter((text) => !isHousekeeping(text)).length;
    };
    const [known, unknown] = [
      world.wechat.person({ nickname: '一' }),
      world.wechat.person({ nickname: '二' }),
    ];
    const first = await costOf(known);
    const again = await costOf(known);
    await world.saveProvider({ mini_session_keys: false });
    const without = [await costOf(unknown), await costOf(unknown)];
    await world.saveProvider({ mini_session_keys: true });

    expect([first, again]).toEqual(without);
    expect(await rowOf(unknown)).toEqual([]);
  });

  it('are replaced at each sign-in, and go stale when the person signs in elsewhere', async () => {
    const { person, of } = await signedIn();
    const old = person.encryptedProfile(apps.mini);
    await signedIn(person);

    const beforeOf = await codeOf(api().decrypt({ ...of, ...old }));
    const current = await api().decrypt({ ...of, ...person.encryptedProfile(apps.mini) });
    person.wxLogin(apps.mini);
    const stale = await codeOf(api().decrypt({ ...of, ...person.encryptedProfile(apps.mini) }));

    expect([beforeOf, stale]).toEqual(['session_key_stale', 'session_key_stale']);
    expect(current).toMatchObject({ openId: person.openid(apps.mini) });
    expect(await api().checkSession(of)).toBe(false);
  });

  it('are not replaced by that of a sign-in that began earlier', async () => {
    const { person } = await signedIn();
    await world.dataSource.query(
      `UPDATE iam.mini_session_keys SET claimed_at = now() + interval '1 minute' WHERE openid = $1`,
      [person.openid(apps.mini)],
    );
    const later = await rowOf(person);

    await signedIn(person);

    expect(await rowOf(person)).toEqual(later);
  });

  it('come with a link by code, and go with the identity', async () => {
    const person = world.wechat.person({ nickname: '连' });
    const tokens = await signInOnPc(world, person);
    const linked = await callMe(world, tokens, '/identities', {
      method: 'POST',
      body: { provider: 'wechat', app: 'mini', code: person.wxLogin(apps.mini) },
    });
    const kept = await rowOf(person);
    const own = itemsOf(await callMe(world, tokens, '/identities'));
    const id = String(own.find(({ kind }) => kind === 'mini')?.['id']);
    await callMe(world, tokens, `/identities/${id}`, { method: 'DELETE' });

    expect([linked.status, kept.length]).toEqual([201, 1]);
    expect(await rowOf(person)).toEqual([]);
  });

  it('are of no use to somebody who has none', async () => {
    const tokens = await signInOnPc(world, world.wechat.person({ nickname: '无' }));
    const of = await userOf(tokens);

    const codes = [
      await codeOf(api().sign(of)),
      await codeOf(api().sign({ ...of, userId: 'nobody' })),
      await codeOf(api().checkSession({ provider: 'wechat', openid: 'o-nobody' })),
      await codeOf(api().sign({ ...of, provider: 'none' })),
    ];

    expect(codes).toEqual([
      'session_key_missing',
      'session_key_missing',
      'session_key_missing',
      'provider_not_found',
    ]);
  });

  it('are of no use to a user who has the same openid in another app', async () => {
    const { person } = await signedIn();
    const of = await userOf(await signInOnPc(world, world.wechat.person({ nickname: '同' })));
    await world.dataSource.query('UPDATE iam.identities SET openid = $2 WHERE user_id = $1', [
      of.userId,
      person.openid(apps.mini),
    ]);

    expect(await codeOf(api().sign(of))).toBe('session_key_missing');
  });

  it('are forgotten once the person withdraws what they open', async () => {
    const { person, of } = await signedIn();
    const what = { OpenID: person.openid(apps.mini), AppID: apps.mini.appid, RevokeInfo: '8' };
    await post(world.webhook, push(eventFields('user_authorization_revoke', 'oWeChat', what), world));
    await until('the key is forgotten', async () => (await rowOf(person)).length === 0);

    expect(await codeOf(api().sign(of))).toBe('session_key_missing');
  });

  it('are sealed anew with the first key, and opened by no other', async () => {
    const { of, tokens } = await signedIn();
    const newKey = testKey();
    const rotated = await start([newKey, world.key]);
    const count = await valueOf(world.dataSource, 'SELECT count(*)::int FROM iam.mini_session_keys');

    const report = await rotated.app.get(Reencryption).run();
    const [use] = await rotated.app.get(Reencryption).use();
    const entries = await rowsOf(
      world.dataSource,
      `SELECT detail FROM iam.audit_log WHERE action = 'key.resealed' AND detail ->> 'table' = 'mini_session_keys'`,
    );

    expect(report).toMatchObject({ session_keys: count, left: 0 });
    expect(use).toMatchObject({ is_current: true, session_keys: count });
    expect(entries).toEqual([{ detail: { table: 'mini_session_keys', count, keyId: use?.key_id } }]);
    expect(await api(rotated).checkSession(of)).toBe(true);
    expect(await codeOf(api().sign(of))).toBe('session_key_missing');
    expect(tokens.accessToken).toEqual(expect.any(String));
  });

  it('are removed once no row keeps them, and a row without them says so', async () => {
    const { of } = await signedIn();
    await world.saveProvider({ mini_session_keys: false });
    const refused = [
      await codeOf(api().sign(of)),
      await codeOf(api().decrypt({ ...of, encryptedData: 'AAAA', iv: 'AAAA' })),
      await codeOf(api().checkSession(of)),
    ];

    await world.app.get(Cleanup).removeExpired();

    expect(new Set(refused)).toEqual(new Set(['provider_misconfigured']));
    expect(await valueOf(world.dataSource, 'SELECT count(*)::int FROM iam.mini_session_keys')).toBe(0);
    await world.saveProvider({ mini_session_keys: true });
  });
});
