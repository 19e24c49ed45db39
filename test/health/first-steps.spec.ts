import { Injectable, Logger, Module, type OnApplicationBootstrap } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { WechatEmulator } from '../../emulator/index.js';
import { IamModule, IdentityProviders } from '../../src/index.js';
import { createDatabase, type TestDatabase } from '../support/database.js';
import { startIamApp, testKey } from '../support/iam-app.js';
import { LogCapture } from '../support/log-capture.js';
import { onExpress } from '../support/platforms.js';
import { until } from '../support/until.js';

@Injectable()
class RowOfTheHost implements OnApplicationBootstrap {
  constructor(private readonly providers: IdentityProviders) {}

  onApplicationBootstrap(): Promise<void> {
    return this.providers.save({ slug: 'wechat', name: '微信' });
  }
}

@Module({ providers: [RowOfTheHost] })
class HostWithRow {}

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

  const start = async (more: Partial<Parameters<typeof startIamApp>[0]>) => {
    const database = await createDatabase();
    databases.push(database);
    return startIamApp({ databaseUrl: database.url, endpoints: wechat.endpoints, logger, ...more });
  };

  it('says in one line what to do where there is no provider row, and nothing where there is one', async () => {
    const withRow = await start({ imports: [HostWithRow] });
    const script = await start({ options: { background: false } });
    // The last to start is the last to speak.
    const empty = await start({ prepare: (app) => app.setGlobalPrefix('api') });

    await until('it speaks', () => logger.with('no provider row').length > 0);

    expect(logger.with('no provider row')).toEqual([
      { level: 'warn', text: expect.stringContaining(`POST ${empty.url}/api/iam/admin/providers`) as string },
    ]);
    expect(logger.text).toContain('npx nestjs-wechat-iam provider add wechat --open-app-id');
    expect(logger.text).toContain('npx nestjs-wechat-iam emulator --demo');
    await Promise.all([withRow, script, empty].map((host) => host.close()));
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
