import { IdentityProviders } from '../../src/index.js';
import { AdminClient, adminOptions } from '../support/admin.js';
import { FakeClock } from '../support/fake-clock.js';
import { type IamApp, startReplica, startWorld, type World } from '../support/iam-app.js';
import { LogCapture } from '../support/log-capture.js';
import { PcBrowser } from '../support/pc-browser.js';
import { countWaiting, rowsOf, valueOf } from '../support/rows.js';
import { authorizeUrl, pkce, signInOnPc } from '../support/sign-in.js';
import { until } from '../support/until.js';

const secrets = {
  open_app_secret: 'canary-open-secret-0123456789abcdef',
  mp_app_secret: 'canary-mp-secret-0123456789abcdef',
  mp_token: 'canaryToken0123456789abcdef',
  mp_encoding_aes_key: 'canaryKey'.padEnd(43, 'K'),
  mini_app_secret: 'canary-mini-secret',
  mobile_app_secret: 'canary-mobile-secret',
};

describe('identity providers in the admin API', () => {
  const clock = new FakeClock();
  const logger = new LogCapture();
  let world: World;
  let admin: AdminClient;

  beforeAll(async () => {
    world = await startWorld({ options: adminOptions, clock, logger });
    admin = new AdminClient(world.url);
  });
  afterAll(() => world.close());

  const entries = (slug: string) =>
    rowsOf(
      world.dataSource,
      'SELECT action, actor, detail FROM iam.audit_log WHERE provider = $1 AND action LIKE $2 ORDER BY id',
      [slug, 'provider.%'],
    );
  const appidAt = async (base: string, slug: string) => {
    const url = authorizeUrl(world.url, pkce().challenge, { provider: slug }).replace(world.url, base);
    const { location } = await new PcBrowser().visit(url);
    return location?.searchParams.get('error') ?? location?.searchParams.get('appid');
  };

  describe('when created', () => {
    it('are answered with their address, ETag and what to register with WeChat', async () => {
      const created = await admin.post('providers', {
        slug: 'new',
        name: '新入口',
        open_app_id: 'wx0123456789abcdef',
        open_app_secret: 'a-secret',
      });
      const read = await admin.get('providers/new');

      expect(created.status).toBe(201);
      expect(created.headers.get('location')).toBe(`${world.url}/iam/admin/providers/new`);
      expect(created.etag).toMatch(/^"[0-9a-f]{32}"$/);
      expect(created.headers.get('cache-control')).toBe('no-store');
      expect(created.json()).toMatchObject({
        slug: 'new',
        name: '新入口',
        enabled: true,
        sign_up: 'auto',
        open_app_id: 'wx0123456789abcdef',
        union_scope: null,
        union_scope_in_force: 'new',
        callback_url: `${world.url}/iam/callback/new`,
        callback_domain: 'localhost',
        webhook_url: `${world.url}/iam/webhook/new`,
        problems: [],
        etag: created.etag,
      });
      expect([read.status, read.etag, read.json()]).toEqual([200, created.etag, created.json()]);
    });

    it('show of their secrets whether they are set, and nothing else ever', async () => {
      const apps = { open_app_id: 'wx1', mp_app_id: 'wx2', mini_app_id: 'wx3', mobile_app_id: 'wx4' };

      const created = await admin.post('providers', { slug: 'secretive', ...apps, ...secrets });
      const changed = await admin.patch('providers/secretive', {
        name: 'still',
        mp_app_secret: secrets.open_app_secret,
      });
      const rotated = await admin.post(
        'providers/secretive/rotate',
        { secret: 'mini_app_secret', value: secrets.mobile_app_secret },
        '*',
      );
      const refused = await admin.patch('providers/secretive', {
        ...secrets,
        mp_token: `${secrets.mp_token}-`,
      });
      const read = await admin.get('providers/secretive', { 'accept-language': 'en' });
      const listed = await admin.get('providers?q=secretive');
      const audit = JSON.stringify(await entries('secretive'));

      expect([created.status, changed.status, rotated.status, refused.status]).toEqual([201, 200, 200, 400]);
      expect(read.json()['secrets']).toEqual({
        ...Object.fromEntries(Object.keys(secrets).map((column) => [column, true])),
        mp_token_previous: false,
        mp_encoding_aes_key_previous: false,
      });
      const shown = [created, changed, rotated, refused, read, listed].map(({ text }) => text).join('\n');
      for (const text of [shown, audit, logger.text]) expect(text).not.toMatch(/canary/i);
    });

    it('are refused when their slug is taken', async () => {
      await admin.post('providers', { slug: 'taken' });

      const again = await admin.post('providers', { slug: 'taken' });

      expect([again.status, again.code]).toEqual([409, 'already_exists']);
    });

    it.each([
      ['a slug in upper case', { slug: 'Upper' }],
      ['a Token with a hyphen', { slug: 'x', mp_token: 'with-hyphen' }],
      ['a Token of two characters', { slug: 'x', mp_token: 'ab' }],
      ['an EncodingAESKey of 42 characters', { slug: 'x', mp_encoding_aes_key: 'k'.repeat(42) }],
      ['an EncodingAESKey with a base64 sign', { slug: 'x', mp_encoding_aes_key: `${'k'.repeat(42)}+` }],
      ['an appid with a space', { slug: 'x', open_app_id: 'wx 1' }],
      ['a secret in the form of SQL', { slug: 'x', open_app_secret: 'plain:abc' }],
      ['an empty secret', { slug: 'x', open_app_secret: '' }],
      ['NUL in the name', { slug: 'x', name: 'a\0b' }],
      ['half a character in the name', { slug: 'x', name: 'a\ud800' }],
      ['half a character in the union_scope', { slug: 'x', union_scope: '\udc00' }],
      ['a text for a switch', { slug: 'x', enabled: 'true' }],
      ['an unknown sign_up', { slug: 'x', sign_up: 'always' }],
      ['a page path with a leading slash', { slug: 'x', mini_approval_page: '/pages/a' }],
      ['a page path with a query', { slug: 'x', mini_approval_page: 'pages/a?b=1' }],
      ['an Open Platform step without following', { slug: 'x', qr_with: 'page', qr_login_with: 'open' }],
      ['no confirmation on a page', { slug: 'x', qr_with: 'page', qr_confirmation: 'none' }],
      ['no confirmation in a mini program', { slug: 'x', qr_with: 'mini', qr_confirmation: 'none' }],
      ['an id', { slug: 'x', id: '0198c0de-0000-4000-8000-000000000001' }],
      ['created_at', { slug: 'x', created_at: '2020-01-01T00:00:00Z' }],
      ['a property of the entity', { slug: 'x', openAppId: 'wx1' }],
      ['an object for a text', { slug: 'x', name: { toString: 'x' } }],
      ['a prototype', JSON.parse('{"slug":"x","__proto__":{"enabled":false}}')],
      ['a constructor', JSON.parse('{"slug":"x","constructor":{"prototype":{}}}')],
      ['a list', [{ slug: 'x' }]],
      ['nothing', undefined],
    ])('are refused with %s', async (_case, body: unknown) => {
      const refused = await admin.post('providers', body);

      expect([refused.status, refused.code]).toEqual([400, 'invalid_request']);
      expect((await admin.get('providers/x')).code).toBe('provider_not_found');
    });
  });

  describe('when changed', () => {
    it('change in what is given, null clearing a column, and say in the audit log what it was', async () => {
      await admin.post('providers', {
        slug: 'edited',
        name: 'before',
        union_scope: 'one',
        open_app_secret: 's1',
      });

      const changed = await admin.patch('providers/edited', {
        name: 'after',
        union_scope: null,
        open_app_secret: 's2',
        mp_app_secret: 's3',
        mini_app_secret: null,
      });

      expect(changed.json()).toMatchObject({ name: 'after', union_scope: null, enabled: true });
      expect(await entries('edited')).toEqual([
        {
          action: 'provider.created',
          actor: 'admin_token',
          detail: { values: { name: 'before', union_scope: 'one' }, secrets: ['open_app_secret'] },
        },
        {
          action: 'provider.updated',
          actor: 'admin_token',
          detail: {
            changed: { name: { from: 'before', to: 'after' }, union_scope: { from: 'one', to: null } },
            secrets: { open_app_secret: 'replaced', mp_app_secret: 'set' },
          },
        },
      ]);
    });

    it('are refused where the columns that stay contradict the new one, also by the database', async () => {
      await admin.post('providers', { slug: 'unasked', qr_confirmation: 'none' });

      const refused = await admin.patch('providers/unasked', { qr_with: 'page' });
      const bySql = world.dataSource.query(
        "UPDATE iam.identity_providers SET qr_with = 'page' WHERE slug = 'unasked'",
      );

      expect([refused.status, refused.code, refused.json()['member']]).toEqual([
        ...[400, 'invalid_request', 'qr_confirmation'],
      ]);
      await expect(bySql).rejects.toThrow('identity_providers_qr_consent_check');
      expect(
        (await admin.patch('providers/unasked', { qr_with: 'page', qr_confirmation: 'tap' })).status,
      ).toBe(200);
    });

    it('leave neither an entry nor another version when nothing changes, secrets included', async () => {
      const created = await admin.post('providers', { slug: 'same', name: 'same', mp_app_secret: 'kept' });

      const unchanged = await admin.patch('providers/same', { name: 'same', mp_app_secret: 'kept' });
      await world.app.get(IdentityProviders).save({ slug: 'same', name: 'same', mp_app_secret: 'kept' });

      expect([unchanged.status, unchanged.etag]).toEqual([200, created.etag]);
      expect(await entries('same')).toHaveLength(1);
    });

    it('are in the audit log also when the host saves them', async () => {
      await world.app.get(IdentityProviders).save({ slug: 'of-host', name: 'one' });
      await world.app.get(IdentityProviders).save({ slug: 'of-host', enabled: false });

      expect((await entries('of-host')).map(({ action }) => action)).toEqual([
        'provider.created',
        'provider.updated',
      ]);
    });

    it('ask for the version that the change is based on', async () => {
      const { etag } = await admin.post('providers', { slug: 'versioned' });
      const first = await admin.patch('providers/versioned', { name: 'first' }, etag);

      const without = await admin.request('PATCH', 'providers/versioned', { body: { name: 'x' } });
      const stale = await admin.patch('providers/versioned', { name: 'stale' }, etag);
      const foreign = await admin.patch('providers/versioned', { name: 'x' }, 'W/"abc"');
      const current = await admin.patch('providers/versioned', { name: 'second' }, first.etag);

      expect([without.status, without.code]).toEqual([428, 'precondition_required']);
      expect([stale.status, stale.code]).toEqual([412, 'precondition_failed']);
      expect([foreign.status, foreign.code]).toEqual([412, 'precondition_failed']);
      expect([current.status, current.json()['name']]).toEqual([200, 'second']);
    });

    it('take one of five changes that are based on the same version', async () => {
      const { etag } = await admin.post('providers', { slug: 'contended' });
      const holder = world.dataSource.createQueryRunner();
      await holder.startTransaction();
      await holder.query(`SELECT FROM iam.identity_providers WHERE slug = 'contended' FOR UPDATE`);

      const changing = Array.from({ length: 5 }, (_, index) =>
        admin.patch('providers/contended', { name: `n${index}` }, etag),
      );
      await until('five statements wait', async () => (await countWaiting(world.dataSource)) === 5);
      await holder.commitTransaction();
      await holder.release();
      const replies = await Promise.all(changing);

      expect(replies.map(({ status }) => status).sort()).toEqual([200, 412, 412, 412, 412]);
      expect(await entries('contended')).toHaveLength(2);
    });

    it.each([
      ['the slug', { slug: 'other' }],
      ['an unknown column', { open_app_key: 'x' }],
      ['null where there must be a value', { name: null }],
      ['an empty name', { name: '' }],
      ['__proto__', JSON.parse('{"__proto__":{"name":"x"}}')],
    ])('are refused with %s', async (_case, body: unknown) => {
      const refused = await admin.patch('providers/wechat', body);

      expect([refused.status, refused.code]).toEqual([400, 'invalid_request']);
    });

    it.each(['nobody', 'No%00body', '%27%3B--', 'a'.repeat(300)])('are not found as %s', async (slug) => {
      const replies = [
        await admin.get(`providers/${slug}`),
        await admin.patch(`providers/${slug}`, { name: 'x' }),
      ];

      expect(replies.map(({ status, code }) => [status, code])).toEqual([
        [404, 'provider_not_found'],
        [404, 'provider_not_found'],
      ]);
    });

    describe('with another replica running', () => {
      let replica: IamApp;
      beforeAll(async () => {
        replica = await startReplica(world, { clock });
      });
      afterAll(() => replica.close());

      it('act at once here and within five seconds there', async () => {
        await admin.post('providers', { slug: 'live', open_app_id: 'wxold', open_app_secret: 's' });
        clock.advance(5);
        await Promise.all([appidAt(world.url, 'live'), appidAt(replica.url, 'live')]);

        await admin.patch('providers/live', { open_app_id: 'wxnew' });
        const here = await appidAt(world.url, 'live');
        clock.advance(5);
        const there = await appidAt(replica.url, 'live');

        expect([here, there]).toEqual(['wxnew', 'wxnew']);
      });
    });

    it('act at once also where a reading is under way that has seen what was before', async () => {
      await admin.post('providers', { slug: 'racing', open_app_id: 'wxold', open_app_secret: 's' });
      await admin.post('providers', { slug: 'slow', mp_app_id: 'wx1' });
      await world.dataSource.query(
        `UPDATE iam.identity_providers SET mp_app_secret = 'plain:x' WHERE slug = 'slow'`,
      );
      const holder = world.dataSource.createQueryRunner();
      await holder.startTransaction();
      await holder.query(`SELECT FROM iam.identity_providers WHERE slug = 'slow' FOR UPDATE`);
      clock.advance(5);
      const reading = appidAt(world.url, 'racing');
      await until('a statement waits', async () => (await countWaiting(world.dataSource)) === 1);

      await admin.patch('providers/racing', { open_app_id: 'wxnew' });
      await holder.commitTransaction();
      await holder.release();
      await reading;

      expect(await appidAt(world.url, 'racing')).toBe('wxnew');
    });
  });

  describe('when listed', () => {
    it('come page by page in the order of their slugs, each with its ETag', async () => {
      for (const slug of ['page-a', 'page-b', 'page-c', 'page-d', 'page-e'])
        await admin.post('providers', { slug });

      const pages = [await admin.get('providers?limit=2&q=page-')];
      while (pages.at(-1)?.json()['next_cursor'] != null && pages.length < 9)
        pages.push(
          await admin.get(`providers?limit=2&q=page-&cursor=${String(pages.at(-1)?.json()['next_cursor'])}`),
        );
      const items = pages.flatMap((page) => page.items());

      expect(pages.map((page) => page.items().length)).toEqual([2, 2, 1]);
      expect(items.map(({ slug }) => slug)).toEqual(['page-a', 'page-b', 'page-c', 'page-d', 'page-e']);
      expect(items[0]?.['etag']).toBe((await admin.get('providers/page-a')).etag);
    });

    it('are filtered by being enabled and by the beginning of slug or name, taken literally', async () => {
      await admin.post('providers', { slug: 'filter-on', name: 'Ängström 100%' });
      await admin.post('providers', { slug: 'filter-off', enabled: false });
      const slugs = async (query: string) =>
        (await admin.get(`providers?${query}`)).items().map(({ slug }) => slug);

      expect(await slugs('q=filter-&enabled=true')).toEqual(['filter-on']);
      expect(await slugs('q=filter-&enabled=false')).toEqual(['filter-off']);
      expect(await slugs(`q=${encodeURIComponent('ängström 100%')}`)).toEqual(['filter-on']);
      expect(await slugs('q=%25')).toEqual([]);
      expect(await slugs('q=_')).toEqual([]);
    });

    it.each(['enabled=perhaps', 'limit=0', 'limit=101', 'cursor=!!', 'q=a&q=b', 'q=%00'])(
      'refuse %s',
      async (query) => {
        const refused = await admin.get(`providers?${query}`);

        expect([refused.status, refused.code]).toEqual([400, 'invalid_request']);
      },
    );

    it('tell what is wrong with a row, in the language asked for', async () => {
      await admin.post('providers', { slug: 'half', mp_app_id: 'WX-half', qr_enabled: true });

      const [row] = (await admin.get('providers?q=half', { 'accept-language': 'en' })).items();
      const chinese = await admin.get('providers/half', { 'accept-language': 'zh-CN' });

      expect(row?.['problems']).toMatchObject([
        { id: 'row.methods', finding: 'no_pair', status: 'error' },
        {
          id: 'mp.credentials',
          finding: 'pair_incomplete',
          detail: expect.stringContaining('mp_app_secret') as string,
        },
        { id: 'mp.qr_login', finding: 'qr_without_pair' },
        { id: 'mp.token', finding: 'token_missing' },
        { id: 'mp.encoding_aes_key', finding: 'key_missing' },
      ]);
      expect(chinese.text).toContain('未填写 mp_token');
    });

    it('show a row whose secret does not open, so that it can be mended', async () => {
      await admin.post('providers', {
        slug: 'broken',
        open_app_id: 'wx0123456789abcdef',
        open_app_secret: 's',
      });
      await world.dataSource.query(
        `UPDATE iam.identity_providers SET open_app_secret = 'neither' WHERE slug = 'broken'`,
      );

      const shown = await admin.get('providers/broken');
      const mended = await admin.patch('providers/broken', { open_app_secret: 'fresh' });

      expect(shown.json()['problems']).toMatchObject([
        { finding: 'secret_unreadable', facts: { columns: 'open_app_secret' } },
      ]);
      expect(shown.text).not.toContain('neither');
      expect(mended.json()['problems']).toEqual([]);
    });
  });

  describe('when deleted', () => {
    it('are gone at once, and the audit log says so', async () => {
      const { etag } = await admin.post('providers', {
        slug: 'gone',
        open_app_id: 'wx1',
        open_app_secret: 's',
      });
      await appidAt(world.url, 'gone');

      const without = await admin.request('DELETE', 'providers/gone');
      const stale = await admin.delete('providers/gone', `"${'0'.repeat(32)}"`);
      const deleted = await admin.delete('providers/gone', etag);

      expect([without.status, stale.status, deleted.status, deleted.text]).toEqual([428, 412, 204, '']);
      expect(await appidAt(world.url, 'gone')).toBe('provider_not_found');
      expect((await admin.get('providers/gone')).status).toBe(404);
      expect((await entries('gone')).at(-1)).toMatchObject({
        action: 'provider.deleted',
        detail: { name: 'gone' },
      });
    });

    it.each(['identities', 'logins', 'sessions'])('stay while they have %s', async (table) => {
      await signInOnPc(world, world.wechat.person({ nickname: '小兰' }));
      const slug = `used-by-${table}`;
      await admin.post('providers', { slug });
      await world.dataSource.query(`UPDATE iam.${table} SET provider = $1`, [slug]);

      const refused = await admin.delete(`providers/${slug}`);
      await world.dataSource.query(`UPDATE iam.${table} SET provider = 'wechat'`);

      expect([refused.status, refused.code, refused.json()['used_by']]).toEqual([409, 'in_use', table]);
      expect(
        await valueOf(world.dataSource, 'SELECT count(*)::int FROM iam.identity_providers WHERE slug = $1', [
          slug,
        ]),
      ).toBe(1);
    });
  });
});
