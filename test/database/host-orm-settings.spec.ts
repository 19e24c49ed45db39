import { type DynamicModule, Logger, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { TypeOrmModule } from '@nestjs/typeorm';
import pg from 'pg';
import {
  Column,
  DataSource,
  DefaultNamingStrategy,
  Entity,
  type EntitySubscriberInterface,
  EventSubscriber,
  PrimaryColumn,
  type Logger as TypeOrmLogger,
} from 'typeorm';
import { WechatEmulator } from '../../emulator/index.js';
import {
  IamHealth,
  iamMigrations,
  IamModule,
  type IamOptions,
  IamUsers,
  IdentityProviders,
} from '../../src/index.js';
import { createDatabase, type TestDatabase } from '../support/database.js';
import { type IamApp, startIamApp, startWorld, testKey, type World } from '../support/iam-app.js';
import { ownMigrated } from '../support/templates.js';
import { type ParsedType, withParser } from '../support/pg-parsers.js';
import { quietOptions } from '../support/platforms.js';
import { rowsOf, valueOf } from '../support/rows.js';
import { signInOnPc } from '../support/sign-in.js';
import { until } from '../support/until.js';

const camel = (name: string) => name.replace(/_([a-z])/g, (_match, letter: string) => letter.toUpperCase());

class ShoutingNames extends DefaultNamingStrategy {
  override tableName(target: string, given?: string): string {
    return super.tableName(target, given).toUpperCase();
  }
}

class CamelColumns extends DefaultNamingStrategy {
  override columnName(property: string, given: string, prefixes: string[]): string {
    const name: unknown = super.columnName(property, given, prefixes);
    return camel(String(name));
  }
}

/** Fills in what it thinks every entity has, as hosts do. */
@EventSubscriber()
class StampEverything implements EntitySubscriberInterface {
  beforeInsert({ entity }: { entity: object }): void {
    Object.assign(entity, { tenant: 'shop' });
  }
  afterLoad(entity: object): void {
    Object.assign(entity, { seen: true });
  }
}

@Entity('shop_orders')
class OrderEntity {
  @PrimaryColumn({ type: 'integer' })
  id!: number;

  @Column({ type: 'text' })
  item!: string;
}

class Statements implements TypeOrmLogger {
  readonly lines: string[] = [];
  logQuery(query: string, parameters: unknown[] = []): void {
    this.lines.push(`${query} ${JSON.stringify(parameters)}`);
  }
  logQueryError(): void {
    this.lines.push('error');
  }
  logQuerySlow(): void {
    this.lines.push('slow');
  }
  logSchemaBuild(message: string): void {
    this.lines.push(message);
  }
  logMigration(message: string): void {
    this.lines.push(message);
  }
  log(): void {
    this.lines.push('log');
  }
}

describe('settings of the host’s TypeORM connection', () => {
  let world: World | undefined;

  beforeAll(() => {
    Logger.overrideLogger(false);
  });
  afterEach(async () => {
    await world?.close();
    world = undefined;
  });

  const signIn = async (started: World) => signInOnPc(started, started.wechat.person({ nickname: '小兰' }));

  it.each<[setting: string, typeOrm: object]>([
    ['entityPrefix', { entityPrefix: 'app_' }],
    ['namingStrategy', { namingStrategy: new ShoutingNames() }],
    ['namingStrategy', { namingStrategy: new CamelColumns() }],
    ['cache.alwaysEnabled', { cache: { type: 'database', alwaysEnabled: true }, migrationsRun: false }],
    ['entities', { autoLoadEntities: false }],
  ])('stop the start that would break our tables, and are named: %s', async (setting, typeOrm) => {
    await expect(startWorld({ typeOrm })).rejects.toThrow(`\`${setting}\``);
  });

  it('that keep our names and values do no harm', async () => {
    const logger = new Statements();
    const typeOrm = {
      schema: 'public',
      logging: 'all',
      logger,
      cache: true,
      subscribers: [StampEverything],
      relationLoadStrategy: 'query',
      namingStrategy: new DefaultNamingStrategy(),
      extra: { max: 5, options: '-c search_path=public -c TimeZone=Asia/Kolkata' },
    };
    const { tokens, secrets } = await withParser(['INT8'], BigInt, async () => {
      const started = await startWorld({ typeOrm });
      world = started;
      return { tokens: await signIn(started), secrets: [started.site.secret, started.oa.secret] };
    });

    const log = logger.lines.join('\n');
    expect(log).toContain('iam.');
    for (const secret of [tokens.accessToken, tokens.refreshToken, ...secrets])
      expect(log).not.toContain(secret);
  });

  it.each<[name: string, type: ParsedType]>([
    ['timestamptz', 'TIMESTAMPTZ'],
    ['jsonb', 'JSONB'],
    ['bool', 'BOOL'],
  ])(
    'and parsers of `pg` that change what we read stop the start, naming the type: %s',
    async (name, type) => {
      const start = withParser(
        [type],
        (text) => `as text: ${text}`,
        () => startWorld(),
      );

      await expect(start).rejects.toThrow(`type ${name} `);
    },
  );

  it('make no table of ours, so that `synchronize` changes nothing in the schema iam', async () => {
    world = await startWorld({ typeOrm: { synchronize: true, entities: [OrderEntity] } });

    expect(await valueOf(world.dataSource, `SELECT to_regclass('public.shop_orders')::text`)).toBe(
      'shop_orders',
    );
    expect(
      await rowsOf(
        world.dataSource,
        `SELECT tgname FROM pg_trigger WHERE tgname = 'audit_log_append_only' AND tgrelid = 'iam.audit_log'::regclass`,
      ),
    ).toHaveLength(1);
    expect(
      world.dataSource.entityMetadatas.filter(({ schema, synchronize }) => schema === 'iam' && synchronize),
    ).toEqual([]);
    expect((await signIn(world)).accessToken).toMatch(/^ey/);
  });
});

@Module({})
class HostModule {}

const names = iamMigrations.map((Migration) => new Migration().name);

const recorded = (table: string) => `SELECT name FROM ${table} ORDER BY "timestamp"`;

describe('a connection of the module’s own', () => {
  let database: TestDatabase;
  let wechat: WechatEmulator;
  const key = testKey();
  const apps: { close(): Promise<unknown> }[] = [];

  beforeAll(async () => {
    Logger.overrideLogger(false);
    wechat = await WechatEmulator.start();
  });
  beforeEach(async () => {
    database = await createDatabase();
  });
  afterEach(async () => {
    for (const app of apps.splice(0)) await app.close();
    await database.drop();
  });
  afterAll(() => wechat.stop());

  /** Another database than the empty one of the test. */
  const useMigrated = async () => {
    await database.drop();
    database = await createDatabase(ownMigrated);
  };

  const start = async (ownDatabase = {}, url = database.url): Promise<IamApp> => {
    const app = await startIamApp({ databaseUrl: url, endpoints: wechat.endpoints, key, ownDatabase });
    apps.push(app);
    return app;
  };

  const options = (): IamOptions => ({
    publicUrl: 'https://app.example.com',
    keys: [testKey()],
    clients: [{ id: 'web', redirectUris: ['https://app.example.com/signed-in'] }],
    database: { url: database.url, migrationsRun: true },
  });

  const create = async (imports: DynamicModule['imports']) => {
    const app = await NestFactory.create({ module: HostModule, imports: imports ?? [] }, quietOptions);
    apps.push(app);
    return app.init();
  };

  /** The database as a host with TypeORM left it. */
  async function migrateAsTypeOrm(changes: object = {}): Promise<void> {
    const dataSource = new DataSource({
      type: 'postgres',
      url: database.url,
      migrations: [...iamMigrations],
      ...changes,
    });
    await dataSource.initialize();
    await dataSource.runMigrations();
    await dataSource.destroy();
  }

  /** Those that the module has open. */
  async function connections(): Promise<{ count: number }[]> {
    const sql = `SELECT count(*)::int FROM pg_stat_activity WHERE datname = $1 AND application_name = 'nestjs-wechat-iam'`;
    const client = new pg.Client({ connectionString: database.url });
    await client.connect();
    const { rows } = await client.query<{ count: number }>(sql, [new URL(database.url).pathname.slice(1)]);
    await client.end();
    return rows;
  }

  it('migrates an empty database, notes it in the schema iam alone, and signs people in', async () => {
    const app = await start({}, `${database.url}?schema=public&connection_limit=5`);
    const site = wechat.openPlatformAccount().websiteApp({ callbackDomain: 'localhost' });
    await app.app
      .get(IdentityProviders)
      .save({ slug: 'wechat', open_app_id: site.appid, open_app_secret: site.secret });

    const tokens = await signInOnPc({ url: app.url, wechat }, wechat.person({ nickname: '小兰' }));

    expect(tokens.accessToken).toMatch(/^ey/);
    expect((await rowsOf(app.dataSource, recorded('iam.migrations'))).map(({ name }) => name)).toEqual(names);
    expect(
      await rowsOf(app.dataSource, `SELECT 1 FROM pg_class WHERE relnamespace = 'public'::regnamespace`),
    ).toEqual([]);
  });

  it('ends with the application', async () => {
    await useMigrated();
    const app = await start();
    apps.splice(0);

    await app.close();

    expect(await connections()).toEqual([{ count: 0 }]);
    expect(app.dataSource.isInitialized).toBe(false);
  });

  it('is migrated once by five replicas that start at once', async () => {
    const replicas = await Promise.all(Array.from({ length: 5 }, () => start()));

    const [first] = replicas;
    expect(
      first && (await rowsOf(first.dataSource, recorded('iam.migrations'))).map(({ name }) => name),
    ).toEqual(names);
  });

  it('takes over what TypeORM’s table says, runs nothing twice and leaves that table alone', async () => {
    await migrateAsTypeOrm();

    const { dataSource } = await start();

    for (const table of ['iam.migrations', 'public.migrations'])
      expect((await rowsOf(dataSource, recorded(table))).map(({ name }) => name)).toEqual(names);
  });

  it('stops the start where no table known to it says what has run', async () => {
    await migrateAsTypeOrm({ migrationsTableName: 'history' });

    await expect(start()).rejects.toThrow('--moved-from');
  });

  it('stops the start while migrations are pending, and runs none of them unasked', async () => {
    await expect(start({ migrationsRun: false })).rejects.toThrow('database.migrationsRun');
    expect(await connections()).toEqual([{ count: 0 }]);

    const app = await start();
    await expect(start({ migrationsRun: false })).resolves.toBeDefined();
    expect(await valueOf(app.dataSource, 'SELECT count(*)::int FROM iam.migrations')).toBe(names.length);
  });

  it('lets a replica start while PostgreSQL takes no changes, which health then says until it does', async () => {
    await useMigrated();
    await start();
    const name = new URL(database.url).pathname.slice(1);
    const admin = await new DataSource({ type: 'postgres', url: database.url }).initialize();
    await admin.query(`ALTER DATABASE ${name} SET default_transaction_read_only = on`);

    const app = await start();
    const healthOf = async () => (await app.app.get(IamHealth).check())['iam'];
    const readOnly = await healthOf();
    await admin.query(`ALTER DATABASE ${name} RESET default_transaction_read_only`);
    await admin.destroy();
    await until('health is up', async () => (await healthOf())?.status === 'up');

    expect(readOnly).toMatchObject({ status: 'down', problems: ['database_read_only'] });
  });

  it('is made from an async factory, beside a host’s own connection to another database', async () => {
    await useMigrated();
    const world = await startWorld();
    apps.push(world);
    const host = TypeOrmModule.forRoot({ type: 'postgres', url: world.database.url, entityPrefix: 'app_' });

    const app = await create([host, IamModule.forRootAsync({ dataSource: false, useFactory: options })]);
    const { id } = await app.get(IamUsers).create({ nickname: 'own' });

    expect(await valueOf(world.dataSource, 'SELECT count(*)::int FROM iam.users WHERE id = $1', [id])).toBe(
      0,
    );
    expect(app.get(DataSource).entityMetadatas).toEqual([]);
  });

  it('reads values as `pg` does by default, whatever the host has set for the process', async () => {
    await useMigrated();
    await withParser(
      ['TIMESTAMPTZ', 'JSONB'],
      (text) => `as text: ${text}`,
      async () => {
        const { dataSource } = await start();
        const sql = `SELECT '2026-01-02T03:04:05.678912Z'::timestamptz AS at, '{"a":[1]}'::jsonb AS json`;

        const utc = await rowsOf(dataSource, sql);
        const inIndia = await dataSource.transaction(async (manager) => {
          await manager.query(`SET LOCAL TimeZone = 'Asia/Kolkata'`);
          return rowsOf(manager, sql);
        });

        for (const rows of [utc, inIndia])
          expect(rows).toEqual([{ at: new Date('2026-01-02T03:04:05.678Z'), json: { a: [1] } }]);
      },
    );
  });

  it('wrongly set stops the start and names the option, never the address', async () => {
    const wrong: readonly (readonly [option: string, changes: object])[] = [
      ['database.url', { database: { url: 'mysql://app:pass-word@db/app' } }],
      ['database.url', { database: { url: undefined } }],
      ['database.poolSize', { database: { url: database.url, poolSize: 1 } }],
      ['database.migrationsRun', { database: { url: database.url, migrationsRun: 'yes' } }],
      ['database.preparedStatements', { database: { preparedStatements: 'off' } }],
      ['database.poolSize', { database: { preparedStatements: false, poolSize: 5 } }],
      ['database', { database: { preparedStatements: false }, dataSource: false }],
      ['database', { dataSource: 'other' }],
      ['database', { database: undefined, dataSource: false }],
    ];
    for (const [option, changes] of wrong) {
      const register = () =>
        Reflect.apply(IamModule.forRoot, IamModule, [{ ...options(), ...changes }]) as unknown;
      expect(register).toThrow(`\`${option}\``);
      expect(register).not.toThrow('pass-word');
    }
    const late = create([IamModule.forRootAsync({ useFactory: options })]);
    await expect(late).rejects.toThrow(/dataSource|DataSource/);
  });
});
