import { Logger } from '@nestjs/common';
import {
  Column,
  DefaultNamingStrategy,
  Entity,
  EventSubscriber,
  PrimaryColumn,
  type EntitySubscriberInterface,
  type Logger as TypeOrmLogger,
} from 'typeorm';
import { startWorld, type World } from '../support/iam-app.js';
import { withParser, type ParsedType } from '../support/pg-parsers.js';
import { rowsOf, valueOf } from '../support/rows.js';
import { signInOnPc } from '../support/sign-in.js';

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
      await rowsOf(world.dataSource, `SELECT tgname FROM pg_trigger WHERE tgname = 'audit_log_append_only'`),
    ).toHaveLength(1);
    expect(
      world.dataSource.entityMetadatas.filter(({ schema, synchronize }) => schema === 'iam' && synchronize),
    ).toEqual([]);
    expect((await signIn(world)).accessToken).toMatch(/^ey/);
  });
});
