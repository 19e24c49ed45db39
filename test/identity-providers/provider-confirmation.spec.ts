import { randomBytes } from 'node:crypto';
import { startReplica, type IamApp } from '../support/iam-app.js';
import { rowsOf, valueOf } from '../support/rows.js';
import { signInOnPc } from '../support/sign-in.js';
import { until } from '../support/until.js';
import { newAccount, safePush, toXml } from '../support/wechat-push.js';
import {
  eventFields,
  newOpenid,
  post,
  sealed,
  startWebhookWorld,
  type WebhookWorld,
} from '../support/webhook.js';

describe('a row and the account whose pushes it takes', () => {
  let world: WebhookWorld;
  const replicas: IamApp[] = [];

  beforeEach(async () => {
    world = await startWebhookWorld();
  });
  afterEach(async () => {
    await Promise.all(replicas.splice(0).map((replica) => replica.close()));
    await world.close();
  });

  const asked = () => world.wechat.calls('/cgi-bin/stable_token').length;
  const stored = () => valueOf(world.dataSource, 'SELECT count(*)::int FROM iam.webhook_events');
  const push = (url = world.webhook) => post(url, sealed(eventFields('CLICK', newOpenid()), world));
  const addRow = (slug: string, secret: string, server: { token: string; encodingAesKey: string }) =>
    world.dataSource.query(
      `INSERT INTO iam.identity_providers (slug, name, mp_app_id, mp_app_secret, mp_token, mp_encoding_aes_key)
       VALUES ($1, $1, $2, 'plain:' || $3, 'plain:' || $4, 'plain:' || $5)`,
      [slug, world.oa.appid, secret, server.token, server.encodingAesKey],
    );
  /** The cache of rows ends with the process, as far as one process can show it. */
  const restart = async () => {
    const replica = await startReplica(world);
    replicas.push(replica);
    return replica;
  };

  it("takes nothing for a stranger's account, and asks WeChat once for many forgeries", async () => {
    const own = newAccount();
    await addRow('thief', randomBytes(16).toString('hex'), own);
    const replica = await restart();
    const forge = () => {
      const fields = eventFields('SCAN', newOpenid(), { EventKey: 'scene', Ticket: 't' });
      const account = { ...own, appid: world.oa.appid };
      return post(`${replica.url}/iam/webhook/thief`, safePush(toXml(fields), account));
    };

    const answers = await Promise.all(Array.from({ length: 50 }, forge));
    const later = await forge();

    expect(new Set([...answers, later].map(({ status, code }) => `${status} ${String(code)}`))).toEqual(
      new Set(['403 webhook_signature_invalid']),
    );
    expect([await stored(), asked()]).toEqual([0, 1]);
  });

  it('takes the first push after one question, and asks no more, in whatever process', async () => {
    const first = await Promise.all([push(), push()]);
    const second = await push();
    const replica = await restart();
    const elsewhere = await push(`${replica.url}/iam/webhook/wechat`);

    expect([...first, second, elsewhere].map(({ text }) => text)).toEqual(Array(4).fill('success'));
    expect([await stored(), asked()]).toEqual([4, 1]);
  });

  it('needs another answer for another AppSecret', async () => {
    await push();
    await world.saveProvider({ mp_app_secret: randomBytes(16).toString('hex') });
    const wrong = await push();
    await world.saveProvider({ mp_app_secret: world.oa.secret });
    const right = await push();

    expect([wrong.status, right.status, await stored()]).toEqual([403, 200, 2]);
  });

  it('asks WeChat to push again while it cannot be asked', async () => {
    world.wechat.always('/cgi-bin/stable_token', { status: 500 });
    const down = await push();
    const whileDown = await stored();
    world.wechat.clearFaults();
    const replica = await restart();
    const again = await push(`${replica.url}/iam/webhook/wechat`);

    expect([down.status, down.code, whileDown]).toEqual([503, 'wechat_unavailable', 0]);
    expect(Number(down.headers.get('retry-after'))).toBeGreaterThan(0);
    expect([again.status, await stored()]).toEqual([200, 1]);
  });

  it('takes a withdrawal for a website app only where somebody has signed in with its AppSecret', async () => {
    const person = world.wechat.person({ nickname: '小明' });
    await signInOnPc(world, person);
    const bait = world.account.officialAccount({ oauthDomain: 'localhost' });
    const own = newAccount();
    await addRow('thief', bait.secret, own);
    await world.dataSource.query(
      `UPDATE iam.identity_providers SET mp_app_id = $1, open_app_id = $2, open_app_secret = 'plain:wrong' WHERE slug = 'thief'`,
      [bait.appid, world.site.appid],
    );
    const replica = await restart();
    const message = toXml(
      eventFields('user_authorization_revoke', newOpenid(), {
        OpenID: person.openid(world.site),
        AppID: world.site.appid,
        RevokeInfo: '301',
      }),
    );
    const revoked = () =>
      rowsOf(
        world.dataSource,
        `SELECT provider FROM iam.audit_log WHERE action = 'identity.authorization_revoked'`,
      );

    const byThief = await post(
      `${replica.url}/iam/webhook/thief`,
      safePush(message, { ...own, appid: bait.appid }),
    );
    const after = await rowsOf(world.dataSource, 'SELECT event FROM iam.webhook_events');
    const byWechat = await post(`${replica.url}/iam/webhook/wechat`, safePush(message, world.server));

    await until('the withdrawal is worked off', async () => (await revoked()).length > 0);

    expect([byThief.status, after]).toEqual([403, []]);
    expect([byWechat.status, await revoked()]).toEqual([200, [{ provider: 'wechat' }]]);
  });

  describe('for a website app', () => {
    const withdrawal = (openid = newOpenid(), fields: Readonly<Record<string, string>> = {}) =>
      toXml(
        eventFields('user_authorization_revoke', newOpenid(), {
          OpenID: openid,
          AppID: world.site.appid,
          RevokeInfo: '301',
          ...fields,
        }),
      );
    const withdraw = (url = world.webhook) => post(url, safePush(withdrawal(), world.server));
    const secretIs = (open_app_secret: string) => world.saveProvider({ open_app_secret });
    const signIn = () => signInOnPc(world, world.wechat.person({ nickname: '小明' }));

    it('needs a sign-in with the AppSecret that the row has now, not with the one before', async () => {
      const first = await withdraw();
      await signIn();
      const used = await withdraw();
      await secretIs('0'.repeat(32));
      const wrong = await withdraw();
      await secretIs(world.site.secret);
      const back = await withdraw();

      expect([first, used, wrong, back].map(({ status }) => status)).toEqual([403, 200, 403, 200]);
    });

    it('believes no AppSecret that a later one has replaced at WeChat, until a sign-in shows it again', async () => {
      await signIn();
      await world.dataSource.query(`UPDATE iam.accepted_secrets SET pair = 'of a later AppSecret'`);
      const replaced = await withdraw();
      await secretIs('0'.repeat(32));
      await secretIs(world.site.secret);
      await signIn();
      const shown = await withdraw();

      expect([replaced.status, shown.status]).toEqual([403, 200]);
    });

    it('is not signed out of by a withdrawal that names no app, of another app of the row', async () => {
      const person = world.wechat.person({ nickname: '小明' });
      await signInOnPc(world, person);
      const bait = world.account.officialAccount({ oauthDomain: 'localhost' });
      const own = newAccount();
      await addRow('thief', 'wrong', own);
      await world.dataSource.query(
        `UPDATE iam.identity_providers SET mp_app_id = $1, mp_app_secret = 'plain:wrong', mini_app_id = $2, mini_app_secret = 'plain:' || $3
         WHERE slug = 'thief'`,
        [world.site.appid, bait.appid, bait.secret],
      );
      const replica = await restart();
      const nameless = toXml(
        eventFields('user_authorization_revoke', newOpenid(), {
          OpenID: person.openid(world.site),
          RevokeInfo: '301',
        }),
      );

      const answer = await post(
        `${replica.url}/iam/webhook/thief`,
        safePush(nameless, { ...own, appid: bait.appid }),
      );
      await until(
        'it is worked off',
        async () =>
          (await rowsOf(world.dataSource, `SELECT 1 FROM iam.webhook_events WHERE status = 'done'`)).length >
          0,
      );

      expect(answer.status).toBe(200);
      expect(
        await valueOf(world.dataSource, 'SELECT count(*)::int FROM iam.sessions WHERE ended_at IS NULL'),
      ).toBe(1);
    });

    it('counts what another row has shown, and still does when that row is gone', async () => {
      await signIn();
      await addRow('other', world.oa.secret, world.server);
      await world.dataSource.query(
        `UPDATE iam.identity_providers SET open_app_id = $1, open_app_secret = 'plain:' || $2 WHERE slug = 'other'`,
        [world.site.appid, world.site.secret],
      );
      await world.dataSource.query('DELETE FROM iam.identities');
      await world.dataSource.query(`DELETE FROM iam.identity_providers WHERE slug = 'wechat'`);
      const replica = await restart();

      expect((await withdraw(`${replica.url}/iam/webhook/other`)).status).toBe(200);
    });

    it('keeps what a migration marked, for every row with the pair', async () => {
      await world.dataSource.query(
        `UPDATE iam.identity_providers SET confirmations = jsonb_build_object('open', jsonb_build_object('pair', 'adopt', 'at', now()))`,
      );
      const replica = await restart();

      expect((await withdraw(`${replica.url}/iam/webhook/wechat`)).status).toBe(200);
      expect(await rowsOf(world.dataSource, 'SELECT appid, pair FROM iam.accepted_secrets')).toEqual([
        { appid: world.site.appid, pair: expect.stringMatching(/^[\w-]{43}$/) as string },
      ]);
    });

    it('believes the row that took pushes before where another one with the pair has other keys', async () => {
      await signIn();
      await withdraw();
      const bait = world.account.officialAccount({ oauthDomain: 'localhost' });
      const own = newAccount();
      await addRow('later', bait.secret, own);
      await world.dataSource.query(
        `UPDATE iam.identity_providers SET mp_app_id = $1, open_app_id = $2, open_app_secret = 'plain:' || $3 WHERE slug = 'later'`,
        [bait.appid, world.site.appid, world.site.secret],
      );
      const replica = await restart();
      const byLater = await post(
        `${replica.url}/iam/webhook/later`,
        safePush(withdrawal(), { ...own, appid: bait.appid }),
      );
      const byFirst = await withdraw(`${replica.url}/iam/webhook/wechat`);

      expect([byLater.status, byFirst.status]).toEqual([403, 200]);
    });
  });

  it('believes the row that was confirmed before where another one has other keys', async () => {
    await push();
    const other = newAccount();
    await addRow('later', world.oa.secret, other);
    const replica = await restart();
    const account = { ...other, appid: world.oa.appid };
    const byLater = await post(
      `${replica.url}/iam/webhook/later`,
      safePush(toXml(eventFields('CLICK', newOpenid())), account),
    );
    const byFirst = await push(`${replica.url}/iam/webhook/wechat`);

    expect([byLater.status, byLater.code, byFirst.status]).toEqual([403, 'webhook_signature_invalid', 200]);
  });

  it('keeps the pairs that were in use before', async () => {
    await world.dataSource.query(
      `UPDATE iam.identity_providers SET confirmations = jsonb_build_object('mp', jsonb_build_object('pair', 'adopt', 'at', now()))`,
    );
    const replica = await restart();
    world.wechat.always('/cgi-bin/stable_token', { status: 500 });
    const adopted = await push(`${replica.url}/iam/webhook/wechat`);
    const [row] = await rowsOf(
      world.dataSource,
      `SELECT confirmations->'mp'->>'pair' AS pair FROM iam.identity_providers`,
    );

    expect([adopted.status, asked()]).toEqual([200, 0]);
    expect(row).toEqual({ pair: expect.stringMatching(/^[\w-]{43}$/) as string });
  });
});
