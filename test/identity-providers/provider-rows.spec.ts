import { IdentityProviders } from '../../src/index.js';
import { AdminClient, adminOptions } from '../support/admin.js';
import { FakeClock } from '../support/fake-clock.js';
import { type IamApp, startReplica, startWorld, type World } from '../support/iam-app.js';
import { LogCapture } from '../support/log-capture.js';
import { PcBrowser } from '../support/pc-browser.js';
import { countQueries } from '../support/query-counter.js';
import { rowsOf, valueOf } from '../support/rows.js';
import {
  approveOnPc,
  authorizeUrl,
  pkce,
  returnFromPc,
  returnInsideWechat,
  signInOnPc,
} from '../support/sign-in.js';

describe('identity provider rows', () => {
  let world: World;
  const clock = new FakeClock();
  const logger = new LogCapture();

  beforeAll(async () => {
    world = await startWorld({ clock, logger });
  });
  afterAll(() => world.close());

  /** Rows in memory are read again at the next request. */
  const letRowsAge = () => clock.advance(5);
  const sql = async (statement: string, ...parameters: unknown[]) => {
    await world.dataSource.query(statement, parameters);
    letRowsAge();
  };
  const insertPlain = (slug: string, appid: string, secret: string) =>
    sql(
      'INSERT INTO iam.identity_providers (slug, name, open_app_id, open_app_secret) VALUES ($1, $1, $2, $3)',
      slug,
      appid,
      `plain:${secret}`,
    );
  const columnOf = (slug: string, column: string) =>
    valueOf(world.dataSource, `SELECT ${column} FROM iam.identity_providers WHERE slug = $1`, [slug]);
  const signIn = async (slug: string, person = world.wechat.person({ nickname: '小兰' })) => {
    const { returned } = await returnFromPc(world, person, { provider: slug });
    return returned.location?.searchParams;
  };
  const startAt = async (base: string, slug: string) => {
    const url = authorizeUrl(world.url, pkce().challenge, { provider: slug }).replace(world.url, base);
    const { location } = await new PcBrowser().visit(url);
    return location?.searchParams.get('error') ?? location?.searchParams.get('appid');
  };
  const newSite = () => world.account.websiteApp({ callbackDomain: 'localhost' });
  const userOf = (openid: string) =>
    valueOf(world.dataSource, 'SELECT user_id FROM iam.identities WHERE openid = $1', [openid]);

  describe('at rest', () => {
    it('hold every saved secret sealed, each with a nonce of its own', async () => {
      const secret = 'theSecretOfThisTest'.padEnd(32, 'x');
      const key = `${secret}${'y'.repeat(11)}`;
      await world.saveProvider({
        slug: 'sealed',
        open_app_secret: secret,
        mp_app_secret: secret,
        mp_token: secret,
        mp_encoding_aes_key: key,
      });
      const [row = {}] = await rowsOf(
        world.dataSource,
        `SELECT open_app_secret, mp_app_secret, mp_token, mp_encoding_aes_key FROM iam.identity_providers WHERE slug = 'sealed'`,
      );

      const stored = Object.values(row).map(String);
      expect(stored).toHaveLength(4);
      expect(new Set(stored).size).toBe(4);
      for (const text of stored) expect(text).toMatch(/^sealed:v1:[0-9a-f]{8}:[\w-]+$/);
      expect(stored.join()).not.toContain(Buffer.from(secret).toString('base64url'));
    });

    it('may be written by hand in SQL: the secret works, and is sealed the first time it is read', async () => {
      await insertPlain('by-hand', ` ${world.site.appid} `, ` ${world.site.secret}\n`);

      const answer = await signIn('by-hand');
      const stored = await columnOf('by-hand', 'open_app_secret');
      letRowsAge();
      const again = await signIn('by-hand');

      expect(answer?.get('code')).toEqual(expect.any(String));
      expect(stored).toMatch(/^sealed:v1:/);
      expect(again?.get('code')).toEqual(expect.any(String));
      expect(await columnOf('by-hand', 'open_app_secret')).toBe(stored);
    });

    it('are sealed once when several replicas read them first together', async () => {
      const replica = await startReplica(world, { clock, logger });
      await insertPlain('two-readers', world.site.appid, world.site.secret);

      const appids = await Promise.all(
        [world.url, replica.url, world.url, replica.url].map((base) => startAt(base, 'two-readers')),
      );
      await replica.close();
      const answer = await signIn('two-readers');

      expect(new Set(appids)).toEqual(new Set([world.site.appid]));
      expect(await columnOf('two-readers', 'open_app_secret')).toMatch(/^sealed:v1:/);
      expect(answer?.get('code')).toEqual(expect.any(String));
    });

    it('do not hand a secret that is being sealed to a failing statement’s log', async () => {
      await insertPlain('unsealable', world.site.appid, 'secret-that-cannot-be-sealed');
      await world.dataSource.query(
        `ALTER TABLE iam.identity_providers ADD CONSTRAINT forbid CHECK (slug <> 'unsealable' OR open_app_secret LIKE 'plain:%')`,
      );
      logger.clear();

      await startAt(world.url, 'unsealable');
      await world.dataSource.query('ALTER TABLE iam.identity_providers DROP CONSTRAINT forbid');
      await sql(`DELETE FROM iam.identity_providers WHERE slug = 'unsealable'`);

      expect(logger.text).toContain('internal_error');
      expect(logger.text).not.toContain('secret-that-cannot-be-sealed');
    });
  });

  describe('that cannot be opened', () => {
    beforeAll(async () => {
      const [one, two] = [newSite(), newSite()];
      await world.saveProvider({ slug: 'one', open_app_id: one.appid, open_app_secret: one.secret });
      await world.saveProvider({ slug: 'two', open_app_id: two.appid, open_app_secret: two.secret });
    });

    const swapRows = `
      UPDATE iam.identity_providers a SET open_app_secret = b.open_app_secret FROM iam.identity_providers b
      WHERE (a.slug, b.slug) IN (('one', 'two'), ('two', 'one'))`;

    it('fail closed when two rows exchanged their sealed secrets, while other rows work', async () => {
      await sql(swapRows);
      logger.clear();
      world.wechat.clearCalls();

      const broken = [await startAt(world.url, 'one'), await startAt(world.url, 'two')];
      const other = await signIn('wechat');
      const listed = await new PcBrowser().visit(`${world.url}/iam/providers`);
      await sql(swapRows);

      expect(broken).toEqual(['server_error', 'server_error']);
      expect(other?.get('code')).toEqual(expect.any(String));
      expect(listed.text).not.toMatch(/"(one|two)"/);
      expect(listed.text).toContain('"wechat"');
      expect(logger.with('provider_misconfigured').length).toBeGreaterThan(0);
      expect(await startAt(world.url, 'one')).toMatch(/^wx/);
    });

    it.each([
      ['moved to another column', `mp_app_id = open_app_id, mp_app_secret = open_app_secret`],
      ['with one character changed', `open_app_secret = overlay(open_app_secret placing 'AAAA' from 40)`],
      ['cut short', `open_app_secret = left(open_app_secret, -4)`],
      ['cut to less than a nonce', `open_app_secret = left(open_app_secret, 25)`],
      ['neither sealed nor plain', `open_app_secret = 'just-the-secret'`],
    ])('fail closed when a secret is %s', async (_case, change) => {
      const before = await columnOf('one', 'open_app_secret');
      await sql(`UPDATE iam.identity_providers SET ${change} WHERE slug = 'one'`);

      const broken = await startAt(world.url, 'one');
      const other = await startAt(world.url, 'two');
      await sql(
        `UPDATE iam.identity_providers SET open_app_secret = $1, mp_app_id = NULL, mp_app_secret = NULL WHERE slug = 'one'`,
        before,
      );

      expect(broken).toBe('server_error');
      expect(other).toMatch(/^wx/);
      expect(await startAt(world.url, 'one')).toMatch(/^wx/);
    });
  });

  describe('that change', () => {
    let replica: IamApp;

    beforeAll(async () => {
      replica = await startReplica(world, { clock, logger });
    });
    afterAll(() => replica.close());

    it('act on another replica within five seconds, and cost it no query until then', async () => {
      await world.saveProvider({ slug: 'moving', open_app_id: 'wxold', open_app_secret: 's' });
      letRowsAge();
      await startAt(replica.url, 'moving');
      await world.saveProvider({ slug: 'moving', open_app_id: 'wxnew' });
      const queries = countQueries(world.database.url);

      clock.advance(3);
      const early = await startAt(replica.url, 'moving');
      const asked = queries.since(0).length;
      clock.advance(2);
      const late = await startAt(replica.url, 'moving');
      queries.stop();

      expect([early, asked, late]).toEqual(['wxold', 0, 'wxnew']);
    });

    it('act on the replica that saved them at once', async () => {
      await world.saveProvider({ slug: 'moving', open_app_id: 'wxnewer' });

      expect(await startAt(world.url, 'moving')).toBe('wxnewer');
    });

    it('act though the clock of a replica was set back an hour', async () => {
      await startAt(replica.url, 'moving');
      clock.advance(-3600);
      letRowsAge();
      await world.saveProvider({ slug: 'moving', open_app_id: 'wxnewest' });

      const outcome = await startAt(replica.url, 'moving');
      clock.advance(3600);

      expect(outcome).toBe('wxnewest');
    });

    it('are read once, however many sign-ins wait for them', async () => {
      letRowsAge();
      const queries = countQueries(world.database.url);

      await Promise.all(Array.from({ length: 20 }, () => startAt(replica.url, 'moving')));
      const asked = queries.since(0).length;
      queries.stop();

      expect(asked).toBe(1);
    });

    it('end a sign-in under way when they are switched off', async () => {
      await world.saveProvider({
        slug: 'closing',
        open_app_id: world.site.appid,
        open_app_secret: world.site.secret,
      });
      const { browser, callback } = await approveOnPc(world, world.wechat.person({ nickname: '小兰' }), {
        provider: 'closing',
      });
      await world.saveProvider({ slug: 'closing', enabled: false });
      world.wechat.clearCalls();

      const reply = await browser.visit(callback);

      expect(reply.location?.searchParams.get('error')).toBe('provider_disabled');
      expect(world.wechat.calls()).toEqual([]);
    });

    it('send the secret of the app of the start, or none', async () => {
      const [before, after] = [newSite(), newSite()];
      await world.saveProvider({
        slug: 'swapped',
        open_app_id: before.appid,
        open_app_secret: before.secret,
      });
      const { browser, callback } = await approveOnPc(world, world.wechat.person({ nickname: '小兰' }), {
        provider: 'swapped',
      });
      await world.saveProvider({ slug: 'swapped', open_app_id: after.appid, open_app_secret: after.secret });
      world.wechat.clearCalls();

      const reply = await browser.visit(callback);

      expect(reply.location?.searchParams.get('error')).toBe('server_error');
      expect(
        await valueOf(world.dataSource, 'SELECT error FROM iam.logins ORDER BY created_at DESC LIMIT 1'),
      ).toBe('provider_misconfigured');
      expect(world.wechat.calls()).toEqual([]);
    });

    it('with a new secret of the same app go on working, also for sign-ins under way', async () => {
      const site = newSite();
      await world.saveProvider({ slug: 'renewed', open_app_id: site.appid, open_app_secret: site.secret });
      await signIn('renewed');
      const { browser, callback } = await approveOnPc(world, world.wechat.person({ nickname: '小兰' }), {
        provider: 'renewed',
      });
      site.settings.secret = 'a-renewed-secret-of-32-characters';
      await world.saveProvider({ slug: 'renewed', open_app_secret: site.settings.secret });

      const reply = await browser.visit(callback);

      expect(reply.location?.searchParams.get('code')).toEqual(expect.any(String));
    });

    it.each([
      ['a slug in upper case', { slug: 'Upper' }, 'slug'],
      ['a scope that does not exist', { slug: 'wechat', mp_scope: 'snsapi_everything' }, 'mp_scope'],
      ['an empty secret', { slug: 'wechat', open_app_secret: '' }, 'open_app_secret'],
      ['a column that does not exist', { slug: 'wechat', openAppId: 'wx' }, 'openAppId'],
    ])('are refused with %s, which the error names', async (_case, input, column) => {
      const saving: unknown = Reflect.apply(
        IdentityProviders.prototype.save,
        world.app.get(IdentityProviders),
        [input],
      );

      await expect(saving).rejects.toMatchObject({
        code: 'invalid_request',
        detail: expect.stringContaining(column) as string,
      });
    });
  });

  describe('and people', () => {
    it('who sign in at two rows of the same app are the same people', async () => {
      const pair = { open_app_id: world.site.appid, open_app_secret: world.site.secret };
      await world.saveProvider({ slug: 'front', ...pair });
      await world.saveProvider({ slug: 'back', ...pair, sign_up: 'off' });
      const lan = world.wechat.person({ nickname: '小兰' });

      const refused = await signIn('back', lan);
      const front = await signIn('front', lan);
      const back = await signIn('back', lan);

      expect(refused?.get('error')).toBe('access_denied');
      expect(front?.get('code')).toEqual(expect.any(String));
      expect(back?.get('code')).toEqual(expect.any(String));
      expect(
        await valueOf(world.dataSource, 'SELECT count(*)::int FROM iam.identities WHERE openid = $1', [
          lan.openid(world.site),
        ]),
      ).toBe(1);
    });

    it.each([
      ['share a union_scope are one user', 'one-account', true],
      ['do not share a union_scope are two, whatever their unionid', undefined, false],
      ['have an empty union_scope, as SQL allows, are two', '', false],
    ])('who come through two rows that %s', async (_case, scope, isOne) => {
      const name = `scope-${String(scope?.length)}`;
      const pc = `${name}-pc`;
      await world.saveProvider({
        slug: pc,
        open_app_id: world.site.appid,
        open_app_secret: world.site.secret,
      });
      await world.saveProvider({
        slug: 'inside',
        mp_app_id: world.oa.appid,
        mp_app_secret: world.oa.secret,
        ...(scope !== undefined && scope !== '' && { union_scope: scope }),
      });
      if (scope !== undefined)
        await sql(`UPDATE iam.identity_providers SET union_scope = $1 WHERE slug = ANY($2::text[])`, scope, [
          pc,
          'inside',
        ]);
      const lan = world.wechat.person({ nickname: '小兰' });

      await signIn(pc, lan);
      await returnInsideWechat(world.url, lan, { provider: 'inside' });

      const users = [await userOf(lan.openid(world.site)), await userOf(lan.openid(world.oa))];
      expect(users).toEqual([expect.any(String), expect.any(String)]);
      expect(users[0] === users[1]).toBe(isOne);
    });
  });
});

describe('the last row that takes the withdrawals for an app with people', () => {
  const keys = { mp_token: 'TheTokenOfTheServer', mp_encoding_aes_key: 'a'.repeat(43) };
  let world: World;
  let admin: AdminClient;

  beforeEach(async () => {
    world = await startWorld({ options: adminOptions });
    admin = new AdminClient(world.url);
    // People sign in through "wechat", which takes no pushes; "pushes" and "twin" take them and sign nobody in.
    await signInOnPc(world, world.wechat.person({ nickname: '小明' }));
    for (const slug of ['pushes', 'twin'])
      await admin.post('providers', {
        slug,
        enabled: false,
        open_app_id: world.site.appid,
        open_app_secret: world.site.secret,
        ...keys,
      });
  });
  afterEach(() => world.close());

  const refused = { status: 409, code: 'in_use', used_by: 'withdrawals' };
  const outcomeOf = (reply: Awaited<ReturnType<AdminClient['patch']>>) => ({
    status: reply.status,
    code: reply.code,
    used_by: reply.status < 300 ? undefined : reply.json()['used_by'],
  });

  it('cannot be deleted, while another one could', async () => {
    const other = await admin.delete('providers/twin', '*');
    const last = await admin.delete('providers/pushes', '*');

    expect(other.status).toBe(204);
    expect(outcomeOf(last)).toEqual(refused);
    expect(last.json()['apps']).toBe(world.site.appid);
    expect((await admin.get('providers/pushes')).status).toBe(200);
  });

  it.each([
    ['its Token', { mp_token: null }],
    ['its EncodingAESKey', { mp_encoding_aes_key: null }],
    ['the app', { open_app_id: null }],
    ['the AppSecret', { open_app_secret: null }],
    ['the app, for another one', { open_app_id: 'wx00000000000000dd' }],
  ])('cannot lose %s', async (_case, change) => {
    await admin.delete('providers/twin', '*');

    expect(outcomeOf(await admin.patch('providers/pushes', change))).toEqual(refused);
  });

  it('can have other keys, and lose an app that nobody is linked by', async () => {
    await admin.delete('providers/twin', '*');

    const replies = [
      await admin.post('providers/pushes/rotate', { secret: 'mp_token' }, '*'),
      await admin.patch('providers/pushes', {
        open_app_secret: '0'.repeat(32),
        mini_app_id: 'wx1',
        mini_app_secret: 'x',
      }),
      await admin.patch('providers/pushes', { mini_app_id: null, name: '推送' }),
    ];

    expect(replies.map(({ status }) => status)).toEqual([200, 200, 200]);
  });

  it('is one of two that are deleted at once, and stays', async () => {
    const replies = await Promise.all(
      ['pushes', 'twin'].map((slug) => admin.delete(`providers/${slug}`, '*')),
    );

    expect(replies.map(({ status }) => status).sort()).toEqual([204, 409]);
  });
});
