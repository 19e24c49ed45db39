import {
  Controller,
  type DynamicModule,
  type INestApplicationContext,
  Injectable,
  Module,
} from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import {
  ClientProxyFactory,
  MessagePattern,
  type MicroserviceOptions,
  type TcpOptions,
  Transport,
} from '@nestjs/microservices';
import { TypeOrmModule } from '@nestjs/typeorm';
import { spyOn } from 'jest-mock';
import { firstValueFrom } from 'rxjs';
import {
  type IamAuditEntry,
  type IamAuditSink,
  IamHealth,
  iamMigrations,
  IamModule,
  type IamOptions,
  IamUsers,
  IdentityProviders,
  OnWechatEvent,
  WechatApi,
} from '../../src/index.js';
import { freePort } from '../../example/postgres/free-port.js';
import { BackgroundLoop } from '../../src/runtime/background-loop.js';
import { startWorld, type World } from '../support/iam-app.js';
import { platforms, quietOptions } from '../support/platforms.js';
import { valueOf } from '../support/rows.js';
import { until } from '../support/until.js';

@Controller()
class UsersByMessage {
  constructor(private readonly users: IamUsers) {}

  @MessagePattern('create')
  async create(nickname: string) {
    return this.users.create({ nickname });
  }
}

@Controller()
class Subscriptions {
  count = 0;

  @OnWechatEvent('subscribe')
  welcome(): void {
    this.count += 1;
  }
}

@Injectable()
class Sink implements IamAuditSink {
  readonly actions: string[] = [];

  async write(entries: readonly IamAuditEntry[]): Promise<void> {
    this.actions.push(...entries.map(({ action }) => action));
  }
}

@Module({})
class WorkerModule {}

/** Two processes that both looked for due events would each get one sooner or later. */
const ROUNDS = 6;

const openSql = `SELECT count(*)::int FROM iam.webhook_events WHERE status IN ('pending', 'processing')`;
const dueSql = `
  INSERT INTO iam.webhook_events (id, provider, dedupe_key, event, openid, event_at, message, status, lease_until)
  VALUES (gen_random_uuid(), 'wechat', $1, 'subscribe', 'o1', now(),
    '{"MsgType":"event","Event":"subscribe","FromUserName":"o1","ToUserName":"gh_1","CreateTime":"1"}', 'pending', now())`;

describe('an application without HTTP', () => {
  let world: World;
  const open: INestApplicationContext[] = [];

  beforeAll(async () => {
    world = await startWorld({ options: { background: false } });
  });
  afterEach(async () => {
    for (const application of open.splice(0)) await application.close();
  });
  afterAll(() => world.close());

  /** The module of a worker that shares database, key and WeChat with the application under HTTP. */
  function worker(options: Partial<IamOptions> = {}): DynamicModule {
    return {
      module: WorkerModule,
      imports: [
        TypeOrmModule.forRoot({
          type: 'postgres',
          url: world.database.url,
          autoLoadEntities: true,
          migrations: [...iamMigrations],
        }),
        IamModule.forRootAsync({
          useFactory: () => ({
            publicUrl: world.url,
            keys: [world.key],
            clients: [{ id: 'web', redirectUris: [`${world.url}/signed-in`] }],
            wechat: { endpoints: world.wechat.endpoints },
            ...options,
          }),
        }),
      ],
      controllers: [UsersByMessage, Subscriptions],
      providers: [Sink],
    };
  }

  async function startContext(options?: Partial<IamOptions>) {
    const context = await NestFactory.createApplicationContext(worker(options), quietOptions);
    open.push(context);
    return context;
  }

  /** What a client of the transport gets for a nickname. */
  async function createByMessage(port: number, nickname: string): Promise<unknown> {
    const client = ClientProxyFactory.create({ transport: Transport.TCP, options: { port } });
    try {
      return await firstValueFrom<unknown>(client.send('create', nickname));
    } finally {
      await client.close();
    }
  }

  const tcp = async (): Promise<TcpOptions & { options: { port: number } }> => ({
    transport: Transport.TCP,
    options: { host: '127.0.0.1', port: await freePort() },
  });

  it('starts as a context, whose services work', async () => {
    const context = await startContext();

    const { id } = await context.get(IamUsers).create({ nickname: 'by a script' });
    await context.get(IdentityProviders).save({ slug: 'wechat', name: 'renamed' });
    const call = {
      provider: 'wechat',
      path: '/cgi-bin/user/info',
      query: { openid: world.wechat.person({ nickname: '小兰' }).openid(world.oa) },
    };
    const answer = await context.get(WechatApi).call(call);

    expect(await valueOf(world.dataSource, `SELECT nickname FROM iam.users WHERE id = '${id}'`)).toBe(
      'by a script',
    );
    expect(await valueOf(world.dataSource, `SELECT name FROM iam.identity_providers`)).toBe('renamed');
    expect(answer).toMatchObject({ subscribe: 0 });
    expect((await context.get(IamHealth).check())['iam']?.status).toBe('up');
  });

  it('starts as a microservice, whose handlers use them', async () => {
    const options = await tcp();
    const service = await NestFactory.createMicroservice<MicroserviceOptions>(
      worker(),
      Object.assign({}, quietOptions, options),
    );
    open.push(service);
    await service.listen();

    const user = await createByMessage(options.options.port, 'by a message');

    expect(user).toMatchObject({ nickname: 'by a message' });
  });

  it.each(platforms)('answers HTTP and messages in a hybrid application on %s', async (_platform, create) => {
    const options = await tcp();
    const app = await create(worker());
    open.push(app);
    app.connectMicroservice<MicroserviceOptions>(options);
    await app.startAllMicroservices();
    await app.listen(0, '127.0.0.1');

    const user = await createByMessage(options.options.port, 'by a message');
    const metadata = await fetch(`${await app.getUrl()}/.well-known/oauth-authorization-server`);

    expect(user).toMatchObject({ nickname: 'by a message' });
    expect(metadata.status).toBe(200);
  });

  it('runs nothing on its own with `background: false`, and leaves all work to other processes', async () => {
    const loops = spyOn(BackgroundLoop.prototype, 'start');
    const quiet = await startContext({ background: false, audit: { sink: Sink } });
    const ofQuiet = loops.mock.calls.length;
    const active = await startContext({ audit: { sink: Sink } });
    const ofActive = loops.mock.calls.length;
    loops.mockRestore();
    await quiet.get(IamUsers).create({ nickname: 'by a quiet process' });

    for (let event = 0; event < ROUNDS; event += 1) {
      await world.dataSource.query(dueSql, [`due ${event}`]);
      await until('the event is done', async () => (await valueOf(world.dataSource, openSql)) === 0);
    }

    expect([ofQuiet, ofActive]).toEqual([0, 6]);
    expect(active.get(Subscriptions).count).toBe(ROUNDS);
    expect(quiet.get(Subscriptions).count).toBe(0);
    await until('the sink has the entry', async () => active.get(Sink).actions.includes('user.created'));
    expect(quiet.get(Sink).actions).toEqual([]);
  });
});
