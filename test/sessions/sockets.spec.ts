import { Controller, Module, UseFilters, UseGuards } from '@nestjs/common';
import {
  ClientProxyFactory,
  MessagePattern,
  type MicroserviceOptions,
  Transport,
} from '@nestjs/microservices';
import { WsAdapter } from '@nestjs/platform-ws';
import {
  ConnectedSocket,
  MessageBody,
  type OnGatewayConnection,
  SubscribeMessage,
  WebSocketGateway,
} from '@nestjs/websockets';
import { firstValueFrom } from 'rxjs';
import { freePort } from '../../example/postgres/free-port.js';
import {
  AccessTokens,
  type AccessTokenClaims,
  type AuthenticatedUser,
  Authentication,
  CurrentUser,
  IamErrorFilter,
  IamGuard,
  IamSockets,
  OptionalAuth,
  Public,
  RequirePermissions,
} from '../../src/index.js';
import { ApiKeys } from '../../src/sessions/api-keys/api-keys.service.js';
import { cookieClient } from '../support/cookie-client.js';
import { FakeClock } from '../support/fake-clock.js';
import { type IamApp, startReplica, startWorld, type World } from '../support/iam-app.js';
import { signInOnPc } from '../support/sign-in.js';
import { bySocketIo, byWs, type Connect, type Shown, type TestSocket } from '../support/sockets.js';

const who = (user: AuthenticatedUser | undefined) => ({ event: 'who', data: user?.id ?? null });

@WebSocketGateway()
@UseGuards(IamGuard)
@UseFilters(IamErrorFilter)
class OrdersGateway implements OnGatewayConnection {
  constructor(
    private readonly sockets: IamSockets,
    private readonly authentication: Authentication,
  ) {}

  async handleConnection(client: object, request?: object): Promise<void> {
    await this.sockets.admitOptional(client, request);
  }

  @SubscribeMessage('mine')
  mine(@CurrentUser() user: AuthenticatedUser) {
    return who(user);
  }

  @OptionalAuth()
  @SubscribeMessage('anybody')
  anybody(@CurrentUser() user: AuthenticatedUser | undefined) {
    return who(user);
  }

  @RequirePermissions('orders:refund')
  @SubscribeMessage('refund')
  refund() {
    return { event: 'refunded', data: true };
  }

  @OptionalAuth()
  @RequirePermissions('orders:refund')
  @SubscribeMessage('refund anybody')
  refundAnybody() {
    return { event: 'refunded', data: true };
  }

  @Public()
  @SubscribeMessage('open')
  open(@CurrentUser() user: AuthenticatedUser | undefined) {
    return who(user);
  }

  @Public()
  @SubscribeMessage('token')
  async token(@ConnectedSocket() client: object, @MessageBody() token: unknown) {
    return who(await this.sockets.present(client, token));
  }

  @Public()
  @SubscribeMessage('again')
  async again(@ConnectedSocket() client: object) {
    return who((await this.sockets.admit(client)) ?? undefined);
  }

  @Public()
  @SubscribeMessage('asked')
  async asked(@ConnectedSocket() client: object) {
    return who((await this.authentication.find(client)) ?? undefined);
  }
}

/** Without `IamGuard` a handler is told whom it admitted last. */
@WebSocketGateway({ path: '/staff' })
class StaffGateway implements OnGatewayConnection {
  constructor(private readonly sockets: IamSockets) {}

  async handleConnection(client: object, request?: object): Promise<void> {
    await this.sockets.admit(client, request);
  }

  @SubscribeMessage('unguarded')
  unguarded(@CurrentUser() user: AuthenticatedUser | undefined) {
    return who(user);
  }

  @UseGuards(IamGuard)
  @SubscribeMessage('mine')
  mine(@CurrentUser() user: AuthenticatedUser) {
    return who(user);
  }
}

@Controller()
@UseGuards(IamGuard)
class OrdersByMessage {
  @MessagePattern('guarded')
  guarded() {
    return 'guarded';
  }

  @Public()
  @MessagePattern('public')
  open() {
    return 'public';
  }

  @OptionalAuth()
  @MessagePattern('optional')
  optional(@CurrentUser() user: AuthenticatedUser | undefined) {
    return who(user);
  }
}

@Module({ providers: [OrdersGateway, StaffGateway], controllers: [OrdersByMessage] })
class OrdersModule {}

describe('IamGuard beyond HTTP', () => {
  const clock = new FakeClock();
  const options = { sessionCheck: 'always', clients: [cookieClient()] } as const;
  const sockets: TestSocket[] = [];
  let world: World;
  let withWs: IamApp;
  let rpcPort: number;

  beforeAll(async () => {
    rpcPort = await freePort();
    world = await startWorld({
      clock,
      options,
      imports: [OrdersModule],
      prepare: (app) =>
        app.connectMicroservice<MicroserviceOptions>({
          transport: Transport.TCP,
          options: { host: '127.0.0.1', port: rpcPort },
        }),
    });
    await world.app.startAllMicroservices();
    withWs = await startReplica(world, {
      clock,
      options,
      imports: [OrdersModule],
      prepare: (app) => app.useWebSocketAdapter(new WsAdapter(app)),
    });
  });
  afterEach(async () => {
    for (const socket of sockets.splice(0)) await socket.close();
  });
  afterAll(async () => {
    await withWs.close();
    await world.close();
  });

  const signIn = async (nickname = '小兰') => {
    const { accessToken } = await signInOnPc(world, world.wechat.person({ nickname }));
    return { accessToken, ...(await world.app.get(AccessTokens).verify(accessToken)) };
  };
  /** Of a user who may give refunds. */
  const apiKeyOf = async (userId: string) => {
    await world.dataSource.query(
      `INSERT INTO iam.roles (name, permissions) VALUES ('clerk', '{orders:refund}') ON CONFLICT DO NOTHING`,
    );
    await world.dataSource.query(`INSERT INTO iam.user_roles (user_id, role) VALUES ($1, 'clerk')`, [userId]);
    const given = { name: 'script', permissions: ['orders:refund'], expires_at: null };
    const { key } = await world.dataSource.transaction((manager) =>
      world.app.get(ApiKeys).create(manager, { userId }, given),
    );
    return key;
  };
  const issue = (claims: AccessTokenClaims) => world.app.get(AccessTokens).issue(claims);
  const bearer = (token: string): Shown => ({ headers: { authorization: `Bearer ${token}` } });
  const refusal = (code: string, pattern: string) => ({
    event: 'exception',
    data: { status: 'error', message: expect.any(String) as string, code, cause: { pattern } },
  });

  describe.each<[string, Connect]>([
    ['socket.io', bySocketIo],
    ['ws', byWs],
  ])('over %s', (transport, by) => {
    const connect = async (shown: Shown = {}, path?: string) => {
      const { url } = transport === 'ws' ? withWs : world;
      const socket = await by(url, shown, path);
      sockets.push(socket);
      return socket;
    };

    it('admits who shows a token, and refuses a stranger with a stable code in their language', async () => {
      const { accessToken, userId } = await signIn();
      const lan = await connect(bearer(accessToken));
      const chinese = await connect({ headers: { 'accept-language': 'zh-CN' } });
      const english = await connect({ headers: { 'accept-language': 'en' } });

      expect(await lan.ask('mine')).toEqual({ event: 'who', data: userId });
      expect(await lan.ask('asked')).toEqual({ event: 'who', data: userId });
      const answers = [await chinese.ask('mine'), await english.ask('mine')];
      expect(answers).toEqual(Array(2).fill(refusal('authentication_required', 'mine')));
      expect(answers[0]).not.toEqual(answers[1]);
    });

    it('tells a public handler of nobody, whoever was admitted before', async () => {
      const { accessToken, userId } = await signIn();
      const lan = await connect(bearer(accessToken));

      expect(await lan.ask('mine')).toEqual({ event: 'who', data: userId });
      expect(await lan.ask('open')).toEqual({ event: 'who', data: null });
      expect(await lan.ask('mine')).toEqual({ event: 'who', data: userId });
    });

    it('says of each handler what it requires', async () => {
      const { accessToken } = await signIn();
      const lan = await connect(bearer(accessToken));

      expect(await lan.ask('refund')).toMatchObject({
        event: 'exception',
        data: { code: 'insufficient_permissions', required: 'orders:refund' },
      });
    });

    it('admits strangers where they may be, and neither broken tokens nor strangers without a permission', async () => {
      const { accessToken, userId } = await signIn();
      const stranger = await connect();
      const lan = await connect(bearer(accessToken));
      const broken = await connect(bearer(`${accessToken}x`));

      expect(await stranger.ask('anybody')).toEqual({ event: 'who', data: null });
      expect(await lan.ask('anybody')).toEqual({ event: 'who', data: userId });
      expect(await stranger.ask('refund anybody')).toEqual(
        refusal('authentication_required', 'refund anybody'),
      );
      expect(await broken.closed).toMatch(/invalid_token|io server disconnect/);
      expect(broken.received).toMatchObject([{ event: 'exception', data: { code: 'invalid_token' } }]);
    });

    it('takes an API key as it takes a token, for what it permits', async () => {
      const { userId } = await signIn();
      const key = await apiKeyOf(userId);
      const [machine, presenting] = [await connect(bearer(key)), await connect()];

      expect(await machine.ask('refund')).toEqual({ event: 'refunded', data: true });
      expect(await machine.ask('mine')).toEqual(refusal('person_required', 'mine'));
      expect(await presenting.ask('token', key)).toEqual({ event: 'who', data: userId });
      expect(await presenting.ask('refund')).toEqual({ event: 'refunded', data: true });
      expect(await presenting.ask('token', `${key}x`)).toEqual(refusal('invalid_token', 'token'));
    });

    it('is locked out by the wrong API keys of its own address alone', async () => {
      const { userId } = await signIn();
      const key = await apiKeyOf(userId);
      const authentication = (transport === 'ws' ? withWs : world).app.get(Authentication);
      const guess = (number: number) =>
        authentication.authenticate(`iamk_${String(number).padStart(44, 'x')}`);
      for (let tries = 0; tries < 120; tries += 1)
        await expect(guess(tries)).rejects.toMatchObject({ code: 'invalid_token' });
      const socket = await connect();

      await expect(guess(120)).rejects.toMatchObject({ code: 'rate_limited' });
      expect(await socket.ask('token', key)).toEqual({ event: 'who', data: userId });
      expect(await socket.ask('refund')).toEqual({ event: 'refunded', data: true });
    });

    it('takes the cookie of a page of ours, and of nobody else’s', async () => {
      const { userId, ...claims } = await signIn();
      const cookie = `iam-access=${await issue({ ...claims, userId, clientId: 'shop' })}`;
      const origins = [{ origin: world.url }, { origin: 'https://evil.example' }, {}];

      const [own, evil, none] = await Promise.all(
        origins.map((origin) => connect({ headers: { cookie, ...origin } })),
      );

      expect(await own?.ask('mine')).toEqual({ event: 'who', data: userId });
      await Promise.all([evil?.closed, none?.closed]);
      for (const socket of [evil, none])
        expect(socket?.received).toMatchObject([{ event: 'exception', data: { code: 'origin_forbidden' } }]);
    });

    it('refuses a token that has expired meanwhile, until the same person presents another', async () => {
      const [lan, eve] = [await signIn(), await signIn('小伟')];
      const socket = await connect(bearer(lan.accessToken));
      expect(await socket.ask('mine')).toEqual({ event: 'who', data: lan.userId });

      clock.advance(961);
      const expired = [await socket.ask('mine'), await socket.ask('anybody')];
      const another = await socket.ask('token', await issue(eve));
      const forged = await socket.ask('token', { headers: {}, url: '/' });
      const presented = await socket.ask('token', await issue(lan));

      expect(expired).toEqual([refusal('invalid_token', 'mine'), refusal('invalid_token', 'anybody')]);
      expect(another).toEqual(refusal('invalid_token', 'token'));
      expect(forged).toEqual(refusal('authentication_required', 'token'));
      expect(presented).toEqual({ event: 'who', data: lan.userId });
      expect(await socket.ask('mine')).toEqual({ event: 'who', data: lan.userId });
    });

    it('lets a stranger present a token', async () => {
      const { accessToken, userId } = await signIn();
      const socket = await connect();

      expect(await socket.ask('token', accessToken)).toEqual({ event: 'who', data: userId });
      expect(await socket.ask('again')).toEqual({ event: 'who', data: userId });
      expect(await socket.ask('mine')).toEqual({ event: 'who', data: userId });
    });

    it('refuses the next message once the session has ended', async () => {
      const { accessToken, userId } = await signIn();
      const socket = await connect(bearer(accessToken));
      expect(await socket.ask('mine')).toEqual({ event: 'who', data: userId });

      await world.dataSource.query(`UPDATE iam.users SET status = 'disabled' WHERE id = $1`, [userId]);
      clock.advance(5);

      expect(await socket.ask('mine')).toEqual(refusal('invalid_token', 'mine'));
    });

    it('disconnects who may not connect, and says why', async () => {
      const { accessToken, userId } = await signIn();
      const lan = await connect(bearer(accessToken), '/staff');
      const stranger = await connect({}, '/staff');

      expect(await stranger.closed).toMatch(/^(1008 authentication_required|io server disconnect)$/);
      expect(stranger.received).toMatchObject([
        { event: 'exception', data: { status: 'error', code: 'authentication_required' } },
      ]);
      expect(await lan.ask('mine')).toEqual({ event: 'who', data: userId });
      expect(await lan.ask('unguarded')).toEqual({ event: 'who', data: userId });
    });
  });

  it('takes `auth.token` of socket.io before its headers', async () => {
    const { accessToken, userId } = await signIn();
    const connect = async (token: unknown) => {
      const socket = await bySocketIo(world.url, { token, headers: bearer(accessToken).headers ?? {} });
      sockets.push(socket);
      return socket;
    };
    const [own, missing, foreign] = [
      await connect(accessToken),
      await connect(null),
      await connect({ token: 1 }),
    ];

    expect(await own.ask('mine')).toEqual({ event: 'who', data: userId });
    expect(await missing.ask('mine')).toEqual({ event: 'who', data: userId });
    await foreign.closed;
    expect(foreign.received).toMatchObject([{ data: { code: 'authentication_required' } }]);
  });

  it('refuses messages of other services, which carry no token, unless a handler is open', async () => {
    const client = ClientProxyFactory.create({ transport: Transport.TCP, options: { port: rpcPort } });
    const send = (pattern: string) => firstValueFrom<unknown>(client.send(pattern, {}));

    await expect(send('guarded')).rejects.toEqual({
      status: 'error',
      code: 'authentication_required',
      message: 'IamGuard finds no token in a message; @Public() opens a handler',
    });
    expect(await send('public')).toBe('public');
    expect(await send('optional')).toEqual({ event: 'who', data: null });
    await client.close();
  });
});
