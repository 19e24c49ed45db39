import { Controller, Get, type INestApplication, Module, Req } from '@nestjs/common';
import { type IncomingMessage, request as httpRequest, Server } from 'node:http';
import { AccessTokens, Authentication, IamError, Public, Requirements } from '../../src/index.js';
import { SessionCheck } from '../../src/sessions/session-check.service.js';
import { startWorld, type World } from '../support/iam-app.js';
import { platforms } from '../support/platforms.js';
import { signInOnPc } from '../support/sign-in.js';

@Controller('by-hand')
class ByHandController {
  constructor(
    private readonly authentication: Authentication,
    private readonly requirements: Requirements,
  ) {}

  @Public()
  @Get()
  async who(@Req() request: object) {
    const user = await this.authentication.authenticate(request);
    return { id: user.id, may: await this.requirements.allows(user, { permissions: ['orders:read'] }) };
  }
}

@Module({ controllers: [ByHandController] })
class HostModule {}

/** Answers a handshake with who it is, or with the code of the error. */
function answerHandshakes(app: INestApplication): void {
  const server: unknown = app.getHttpServer();
  if (!(server instanceof Server)) throw new Error('no server of node:http');
  server.on('upgrade', (request: IncomingMessage, socket) => {
    const say = (text: string) =>
      socket.end(`HTTP/1.1 403 Forbidden\r\nX-Who: ${text}\r\nContent-Length: 0\r\n\r\n`);
    app
      .get(Authentication)
      .authenticate(request)
      .then(({ id }) => say(id))
      .catch((error: unknown) => say(error instanceof IamError ? error.code : 'failed'));
  });
}

function shakeHands(url: string, headers: Record<string, string>): Promise<string | undefined> {
  return new Promise((resolve, reject) => {
    httpRequest(url, { headers: { connection: 'Upgrade', upgrade: 'websocket', ...headers } })
      .on('response', (response) => resolve(String(response.headers['x-who'])))
      .on('error', reject)
      .end();
  });
}

describe.each(platforms)('who a request, a socket and a token are on %s', (_platform, create) => {
  let world: World;
  let token: string;
  let id: string;

  beforeAll(async () => {
    world = await startWorld({
      create,
      imports: [HostModule],
      prepare: answerHandshakes,
      options: {
        sessionCheck: 'always',
        clients: [{ id: 'shop', tokens: 'cookie', redirectUris: ['http://localhost/signed-in'] }],
      },
    });
    token = (await signInOnPc(world, world.wechat.person({ nickname: '小兰' }))).accessToken;
    id = (await world.app.get(Authentication).authenticate(token)).id;
  });
  afterAll(() => world.close());

  it('is one question, and what they may is another', async () => {
    const reply = await fetch(`${world.url}/by-hand`, { headers: { authorization: `Bearer ${token}` } });

    expect(await reply.json()).toEqual({ id, may: false });
    expect(await shakeHands(world.url, { authorization: `Bearer ${token}` })).toBe(id);
    expect(await shakeHands(world.url, {})).toBe('authentication_required');
  });

  it('takes a cookie with the handshake of a page of ours, and of nobody else’s', async () => {
    const claims = await world.app.get(AccessTokens).verify(token);
    const cookie = `iam-access=${await world.app.get(AccessTokens).issue({ ...claims, clientId: 'shop' })}`;

    expect(await shakeHands(world.url, { cookie, origin: world.url })).toBe(id);
    expect(await shakeHands(world.url, { cookie, origin: 'https://evil.example' })).toBe('origin_forbidden');
    expect(await shakeHands(world.url, { cookie })).toBe('origin_forbidden');
  });

  it('says what is missing', async () => {
    const user = await world.app.get(Authentication).authenticate(token);
    const requirements = world.app.get(Requirements);

    await expect(requirements.require(user, { roles: ['clerk', 'boss'] })).rejects.toMatchObject({
      code: 'insufficient_permissions',
    });
    await expect(requirements.require(user, { permissions: ['orders:read'] })).rejects.toMatchObject({
      code: 'insufficient_permissions',
    });
    await expect(requirements.require(user, { recentSignIn: true })).resolves.toBeUndefined();
    expect(await requirements.allows({ ...user, signedInAt: new Date(0) }, { recentSignIn: true })).toBe(
      false,
    );
    expect(await requirements.allows({ ...user, roles: ['boss'] }, { roles: ['clerk', 'boss'] })).toBe(true);
  });

  it('no longer believes a token whose session has ended', async () => {
    await world.dataSource.query('UPDATE iam.sessions SET ended_at = now()');

    const user = await world.app
      .get(Authentication)
      .authenticate(token)
      .catch(() => null);
    world.app.get(SessionCheck).forget(user?.sessionId ?? '');
    await expect(world.app.get(Authentication).authenticate(token)).rejects.toMatchObject({
      code: 'invalid_token',
    });
  });
});
