import { DataSource } from 'typeorm';
import { iamEntities, iamMigrations } from '../../src/index.js';
import { hashOf, toInboxEvent } from '../../src/webhook/inbox-event.js';
import { toVerifiedEvent } from '../../src/webhook/message.js';
import { createDatabase, type TestDatabase } from '../support/database.js';
import { rowsOf } from '../support/rows.js';

const [lan, ming, hong] = [1, 2, 3].map((digit) => `0198c0de-0000-7000-8000-00000000000${digit}`);

/** Rows as earlier versions of the module left them, and what the migrations make of them. */
describe('the rows of an earlier version', () => {
  let database: TestDatabase;
  const open: DataSource[] = [];

  beforeEach(async () => {
    database = await createDatabase();
  });
  afterEach(async () => {
    for (const dataSource of open.splice(0)) await dataSource.destroy();
    await database.drop();
  });

  async function migrated(isWanted: (name: string) => boolean = () => true): Promise<DataSource> {
    const migrations = iamMigrations.filter(({ name }) => isWanted(name));
    const dataSource = new DataSource({
      type: 'postgres',
      url: database.url,
      entities: iamEntities,
      migrations,
    });
    open.push(dataSource);
    await dataSource.initialize();
    await dataSource.runMigrations();
    return dataSource;
  }
  const before = (timestamp: string) => migrated((name) => (/\d+$/.exec(name)?.[0] ?? '') < timestamp);

  it('keep taking pushes where people have signed in or messages came, and nowhere else', async () => {
    const old = await before('1764000015000');
    await old.query(
      `INSERT INTO iam.identity_providers (slug, name, mp_app_id, mp_app_secret, mini_app_id, mini_app_secret)
       SELECT slug, slug, 'mp-' || slug, 'plain:one', 'mini-' || slug, 'plain:two' FROM unnest(ARRAY['new', 'pushed', 'used']) slug`,
    );
    await old.query('INSERT INTO iam.users (id) VALUES ($1)', [lan]);
    await old.query(
      `INSERT INTO iam.identities (id, user_id, provider, app_kind, appid, openid, union_scope)
       VALUES (gen_random_uuid(), $1, 'used', 'mini', 'mini-used', 'lan', 'used')`,
      [lan],
    );
    await old.query(
      `INSERT INTO iam.webhook_events (id, provider, dedupe_key, event, event_at, message, status)
       VALUES (gen_random_uuid(), 'pushed', 'one', 'CLICK', now(), '{}', 'done')`,
    );

    const now = await migrated();

    const sql = `SELECT slug, confirmations->'mp'->>'pair' AS mp, confirmations->'mini'->>'pair' AS mini
                 FROM iam.identity_providers ORDER BY slug`;
    expect(await rowsOf(now, sql)).toEqual([
      { slug: 'new', mp: null, mini: null },
      { slug: 'pushed', mp: 'adopt', mini: null },
      { slug: 'used', mp: null, mini: 'adopt' },
    ]);
  });

  it('keep the AppSecret of a website app that somebody has signed in with, unless it was changed since', async () => {
    const old = await before('1764000018000');
    await old.query(
      `INSERT INTO iam.identity_providers (slug, name, open_app_id, open_app_secret, mobile_app_id, mobile_app_secret)
       SELECT slug, slug, site, 'plain:one', 'mobile-' || slug, 'plain:two'
       FROM (VALUES ('unused', 'site-1'), ('used', 'site-2'), ('used-later', 'site-2'), ('rotated', 'site-3'), ('edited', 'site-4'),
                    ('renamed', 'site-5')) AS row (slug, site)`,
    );
    await old.query('INSERT INTO iam.users (id) VALUES ($1)', [lan]);
    await old.query(
      `INSERT INTO iam.identities (id, user_id, provider, app_kind, appid, openid, union_scope, created_at)
       SELECT gen_random_uuid(), $1, slug, kind, appid, slug, slug, now() - days * interval '1 day'
       FROM (VALUES ('used', 'open', 'site-2', 3), ('used-later', 'open', 'site-2', 2), ('rotated', 'open', 'site-3', 2),
                    ('edited', 'open', 'site-4', 2), ('edited', 'mobile', 'mobile-edited', 2), ('renamed', 'open', 'site-5', 2)
            ) AS row (slug, kind, appid, days)`,
      [lan],
    );
    await old.query(
      `INSERT INTO iam.audit_log (id, action, provider, detail, at) VALUES
         (gen_random_uuid(), 'provider.secret_rotated', 'rotated', '{"secret": "open_app_secret"}', now()),
         (gen_random_uuid(), 'provider.updated', 'edited', '{"changed": {}, "secrets": {"open_app_secret": "replaced"}}', now()),
         (gen_random_uuid(), 'provider.updated', 'renamed', '{"changed": {"name": {}}, "secrets": {}}', now())`,
    );

    const now = await migrated();

    const sql = `SELECT slug, confirmations->'open'->>'pair' AS open, confirmations->'mobile'->>'pair' AS mobile
                 FROM iam.identity_providers ORDER BY slug`;
    expect(await rowsOf(now, sql)).toEqual([
      { slug: 'edited', open: null, mobile: 'adopt' },
      { slug: 'renamed', open: 'adopt', mobile: null },
      { slug: 'rotated', open: null, mobile: null },
      { slug: 'unused', open: null, mobile: null },
      { slug: 'used', open: null, mobile: null },
      { slug: 'used-later', open: 'adopt', mobile: null },
    ]);
  });

  it('keep the unionids that an identity carries, and lose those that none does', async () => {
    const old = await before('1764000006000');
    await old.query('INSERT INTO iam.users (id) VALUES ($1), ($2), ($3)', [lan, ming, hong]);
    await old.query(
      `INSERT INTO iam.identities (id, user_id, provider, app_kind, appid, openid, union_scope, unionid) VALUES
       (gen_random_uuid(), $1, 'wechat', 'open', 'wx1', 'lan-open', 'second', 'u-lan'),
       (gen_random_uuid(), $1, 'wechat', 'mp', 'wx2', 'lan-mp', 'wechat', 'u-other'),
       (gen_random_uuid(), $2, 'wechat', 'open', 'wx1', 'ming-open', 'wechat', null)`,
      [lan, ming],
    );
    // Of lan: shown now, shown by the same identity at another row, and unlinked. Of ming and hong: unlinked.
    await old.query(
      `INSERT INTO iam.unions (union_scope, unionid, user_id) VALUES
       ('second', 'u-lan', $1), ('first', 'u-lan', $1), ('wechat', 'u-other', $1), ('wechat', 'u-gone', $1),
       ('wechat', 'u-ming', $2), ('wechat', 'u-hong', $3)`,
      [lan, ming, hong],
    );

    const now = await migrated();

    expect(
      await rowsOf(now, 'SELECT union_scope, unionid, user_id FROM iam.unions ORDER BY union_scope, unionid'),
    ).toEqual([
      { union_scope: 'first', unionid: 'u-lan', user_id: lan },
      { union_scope: 'second', unionid: 'u-lan', user_id: lan },
      { union_scope: 'wechat', unionid: 'u-other', user_id: lan },
    ]);
    await now.query(`DELETE FROM iam.identities WHERE openid = 'lan-open'`);
    expect(await rowsOf(now, 'SELECT unionid FROM iam.unions')).toEqual([{ unionid: 'u-other' }]);
  });

  it('bar the subjects of those who were disabled', async () => {
    const old = await before('1764000006100');
    await old.query(`INSERT INTO iam.users (id, status) VALUES ($1, 'disabled'), ($2, 'active')`, [
      lan,
      ming,
    ]);
    await old.query(
      `INSERT INTO iam.unions (union_scope, unionid, user_id) VALUES ('wechat', 'u-lan', $1), ('wechat', 'u-ming', $2)`,
      [lan, ming],
    );
    await old.query(
      `INSERT INTO iam.identities (id, user_id, provider, app_kind, appid, openid, union_scope, unionid) VALUES
       (gen_random_uuid(), $1, 'wechat', 'open', 'wx1', 'lan', 'wechat', 'u-lan'),
       (gen_random_uuid(), $2, 'wechat', 'open', 'wx1', 'ming', 'wechat', 'u-ming')`,
      [lan, ming],
    );

    const now = await migrated();

    const barred = 'SELECT kind, user_id FROM iam.barred_subjects ORDER BY kind';
    expect(await rowsOf(now, barred)).toEqual([
      { kind: 'identity', user_id: lan },
      { kind: 'union', user_id: lan },
    ]);
    const comeBack = `INSERT INTO iam.identities (id, user_id, provider, app_kind, appid, openid, union_scope)
      VALUES (gen_random_uuid(), $1, 'wechat', 'open', 'wx1', 'lan', 'wechat')`;
    await now.query(`DELETE FROM iam.identities WHERE openid = 'lan'`);
    await expect(now.query(comeBack, [ming])).rejects.toThrow('barred');
  });

  it('that are pushes hold no scene of ours any more, and are recognised when WeChat delivers them again', async () => {
    const old = await before('1764000007000');
    const scene = `iam:${'a1B2c'.repeat(9).slice(0, 43)}`;
    const scenes = { hide: (text: string) => text.replace(/iam:[A-Za-z0-9]{43}/g, hashOf) };
    const common = { ToUserName: 'gh_x', FromUserName: 'oA', CreateTime: 1_700_000_000 };
    const messages = [
      { ...common, MsgType: 'event', Event: 'SCAN', EventKey: scene, Ticket: 'gQ-ticket' },
      { ...common, MsgType: 'event', Event: 'subscribe', EventKey: `qrscene_${scene}`, Ticket: 'gQ-ticket' },
      { ...common, MsgType: 'event', Event: 'SCAN', EventKey: 'the host’s', Ticket: 'gQ-ticket' },
      { ...common, MsgType: 'text', Content: '"a"\\\t\n\u2028é你🌏/\u007f', MsgId: '7' },
      { ...common, MsgType: 'event', Event: 'CLICK', EventKey: '', b_: '', B: '2', a: '1' },
    ];
    await old.query(
      `INSERT INTO iam.identity_providers (slug, name, mp_app_id, mp_app_secret)
       VALUES ('wechat', 'one', 'wx1', 'plain:x'), ('second', 'two', 'wx1', 'plain:x')`,
    );
    const insert = (provider: string, message: object, age: string) =>
      old.query(
        `INSERT INTO iam.webhook_events (id, provider, dedupe_key, event, event_at, message, status, received_at)
         VALUES (gen_random_uuid(), $1, gen_random_uuid()::text, 'x', now(), $2, 'done', now() - $3::interval)`,
        [provider, JSON.stringify(message), age],
      );
    for (const message of messages) await insert('wechat', message, '1 second');
    await insert('second', messages[3] ?? {}, '1 second');
    await insert('wechat', { ...messages[0], CreateTime: 1 }, '6 days');
    await insert('wechat', { ...common, MsgType: 'event', Event: 'x', nested: { a: ['1'] } }, '1 second');

    const now = await migrated();
    const rows = await rowsOf(now, 'SELECT dedupe_key, message FROM iam.webhook_events');
    const expected = messages.map((message) => {
      const fields = { ...message, CreateTime: String(message.CreateTime) };
      const push = {
        fields,
        isWhole: true,
        bytes: Buffer.alloc(0),
        appid: 'wx1',
        replayKey: null,
        seal: null,
      };
      const event = toVerifiedEvent(fields);
      if (event === null) throw new Error('no event');
      return toInboxEvent({ ...push, format: 'xml' }, event, { provider: 'wechat', receivedAt: 0, scenes });
    });

    expect(rows).toHaveLength(8);
    for (const { dedupeKey, message } of expected)
      expect(rows).toContainEqual({
        dedupe_key: dedupeKey,
        message: JSON.parse(JSON.stringify(message)) as unknown,
      });
    expect(JSON.stringify(rows)).not.toContain(scene);
    expect(JSON.stringify(rows).match(/sha256:/g)).toHaveLength(6);
  });
});
