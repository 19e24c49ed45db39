import {
  type DynamicModule,
  Inject,
  Injectable,
  type INestApplication,
  Module,
  type NestApplicationOptions,
  type Type,
} from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { TypeOrmModule } from '@nestjs/typeorm';
import {
  type IamAsyncOptions,
  iamMigrations,
  IamModule,
  type IamOptions,
  type IamOptionsFactory,
} from '../../src/index.js';
import { createDatabase, type TestDatabase } from '../support/database.js';
import { testKey } from '../support/iam-app.js';
import { migrated } from '../support/templates.js';

const right: IamOptions = {
  publicUrl: 'https://app.example.com',
  keys: [testKey()],
  clients: [{ id: 'web', redirectUris: ['https://app.example.com/signed-in'] }],
};
const client = (changes: object) => ({ clients: [{ ...right.clients[0], ...changes }] });
const redirectTo = (uri: unknown) => client({ redirectUris: [uri] });

@Injectable()
class Configuration {
  iam(options: IamOptions): IamOptions {
    return options;
  }
}

@Injectable()
class ExistingOptions implements IamOptionsFactory {
  createIamOptions(): IamOptions {
    return { ...right, publicUrl: 'https://existing.example.com' };
  }
}

@Module({ providers: [Configuration, ExistingOptions], exports: [Configuration, ExistingOptions] })
class ConfigurationModule {}

/** As a host in JavaScript calls it, whose mistakes no compiler has seen. */
const register = (changes: object): unknown =>
  Reflect.apply(IamModule.forRoot, IamModule, [{ ...right, ...changes }]);

describe('a wrong option stops the start with a TypeError that names it', () => {
  it.each<[option: string, wrong: object]>([
    ['publicUrl', { publicUrl: undefined }],
    ['publicUrl', { publicUrl: '' }],
    ['databaseTimeout', { databaseTimeout: 50 }],
    ['databaseTimeout', { databaseTimeout: '5s' }],
    ['publicUrl', { publicUrl: 42 }],
    ['publicUrl', { publicUrl: 'app.example.com' }],
    ['publicUrl', { publicUrl: 'ftp://app.example.com' }],
    ['publicUrl', { publicUrl: 'https://app.example.com/path' }],
    ['publicUrl', { publicUrl: 'https://app.example.com?q=1' }],
    ['publicUrl', { publicUrl: 'https://app.example.com#f' }],
    ['publicUrl', { publicUrl: 'https://user:secret@app.example.com' }],
    ['publicUrl', { publicUrl: ' https://app.example.com' }],
    ['publicUrl', { publicUrl: 'http://app.example.com' }],
    ['publicUrl', { publicUrl: 'http://8.8.8.8' }],
    ['keys', { keys: undefined }],
    ['keys', { keys: [] }],
    ['keys', { keys: testKey() }],
    ['keys[0]', { keys: [undefined] }],
    ['keys[0]', { keys: [''] }],
    ['keys[0]', { keys: ['a passphrase, however long it may be, is no key'] }],
    ['keys[0]', { keys: ['a'.repeat(64)] }],
    ['keys[0]', { keys: [`${testKey().slice(0, 20)} ${testKey().slice(20)}`] }],
    ['keys[0]', { keys: [Buffer.alloc(33).toString('base64')] }],
    ['keys[1]', { keys: [testKey(), 'short'] }],
    ['clients', { clients: undefined }],
    ['clients', { clients: { web: {} } }],
    ['clients', { clients: [...right.clients, ...right.clients] }],
    ['clients[0].id', client({ id: undefined })],
    ['clients[0].id', client({ id: '' })],
    ['clients[0].id', client({ id: 'a b' })],
    ['clients[0].id', client({ id: 'x'.repeat(129) })],
    ['clients[0].redirectUris', client({ redirectUris: undefined })],
    ['clients[0].redirectUris', client({ redirectUris: 'https://app.example.com' })],
    ['clients[0].redirectUris[0]', redirectTo('/signed-in')],
    ['clients[0].redirectUris[0]', redirectTo('javascript:alert(1)')],
    ['clients[0].redirectUris[0]', redirectTo('https://app.example.com/#/signed-in')],
    ['clients[0].redirectUris[0]', redirectTo('https://user@app.example.com/')],
    ['clients[0].redirectUris[0]', redirectTo('https://app.example.com/a b')],
    ['clients[0].redirectUris[0]', redirectTo('https://app.example.com\\@evil.example')],
    ['clients[0].redirectUris[0]', redirectTo('https://app.example.com/登录')],
    ['clients[0].redirectUris[0]', redirectTo(undefined)],
    ['clients[0].redirectUris[0]', redirectTo('http://app.example.com/signed-in')],
    ['clients[0].redirectUris[0]', redirectTo('http://[2606:4700::1111]/signed-in')],
    ['hostMiddleware', { hostMiddleware: 'first' }],
    ['clients[0]', client({ secret: 'x' })],
    ['background', { background: 'no' }],
    ['wechat.timeout', { wechat: { timeout: 0 } }],
    ['wechat.timeout', { wechat: { timeout: 1.5 } }],
    ['wechat.timeout', { wechat: { timeout: '5000' } }],
    ['wechat.timeout', { wechat: { timeout: 60_001 } }],
    ['wechat.timeout', { wechat: { timeout: Number.NaN } }],
    ['wechat.allowLoopback', { wechat: { allowLoopback: 'yes' } }],
    ['wechat.endpoints', { wechat: { endpoints: 'https://api.weixin.qq.com' } }],
    ['wechat.endpoints.api', { wechat: { endpoints: { api: 5 } } }],
    ['wechat.endpoints.api', { wechat: { endpoints: { api: 'api.weixin.qq.com' } } }],
    ['wechat.endpoints.api', { wechat: { endpoints: { api: 'http://api.weixin.qq.com' } } }],
    ['wechat.endpoints.api', { wechat: { endpoints: { api: 'https://169.254.169.254' } } }],
    ['wechat.endpoints.open', { wechat: { endpoints: { open: 'http://localhost:3001' } } }],
    ['wechat.endpoints.mp', { wechat: { endpoints: { mp: 'https://[::ffff:10.0.0.1]' } } }],
    ['wechat', { wechat: { timeoutMs: 5000 } }],
    ['tokens', { tokens: 900 }],
    ['tokens', { tokens: { access: 900 } }],
    ...['accessToken', 'idle', 'absolute', 'refreshGrace'].flatMap((name) =>
      [0, -1, 1.5, '15m', 1e12, Number.NaN, null].map((value): [string, object] => [
        `tokens.${name}`,
        { tokens: { [name]: value } },
      ]),
    ),
    ['tokens.audience', { tokens: { audience: '' } }],
    ['profileFreshness', { profileFreshness: '1d' }],
    ['loginLifetime', { loginLifetime: 601 }],
    ['rateLimits', { rateLimits: 'on' }],
    ['scenePrefix', { scenePrefix: '' }],
    ['scenePrefix', { scenePrefix: 'letters' }],
    ['scenePrefix', { scenePrefix: 'qrscene_a' }],
    ['scenePrefix', { scenePrefix: 'with space' }],
    ['siteName', { siteName: 'x'.repeat(61) }],
    ['hooks', { hooks: { beforeSignUp: () => undefined } }],
    ['phone', { phone: true }],
    ['phone.unique', { phone: { unique: 'yes' } }],
    ['path', { path: '' }],
    ['path', { path: '/' }],
    ['path', { path: '../admin' }],
    ['path', { path: 'a b' }],
    ['path', { path: ':id' }],
    ['path', { path: 5 }],
    ['globalGuard', { globalGuard: 'yes' }],
    ['dataSource', { dataSource: 5 }],
    ['(root)', { client: [] }],
  ])('%s: %j', (option, wrong) => {
    const error = errorOf(() => register(wrong));

    expect(error).toBeInstanceOf(TypeError);
    expect(String(error)).toContain(
      option === '(root)' ? option : option.startsWith('wechat.endpoints.') ? option : `\`${option}\``,
    );
    expect(String(error)).toMatch(/expected .+|unknown option \w+|: a .+ is not allowed|allowed only/);
  });

  it.each<[Partial<IamOptions>, string]>([
    [{ recentSignIn: 0 }, 'expected at least 1 second'],
    [{ recentSignIn: 86_401 }, 'expected at most 86400 seconds'],
    [{ databaseTimeout: 99 }, 'expected at least 100 milliseconds'],
    [{ deletionGraceDays: -1 }, 'expected at least 0 days'],
    [{ hookTimeout: 0 }, 'expected at least 1 millisecond'],
  ])('%j: %s', (wrong, expectation) => {
    expect(String(errorOf(() => register(wrong)))).toMatch(new RegExp(`: ${expectation}$`));
  });

  it('and never repeats a key', () => {
    const key = `${testKey()}=`;

    expect(String(errorOf(() => register({ keys: [key] })))).not.toContain(key.slice(0, 20));
  });

  it.each<[string, object]>([
    ['what is required alone', {}],
    ['a slash at the end of publicUrl', { publicUrl: 'https://app.example.com/' }],
    ...['localhost:3000', '127.0.0.1', '[::1]:8080', '192.168.1.20', 'host', 'app.internal', 'app.test'].map(
      (host): [string, object] => [
        `http on ${host}, which is not the public internet`,
        { publicUrl: `http://${host}`, ...redirectTo(`http://${host}/signed-in`) },
      ],
    ),
    ['a redirect URI with a query', redirectTo('https://app.example.com/cb?from=iam')],
    ['a path of two parts with slashes around', { path: '/auth/iam/' }],
    [
      'the emulator for a laptop',
      { publicUrl: 'http://localhost:3000', wechat: { endpoints: { api: 'http://127.0.0.1:3001' } } },
    ],
    [
      'the emulator for another host, when it says so',
      { wechat: { allowLoopback: true, endpoints: { api: 'http://127.0.0.1:3001' } } },
    ],
    ['options left undefined', { siteName: undefined, hooks: undefined, path: undefined, tokens: undefined }],
  ])('while %s is right', (_case, changes) => {
    expect(register(changes)).toMatchObject({ module: IamModule });
  });
});

describe('options that come from elsewhere', () => {
  let database: TestDatabase;

  beforeAll(async () => {
    database = await createDatabase(migrated);
  });
  afterAll(() => database.drop());

  const issuer = 'https://configured.example.com';
  const configured: IamOptions = {
    ...right,
    publicUrl: issuer,
    clients: [{ id: 'web', redirectUris: [`${issuer}/signed-in`] }],
  };

  const start = async (registration: DynamicModule): Promise<INestApplication> => {
    const quiet: Pick<NestApplicationOptions, 'logger' | 'abortOnError'> = {
      logger: false,
      abortOnError: false,
    };
    const app = await NestFactory.create(hostOf(database, registration), quiet);
    await app.listen(0, '127.0.0.1');
    return app;
  };
  const issuerOf = async (registration: IamAsyncOptions): Promise<unknown> => {
    const app = await start(IamModule.forRootAsync(registration));
    const reply = await fetch(
      `${await app.getUrl()}/${registration.path ?? 'iam'}/.well-known/oauth-authorization-server`,
    );
    const metadata: unknown = await reply.json();
    await app.close();
    return metadata;
  };

  it('may be made by a factory, also an asynchronous one, from what is injected', async () => {
    const useFactory = async (configuration: Configuration) => Promise.resolve(configuration.iam(configured));

    expect(
      await issuerOf({ imports: [ConfigurationModule], inject: [Configuration], useFactory, path: 'auth' }),
    ).toMatchObject({ issuer, token_endpoint: `${issuer}/auth/token` });
  });

  it('may be made by a class of its own, which is injected too', async () => {
    @Injectable()
    class OptionsOfTheHost implements IamOptionsFactory {
      constructor(@Inject(Configuration) private readonly configuration: Configuration) {}
      createIamOptions(): IamOptions {
        return this.configuration.iam(configured);
      }
    }

    expect(await issuerOf({ imports: [ConfigurationModule], useClass: OptionsOfTheHost })).toMatchObject({
      issuer,
    });
  });

  it('may be made by a provider that exists already', async () => {
    expect(await issuerOf({ imports: [ConfigurationModule], useExisting: ExistingOptions })).toMatchObject({
      issuer: 'https://existing.example.com',
    });
  });

  it('stop the start like any others when they are wrong', async () => {
    const starting = start(
      IamModule.forRootAsync({ useFactory: () => ({ ...configured, keys: ['short'] }) }),
    );

    const error: unknown = await starting.catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(TypeError);
    expect(String(error)).toContain('`keys[0]`');
  });

  it('stop the start when there are none', async () => {
    const nothing: unknown = { useFactory: () => undefined };
    const registration: unknown = Reflect.apply(IamModule.forRootAsync, IamModule, [nothing]);

    await expect(Reflect.apply(start, undefined, [registration])).rejects.toThrow(
      /IamModule option \(root\): expected/,
    );
  });

  it.each<[string, object]>([
    ['no source', {}],
    ['two sources', { useFactory: () => configured, useExisting: ExistingOptions }],
  ])('need exactly one source: %s is refused', (_case, registration) => {
    const error = errorOf((): unknown => Reflect.apply(IamModule.forRootAsync, IamModule, [registration]));

    expect(error).toBeInstanceOf(TypeError);
    expect(String(error)).toContain('exactly one of `useFactory`, `useClass` and `useExisting`');
  });
});

@Module({})
class HostModule {}

function hostOf({ url }: TestDatabase, registration: DynamicModule): DynamicModule {
  const typeorm = TypeOrmModule.forRoot({
    type: 'postgres',
    url,
    autoLoadEntities: true,
    migrations: iamMigrations,
    migrationsRun: true,
    retryAttempts: 1,
  });
  const host: Type = HostModule;
  return { module: host, imports: [typeorm, registration] };
}

function errorOf(work: () => unknown): unknown {
  try {
    work();
  } catch (error) {
    return error;
  }
  throw new Error('expected an error');
}
