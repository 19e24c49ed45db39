import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { DataSource } from 'typeorm';
import { iamEntities, IamHealth, iamMigrations, IdentityProviders } from '../../src/index.js';
import { toInboxEvent } from '../../src/webhook/inbox-event.js';
import { hashOf } from '../../src/webhook/scenes.service.js';
import { toVerifiedEvent } from '../../src/webhook/message.js';
import { createDatabase, type DatabaseTemplate, type TestDatabase } from '../support/database.js';
import { type IamApp, startIamApp, startWorld, type World } from '../support/iam-app.js';
import { LogCapture } from '../support/log-capture.js';
import { earlyDatabase, earlySchemas, migrationsOf } from '../support/old-migrations/states.js';
import { rowsOf, valueOf } from '../support/rows.js';
import { getWith, signInOnPc } from '../support/sign-in.js';
import { migrated as fresh } from '../support/templates.js';

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
         VALUES (gen_random_uuid(), $1, gen_random_uuid()::text, 'x', to_timestamp(1700000000), $2, 'done', now() - $3::interval)`,
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

/** Everything in the schema but the order of columns, which ALTER TABLE cannot change. */
const catalog = `
  SELECT table_name AS on, column_name AS name,
    concat_ws(' ', data_type, is_nullable, column_default, is_generated, collation_name) AS is
  FROM information_schema.columns WHERE table_schema = 'iam'
  UNION ALL SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) || convalidated::text
  FROM pg_constraint WHERE connamespace = 'iam'::regnamespace AND conname NOT LIKE '%not_null%'
  UNION ALL SELECT tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = 'iam'
  UNION ALL SELECT tgrelid::regclass::text, tgname, pg_get_triggerdef(t.oid) || tgenabled::text
  FROM pg_trigger t JOIN pg_class c ON c.oid = tgrelid
  WHERE c.relnamespace = 'iam'::regnamespace AND NOT tgisinternal
  UNION ALL SELECT 'function', proname, pg_get_functiondef(oid)
  FROM pg_proc WHERE pronamespace = 'iam'::regnamespace
  UNION ALL SELECT relkind::text, relname, concat_ws(' ', obj_description(oid), relpersistence, relrowsecurity, reloptions)
  FROM pg_class WHERE relnamespace = 'iam'::regnamespace
  UNION ALL SELECT attrelid::regclass::text, attname, col_description(attrelid, attnum)
  FROM pg_attribute JOIN pg_class c ON c.oid = attrelid
  WHERE c.relnamespace = 'iam'::regnamespace AND attnum > 0 AND NOT attisdropped
  ORDER BY 1, 2, 3`;

/** A row in each table that the repair touches, as a database in use has them. */
const use = `
  INSERT INTO iam.users (id) VALUES ('00000000-0000-7000-8000-000000000001');
  INSERT INTO iam.logins (id, status, provider, method, appid, client_id, user_id, expires_at)
    VALUES (gen_random_uuid(), 'authenticated', 'wechat', 'open', 'wx1', 'web', '00000000-0000-7000-8000-000000000001', now());
  INSERT INTO iam.webhook_events (id, provider, dedupe_key, event, event_at, message, status)
    VALUES (gen_random_uuid(), 'wechat', 'one', 'CLICK', now(), '{}', 'done'), (gen_random_uuid(), 'wechat', 'two', 'CLICK', now(), '{}', 'done');
  INSERT INTO iam.audit_log (id, action) VALUES (gen_random_uuid(), 'user.created')`;

const checksums: Readonly<Record<string, string>> = {
  '1764000000000-create-iam-schema.ts': '8825bfe448b15c17b75b9d6b0517e6d488aeb556323e07ec87b3dc379031b1e4',
  '1764000001000-add-webhook-inbox.ts': '4dae38d1adabf68a481ebc87ea56cef54817a95e2df8b2d450ed50790ac256e3',
  '1764000002000-add-follow-logins.ts': '6f18426295b9d107107a1a802be74c341569aa136c73e518cbb28f0b69a35777',
  '1764000003000-add-administration.ts': 'f0764acd71c2b14683aa240168f6dfb28133128400ad84acb87370fb2117b408',
  '1764000004000-add-audit-delivery.ts': 'f49e3958a13cb84afd91fd07f9ec0100946c6357ce653062cff1f58e5086a958',
  '1764000005000-repair-early-schemas.ts': '11c685b408e5a9db1bd346f26e558883ffef3c222189f6f58100bcb523c7a935',
  '1764000006000-carry-unions.ts': '3839e0fb1784959f0836f9d46fc1f7f2dd5c10ff2c369067930db12e054f609a',
  '1764000006100-bar-subjects.ts': '999e57f23ff60e0181ea634246a482fd9aa050f1674c0a6ce62268fa169a410f',
  '1764000006200-bind-logins-to-attempts.ts':
    '4dc90c0f363800decbb35a8e915e21a6a298507bd487991585554cbfc38ca110',
  '1764000007000-keep-unreadable-pushes.ts':
    'a4c559494d5c59388627614fc177233c7b495f9f47fb6e181d4d30fbc813e071',
  '1764000008000-withdraw-as-of-then.ts': '307180cf04bc7beed65d41b2eb0f0fc227d9f82c895bd650b6fe7e5c6725c937',
  '1764000009000-ask-before-linking.ts': '7b9564aababbeab03d9228bc492e3b0dcae8610ca9ac10b193e5173e03a508e6',
  '1764000009100-refill-limits.ts': 'be2a90cddde8cdbd0b36c47541be75f1b5c71c433a49668598749503d56bbdc1',
  '1764000009200-end-scans-with-attempts.ts':
    '8867ed7a8bfd5098cd918a4b2706ed1b62d8d43b933f58927ca896bb6fd38bac',
  '1764000014000-remember-who-named.ts': 'a0b91562cb78c2de5eee66380a7115c56fb79f568bc0aa7825b26c58a7442685',
  '1764000015000-confirm-apps.ts': '1ed113752ab9dfad8432e4cd920c7dc2ab13ab227a657df1aee2d5f6cd54a0b4',
  '1764000018000-accept-secrets.ts': '73b9730ca819eb21bc8e623d5c6def495962e2b837227a80eb95821b30605901',
  '1764000019000-type-user-codes.ts': '7b24ced72f4e1630d42efa7b860a27ba3f0c471360d3ff68654ad2b95bb0de65',
  '1764000022000-partition-by-time.ts': 'a075604402829356b1d1d7228b64f1f59f5f16c9447b20eb353ecfc4bff5e33d',
  '1764000023000-date-audit-ids.ts': '7e5bb2c18b2c75d0a3e257d1555d50b7c8668274c191f766182ddf9c3162adbc',
  '1764000020000-move-openids.ts': '3a9364dd9083f94655699f92b770db5ba6d2e91165fdaab3aa209d7644b9ed86',
  '1764000026000-hold-phone-numbers.ts': '96df19721ba61c1c54aab8e8b20d6a235aa7e01dcddaa0c6206213c292f29ac0',
  '1764000028000-limit-sessions.ts': '6236a103cb6d98b8c11824dcd0fae20ac6ca1a5e5bab43e281f0d168d811396d',
  '1764000030000-keep-session-keys.ts': '5118abaa0a272751233be80cb26d256af994ca7ab6828f346b4bbf60da550890',
  '1764000024000-answer-qr-codes.ts': '7510a843d8eb4fdc7ad4153fd179f217ea6d6805946d6413576dfb074ab3200b',
  '1764000031000-register-clients.ts': '2a1a76305b34eadbd097a3065e367e43d5b3043cd8cd7251f976f932360ddfdc',
  '1764000032000-mark-scanned-sessions.ts':
    'b0f30cbc23bd5dabfd399ffa39433f8819c368a2f845c44257badb53f14de7d0',
  '1764000033000-carry-authorization-requests.ts':
    'e5fc096b768e23893cb52c55300e983fcf6b93f3c0ea3139362165117fe0a6f1',
  '1764000036000-tell-of-sign-outs.ts': '4f311ed8eb1957e822bef460eec630c8f8a2dfed18a77f28acdf5e3e1454407c',
  '1764000037000-send-in-turns.ts': 'f36970fc405ebe866b306244a96a1e89e3323b279a99746b696cb9d4b8bcada0',
  '1764000035000-remember-browsers.ts': '3a6c1f42837167bf0b932c08bdc80f7767404bd6934f7525b128afbb01880897',
  '1764000034000-sign-by-rsa.ts': '7ee957db6f75fda32ed4fbf7351e20d3e0a0904919e40671f22a7ff8a8cdf06f',
  '1764000038000-take-assertions-and-pushed-requests.ts':
    '27609ce6c5ffb9a208eb48e23ff1dccb98c5336dec31bed504ad8b2b6431602c',
  '1764000046000-forget-unbound-people.ts':
    '3caad0ecaba3d698a89f46d788c051a02f21666e325eba17d0e4dfd68018c1b9',
  '1764000040000-admit-machines.ts': '8da90a09837ee270b3111f42c2a4ccf204875e3d5e6ce90ec73024bd69b7e83e',
  '1764000043000-ask-for-consent.ts': 'ac168b2d2636d65bb7a9bebe58906d918fcf546cec4afa6c0a8b793ecc282ec1',
};

it('a committed migration is never edited, and every one has its checksum here', async () => {
  const folder = new URL('../../migrations/', import.meta.url);
  const files = (await readdir(folder)).filter((name) => /^\d/.test(name));

  const sums = files.map(async (name) => {
    const text = await readFile(new URL(name, folder));
    return [name, createHash('sha256').update(text).digest('hex')] as const;
  });

  expect(Object.fromEntries(await Promise.all(sums))).toEqual(checksums);
  expect(files).toHaveLength(iamMigrations.length);
});

describe('a database that early migrations made', () => {
  let expected: Record<string, unknown>[];

  const inDatabase = async <T>(template: DatabaseTemplate, work: (source: DataSource) => Promise<T>) => {
    const database = await createDatabase(template);
    const migrations = [...iamMigrations];
    const source = await new DataSource({ type: 'postgres', url: database.url, migrations }).initialize();
    const end = () => source.destroy().then(() => database.drop());
    return work(source).finally(end);
  };

  beforeAll(async () => {
    expected = await inDatabase(fresh, (source) => rowsOf(source, catalog));
  });

  it.each(earlySchemas)(
    'is after an update what a fresh one is, keeps its rows, and goes down to nothing and up again: %s',
    (_name, versions) =>
      inDatabase(earlyDatabase(versions), async (source) => {
        await source.query(use);

        await source.runMigrations();
        const updated = await rowsOf(source, catalog);
        const events = await valueOf(source, 'SELECT count(*)::int FROM iam.webhook_events');
        const undo = () => source.undoLastMigration();
        await iamMigrations.reduce((earlier) => earlier.then(undo), Promise.resolve());
        const left = await valueOf(source, `SELECT to_regnamespace('iam')`);
        await source.runMigrations();

        expect(updated).toEqual(expected);
        expect(events).toBe(2);
        expect(left).toBeNull();
        expect(await rowsOf(source, catalog)).toEqual(expected);
      }),
  );
});

describe('a host that starts on a database that early migrations made', () => {
  let world: World;

  beforeAll(async () => {
    world = await startWorld();
  });
  afterAll(() => world.close());

  async function statusOfSignIn(iam: IamApp): Promise<number> {
    await iam.app.get(IdentityProviders).save({
      slug: 'wechat',
      name: '微信',
      open_app_id: world.site.appid,
      open_app_secret: world.site.secret,
    });
    const person = world.wechat.person({ nickname: '早' });
    const tokens = await signInOnPc({ url: iam.url, wechat: world.wechat }, person);
    return (await getWith(`${iam.url}/iam/me`, tokens.accessToken)).status;
  }

  it.each(earlySchemas)('signs people in: %s', async (_name, versions) => {
    const database = await createDatabase(earlyDatabase(versions));
    const iam = await startIamApp({ databaseUrl: database.url, endpoints: world.wechat.endpoints });

    expect(await statusOfSignIn(iam)).toBe(200);
    await iam.close();
    await database.drop();
  });

  it.each([['nothing at all', {}], ...earlySchemas] as const)(
    'says what is missing until the migrations have run, then signs people in without a restart: %s',
    async (_name, versions) => {
      const database = await createDatabase(earlyDatabase(versions));
      const logger = new LogCapture();
      const iam = await startIamApp({
        databaseUrl: database.url,
        endpoints: world.wechat.endpoints,
        typeOrm: { migrationsRun: false },
        logger,
      });
      const healthOf = async () => (await iam.app.get(IamHealth).check())['iam'];
      const ran = migrationsOf(versions).map((Migration) => new Migration().name);
      const names = iamMigrations.map(({ name }) => name);

      const before = await healthOf();
      const told = logger.lines.filter(
        ({ level, text }) => level === 'error' || text.includes('signing keys'),
      );
      await iam.dataSource.runMigrations();
      const after = await healthOf();

      expect(before).toMatchObject({
        status: 'down',
        problems: ['migrations_missing'],
        remedy: expect.stringContaining('npx nestjs-wechat-iam migrate') as string,
        missing: expect.arrayContaining(['table barred_subjects', 'table identity_unions']) as string[],
      });
      expect(before?.pending ?? names).toEqual(names.filter((name) => !ran.includes(name)));
      expect(told).toEqual([
        { level: 'error', text: expect.stringContaining(before?.missing?.[0] ?? '?') as string },
      ]);
      expect(told[0]?.text).toContain('npx nestjs-wechat-iam migrate');
      expect(after).toMatchObject({ status: 'up', problems: [] });
      expect(await statusOfSignIn(iam)).toBe(200);
      await iam.close();
      await database.drop();
    },
  );
});
