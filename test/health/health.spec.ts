import {
  Controller,
  Get,
  Injectable,
  Logger,
  Module,
  type OnApplicationBootstrap,
  type Type,
} from '@nestjs/common';
import { HealthCheck, HealthCheckService, TerminusModule } from '@nestjs/terminus';
import { TypeOrmModule } from '@nestjs/typeorm';
import { WechatEmulator } from '../../emulator/index.js';
import { CarryUnions1764000006000 } from '../../migrations/1764000006000-carry-unions.js';
import { findSchemaGaps } from '../../src/health/schema-watch.service.js';
import {
  type IamAuditEntry,
  type IamAuditSink,
  IamHealth,
  IamModule,
  IdentityProviders,
  WechatApi,
} from '../../src/index.js';
import { createDatabase, type DatabaseTemplate, type TestDatabase } from '../support/database.js';
import { SkewedClock } from '../support/fake-clock.js';
import { startIamApp, startReplica, startWorld, testKey, type World } from '../support/iam-app.js';
import { migrated } from '../support/templates.js';
import { LogCapture } from '../support/log-capture.js';
import { PcBrowser } from '../support/pc-browser.js';
import { onExpress } from '../support/platforms.js';
import { rowsOf } from '../support/rows.js';
import { returnFromPc, signInOnPc } from '../support/sign-in.js';
import { refresh } from '../support/signed-in.js';
import { TcpProxy } from '../support/tcp-proxy.js';
import { until } from '../support/until.js';

@Controller('health')
class HealthController {
  constructor(
    private readonly checks: HealthCheckService,
    private readonly iam: IamHealth,
  ) {}

  @Get()
  @HealthCheck()
  check() {
    return this.checks.check([() => this.iam.check('iam')]);
  }
}

@Module({ imports: [TerminusModule.forRoot({ logger: false })], controllers: [HealthController] })
class HealthModule {}

/** Every object by the name that health gives it, and the statement that hides it. */
const madeByMigrations = `
  SELECT table_name || '.' || column_name AS name,
    format('ALTER TABLE iam.%I RENAME COLUMN %I TO %I', table_name, column_name, column_name || '_') AS rename
  FROM information_schema.columns JOIN pg_class ON relname = table_name AND relnamespace = 'iam'::regnamespace
  WHERE table_schema = 'iam' AND NOT relispartition
  UNION ALL SELECT format('constraint %s.%s', relname, conname),
    format('ALTER TABLE iam.%I RENAME CONSTRAINT %I TO %I', relname, conname, conname || '_')
  FROM pg_constraint JOIN pg_class c ON c.oid = conrelid WHERE connamespace = 'iam'::regnamespace AND contype <> 'n' AND coninhcount = 0
  UNION ALL SELECT format('unique index %s.%s', c.relname, i.relname), format('ALTER INDEX iam.%I RENAME TO %I', i.relname, i.relname || '_')
  FROM pg_index JOIN pg_class c ON c.oid = indrelid JOIN pg_class i ON i.oid = indexrelid
  WHERE c.relnamespace = 'iam'::regnamespace AND indisunique AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = indexrelid)
  UNION ALL SELECT format('trigger %s.%s', relname, tgname),
    format('ALTER TRIGGER %I ON iam.%I RENAME TO %I', tgname, relname, tgname || '_')
  FROM pg_trigger JOIN pg_class c ON c.oid = tgrelid WHERE relnamespace = 'iam'::regnamespace AND NOT tgisinternal AND tgparentid = 0 AND relname !~ '\\d{8}$'
  UNION ALL SELECT 'function ' || oid::regprocedure,
    format('ALTER FUNCTION %s RENAME TO %I', oid::regprocedure, proname || '_')
  FROM pg_proc WHERE pronamespace = 'iam'::regnamespace AND prorettype <> 'trigger'::regtype`;

describe('the health of a replica, as Terminus shows it', () => {
  let world: World;
  let proxy: TcpProxy;
  const clock = new SkewedClock(0);
  /** Reaches the database by way of the proxy. */
  let iam: Awaited<ReturnType<typeof startIamApp>>;

  beforeAll(async () => {
    world = await startWorld({ imports: [HealthModule], clock, options: { wechat: { timeout: 1_000 } } });
    proxy = await TcpProxy.start(world.database.url);
    iam = await startReplica(world, { imports: [HealthModule], databaseUrl: proxy.url });
  });
  afterAll(async () => {
    await iam.close();
    await proxy.cut();
    await world.close();
  });

  const person = () => world.wechat.person({ nickname: '康' });
  const healthOf = async ({ url }: Pick<World, 'url'>) => {
    const reply = await new PcBrowser().visit(`${url}/health`, { headers: { accept: 'application/json' } });
    const details = reply.json()['details'] as { iam: Record<string, unknown> };
    return { status: reply.status, ...reply.json(), iam: details.iam };
  };

  it('is up, with what stands behind it', async () => {
    const health = await healthOf(world);

    expect(health).toMatchObject({ status: 'ok', error: {} });
    expect(health.iam).toEqual({
      status: 'up',
      problems: [],
      inbox: { oldest_seconds: null, dead: 0 },
      backchannel: { oldest_seconds: null, dead: 0 },
      audit: { oldest_seconds: null },
      pool: {
        size: expect.any(Number) as number,
        idle: expect.any(Number) as number,
        waiting: 0,
      },
    });
  });

  it('is down while PostgreSQL is away, and up again when it is back', async () => {
    await healthOf(iam);
    await proxy.cut();

    const away = await healthOf(iam);
    await proxy.restore();
    const back = await healthOf(iam);

    expect(away).toMatchObject({
      status: 'error',
      iam: { status: 'down', problems: ['database_unreachable'] },
    });
    expect(back).toMatchObject({ status: 'ok', iam: { status: 'up' } });
  });

  it('is down on a database that takes no changes, and up again without a restart', async () => {
    const name = new URL(world.database.url).pathname.slice(1);
    const tokens = await signInOnPc(world, person());
    await world.dataSource.query(`ALTER DATABASE ${name} SET default_transaction_read_only = on`);
    await proxy.cut();
    await proxy.restore();

    const isReadOnly = ({ iam: { problems } }: Awaited<ReturnType<typeof healthOf>>) =>
      JSON.stringify(problems) === '["database_read_only"]';
    await until('health says so', async () => isReadOnly(await healthOf(iam)));
    const health = await healthOf(iam);
    const refused = await refresh(iam.url, tokens.refreshToken);
    await world.dataSource.query(
      `BEGIN READ WRITE; ALTER DATABASE ${name} RESET default_transaction_read_only; COMMIT`,
    );
    await until('health is up', async () => (await healthOf(iam)).iam['status'] === 'up');

    expect(health.iam).toMatchObject({
      status: 'down',
      problems: ['database_read_only'],
      remedy: expect.stringContaining('primary') as string,
    });
    expect(refused.status).toBe(503);
  });

  it('names the permissions that the database user lacks, and is up once they are granted', async () => {
    const name = new URL(world.database.url).pathname.slice(1);
    const { refreshToken } = await signInOnPc(world, person());
    await world.dataSource.query(`ALTER DATABASE ${name} SET role = 'pg_monitor'`);
    await proxy.cut();
    await proxy.restore();

    await until('PostgreSQL refuses', async () => (await healthOf(iam)).iam['remedy'] !== undefined);
    const health = await healthOf(iam);
    const refused = await refresh(iam.url, refreshToken);
    await world.dataSource.query(`
      SET LOCAL ROLE NONE; GRANT USAGE ON SCHEMA iam TO pg_monitor;
      GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA iam TO pg_monitor;
      GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA iam TO pg_monitor`);
    const granted = await healthOf(iam);
    await world.dataSource.query(`SET LOCAL ROLE NONE; ALTER DATABASE ${name} RESET role`);
    await proxy.cut();
    await proxy.restore();
    await until('health is up', async () => (await healthOf(iam)).iam['status'] === 'up');

    expect(health.iam).toEqual({
      status: 'down',
      problems: ['database_unreachable'],
      remedy: expect.stringMatching(/GRANT USAGE .*SELECT, INSERT, UPDATE and DELETE .*EXECUTE/) as string,
      pool: expect.anything() as object,
    });
    expect([granted.iam['status'], granted.iam['problems'], refused.status]).toEqual(['up', [], 503]);
  });

  it('is down within its patience when every connection is busy, and asks for no more of them', async () => {
    const sleepers = Array.from({ length: 10 }, () => iam.dataSource.query('SELECT pg_sleep(4)'));

    const checks = await Promise.all(Array.from({ length: 5 }, () => healthOf(iam)));
    const { pool } = checks[0]?.iam ?? {};
    await Promise.all(sleepers);
    const after = await healthOf(iam);

    for (const { iam: report } of checks)
      expect(report).toMatchObject({ status: 'down', problems: ['database_unreachable'] });
    expect((pool as { waiting: number }).waiting).toBeLessThanOrEqual(3);
    expect(after.iam).toMatchObject({ status: 'up', problems: [] });
  });

  it('is down at once where a statement misses a table, though the schema was whole a moment ago', async () => {
    await healthOf(world);
    await world.dataSource.query('ALTER TABLE iam.audit_outbox RENAME TO audit_outbox_later');

    const health = await healthOf(world);
    await world.dataSource.query('ALTER TABLE iam.audit_outbox_later RENAME TO audit_outbox');

    expect(health.iam).toMatchObject({
      status: 'down',
      problems: ['migrations_missing'],
      missing: ['table audit_outbox'],
    });
  });

  it.each([
    [
      'a column is gone',
      'ALTER TABLE iam.sessions RENAME COLUMN user_agent TO later',
      'ALTER TABLE iam.sessions RENAME COLUMN later TO user_agent',
      { missing: ['sessions.user_agent'] },
    ],
    [
      'a trigger is switched off',
      'ALTER TABLE iam.users DISABLE TRIGGER users_bar_or_lift',
      'ALTER TABLE iam.users ENABLE TRIGGER users_bar_or_lift',
      { missing: ['trigger users.users_bar_or_lift'] },
    ],
    [
      'a function is gone',
      'ALTER FUNCTION iam.subject_hash(text, text, text) RENAME TO later',
      'ALTER FUNCTION iam.later(text, text, text) RENAME TO subject_hash',
      { missing: ['function iam.subject_hash(text,text,text)'] },
    ],
    [
      'a constraint is gone',
      'ALTER TABLE iam.logins RENAME CONSTRAINT logins_status_check TO later',
      'ALTER TABLE iam.logins RENAME CONSTRAINT later TO logins_status_check',
      { missing: ['constraint logins.logins_status_check'] },
    ],
    [
      'a migration has not run that adds nothing which can be seen',
      `UPDATE migrations SET name = 'later' WHERE name = '${CarryUnions1764000006000.name}'`,
      `UPDATE migrations SET name = '${CarryUnions1764000006000.name}' WHERE name = 'later'`,
      { pending: [CarryUnions1764000006000.name] },
    ],
  ])('is down where %s, names it, and is up again without a restart', async (_what, damage, mend, named) => {
    await healthOf(world);
    await world.dataSource.query(damage);
    clock.pass(60);

    const health = await healthOf(world);
    await world.dataSource.query(mend);
    const repaired = await healthOf(world);

    expect(health.iam).toEqual({
      status: 'down',
      problems: ['migrations_missing'],
      remedy: expect.stringContaining('npx nestjs-wechat-iam migrate') as string,
      ...named,
      pool: expect.anything() as object,
    });
    expect(repaired.iam).toMatchObject({ status: 'up', problems: [] });
  });

  it.each([
    ['is not there', 'SELECT 1'],
    ['knows none of ours', 'CREATE TABLE migrations (name text)'],
    ['is another tool’s', 'CREATE TABLE migrations (id int, migration text)'],
    ['has names that are no text', 'CREATE TABLE migrations AS SELECT 1 AS name UNION SELECT NULL'],
  ])('is up where the table of migrations %s: it may be elsewhere', async (_what, make) => {
    await world.dataSource.query(`ALTER TABLE migrations RENAME TO elsewhere; ${make}`);
    clock.pass(60);

    const health = await healthOf(world);
    await world.dataSource.query(
      'DROP TABLE IF EXISTS migrations; ALTER TABLE elsewhere RENAME TO migrations',
    );

    expect(health.iam).toMatchObject({ status: 'up', problems: [] });
  });

  it('looks for whatever the migrations make but indexes that only make it faster', async () => {
    const database = await createDatabase(migrated);
    const { dataSource, close } = await startReplica(world, { databaseUrl: database.url });
    const made = await rowsOf(dataSource, madeByMigrations);

    await dataSource.query(made.map(({ rename }) => String(rename)).join(';'));
    const { missing } = await findSchemaGaps(dataSource);
    await close();
    await database.drop();

    expect(made.length).toBeGreaterThan(100);
    expect([...missing].sort()).toEqual(made.map(({ name }) => name).sort());
  });

  it('is down without a signing key', async () => {
    await world.dataSource.query(`UPDATE iam.signing_keys SET active_at = now() + interval '1 hour'`);

    const health = await healthOf(world);
    await world.dataSource.query('UPDATE iam.signing_keys SET active_at = created_at');

    expect(health.iam).toMatchObject({ status: 'down', problems: ['signing_key_missing'] });
  });

  it('names an inbox that is behind and events that were given up, and stays up', async () => {
    await world.dataSource.query(
      `INSERT INTO iam.webhook_events (id, provider, dedupe_key, event, event_at, message, status, lease_until, received_at)
       VALUES (gen_random_uuid(), 'wechat', 'late', 'CLICK', now(), '{}', 'pending', now() + interval '1 hour', now() - interval '10 minutes'),
              (gen_random_uuid(), 'wechat', 'dead', 'CLICK', now(), '{}', 'dead', NULL, now())`,
    );

    const health = await healthOf(world);
    await world.dataSource.query('DELETE FROM iam.webhook_events');

    expect(health).toMatchObject({
      status: 'ok',
      iam: { status: 'up', problems: ['inbox_late', 'inbox_dead'] },
    });
    expect((health.iam['inbox'] as { oldest_seconds: number }).oldest_seconds).toBeGreaterThan(599);
  });

  it('names apps that WeChat refuses until it serves them again', async () => {
    const refusal = {
      errcode: 40164,
      errmsg: 'invalid ip 203.0.113.7 ipv6 ::ffff:203.0.113.7, not in whitelist',
    };
    world.wechat.once('/sns/oauth2/access_token', { errcode: 40125, errmsg: 'invalid appsecret' });
    await returnFromPc(world, person());
    world.wechat.always('/cgi-bin/stable_token', refusal);
    const call = () =>
      world.app.get(WechatApi).call({ provider: 'wechat', path: '/cgi-bin/get_api_domain_ip' });
    await expect(call()).rejects.toMatchObject({ code: 'wechat_ip_not_allowed' });

    const refused = await healthOf(world);
    await signInOnPc(world, person());
    const half = await healthOf(world);
    world.wechat.clearFaults();
    await call().catch(() => undefined);
    const served = await healthOf(world);

    const trouble = (appid: string, code: string) => ({ appid, code, since: expect.any(String) as string });
    expect(refused.iam).toMatchObject({ status: 'up', problems: ['provider_unhealthy'] });
    expect(refused.iam['apps']).toEqual([
      trouble(world.site.appid, 'wechat_credentials_rejected'),
      trouble(world.oa.appid, 'wechat_ip_not_allowed'),
    ]);
    expect(half.iam['apps']).toEqual([trouble(world.oa.appid, 'wechat_ip_not_allowed')]);
    expect(served.iam).toMatchObject({ problems: [] });
    expect(JSON.stringify(refused)).not.toContain('203.0.113.7');
  });

  it('says that WeChat cannot be reached, which people are then told at once', async () => {
    world.wechat.always('/sns/oauth2/access_token', { drop: true });
    for (let times = 0; times < 10; times += 1) await returnFromPc(world, person());
    world.wechat.clearCalls();

    const { returned } = await returnFromPc(world, person());
    const health = await healthOf(world);
    world.wechat.clearFaults();

    expect(returned.location?.searchParams.get('error')).toBe('temporarily_unavailable');
    expect(world.wechat.calls('/sns/oauth2/access_token')).toHaveLength(0);
    expect(health.iam).toMatchObject({ status: 'up', problems: ['wechat_unreachable'] });
  });
});

@Injectable()
class RowOfTheHost implements OnApplicationBootstrap {
  constructor(private readonly providers: IdentityProviders) {}

  onApplicationBootstrap(): Promise<void> {
    return this.providers.save({ slug: 'wechat', name: '微信' });
  }
}

@Module({ providers: [RowOfTheHost] })
class HostWithRow {}

@Injectable()
class ListedActions implements IamAuditSink {
  readonly actions: string[] = [];

  write(entries: readonly IamAuditEntry[]): void {
    this.actions.push(...entries.map(({ action }) => action));
  }
}

@Module({ providers: [ListedActions] })
class ListeningHost {}

/** A module of the host, below so many others. */
const nested = (module: Type, levels: number): Type => {
  @Module({ imports: [module] })
  class Level {}
  return levels === 1 ? Level : nested(Level, levels - 1);
};

describe('the start', () => {
  let wechat: WechatEmulator;
  const databases: TestDatabase[] = [];
  const logger = new LogCapture();

  beforeAll(async () => {
    wechat = await WechatEmulator.start();
  });
  afterAll(async () => {
    Logger.overrideLogger(false);
    await Promise.all([wechat.stop(), ...databases.map((database) => database.drop())]);
  });

  const start = async (more: Partial<Parameters<typeof startIamApp>[0]>, template?: DatabaseTemplate) => {
    const database = await createDatabase(template);
    databases.push(database);
    return startIamApp({ databaseUrl: database.url, endpoints: wechat.endpoints, logger, ...more });
  };

  it('says in one line what to do where there is no provider row, and nothing where there is one', async () => {
    const withRow = await start({ imports: [HostWithRow] }, migrated);
    const script = await start({ options: { background: false } }, migrated);
    // The last to start is the last to speak.
    const empty = await start({ prepare: (app) => app.setGlobalPrefix('api') }, migrated);

    await until('it speaks', () => logger.with('no provider row').length > 0);

    expect(logger.with('no provider row')).toEqual([
      { level: 'warn', text: expect.stringContaining(`POST ${empty.url}/api/iam/admin/providers`) as string },
    ]);
    expect(logger.text).toContain('npx nestjs-wechat-iam provider add wechat --open-app-id');
    expect(logger.text).toContain('npx nestjs-wechat-iam emulator --demo');
    await Promise.all([withRow, script, empty].map((host) => host.close()));
  });

  it('is over before a module of the host begins its own, however deep that is nested', async () => {
    const imports = [nested(HostWithRow, 20)];

    await expect(start({ imports, typeOrm: { migrationsRun: false } })).rejects.toThrow();
    expect(logger.with('the schema iam lacks')).toHaveLength(1);

    const host = await start({
      imports: [{ module: ListeningHost, imports }],
      options: { audit: { sink: ListedActions } },
    });
    const { actions } = host.app.get(ListedActions);
    await until('the sink has an entry', () => actions.length > 0);
    expect(actions).toEqual(['provider.created']);
    await host.close();
  });

  it('is stopped where the connection lacks the entities, and says how it gets them', async () => {
    const database = await createDatabase();
    databases.push(database);
    const imports = [
      TypeOrmModule.forRoot({ type: 'postgres', url: database.url, retryAttempts: 0 }),
      IamModule.forRoot({
        publicUrl: 'http://localhost',
        keys: [testKey()],
        clients: [{ id: 'web', redirectUris: ['http://localhost/'] }],
      }),
    ];
    await expect(onExpress({ module: HostWithRow, imports, providers: [] })).rejects.toThrow(
      /iamEntities.*autoLoadEntities/,
    );
  });
});
