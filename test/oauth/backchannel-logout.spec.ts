import { createServer, type Server } from 'node:http';
import { text } from 'node:stream/consumers';
import { createRemoteJWKSet, decodeJwt, jwtVerify, type JWTPayload } from 'jose';
import { LogoutOutbox } from '../../src/oauth/backchannel/logout-outbox.service.js';
import { LogoutSender } from '../../src/oauth/backchannel/logout-sender.service.js';
import { IamHealth } from '../../src/index.js';
import { callMe } from '../support/account.js';
import { AdminClient, adminOptions } from '../support/admin.js';
import { offline, ThirdParties } from '../support/consent.js';
import { type IamApp, startReplica, startWorld, type World } from '../support/iam-app.js';
import { PcBrowser, type Reply } from '../support/pc-browser.js';
import { rowsOf } from '../support/rows.js';
import { until } from '../support/until.js';
import { oldIdToken, refreshOf, registerSso, signIn, start, tokensOf } from '../support/single-sign-on.js';

/** An application's server: what it was sent, and how it answers. */
class Receiver {
  readonly requests: { readonly url: string; readonly type: string; readonly body: string }[] = [];
  /** Null: hangs up. */
  answer: (url: string) => { status: number; location?: string } | 'silence' | null = () => ({ status: 200 });
  private server: Server | undefined;
  url = '';

  async start(): Promise<void> {
    this.server = createServer((request, response) => {
      void text(request).then((body) => {
        this.requests.push({ url: request.url ?? '', type: request.headers['content-type'] ?? '', body });
        const answer = this.answer(request.url ?? '');
        if (answer === 'silence') return;
        if (answer === null) {
          request.socket.destroy();
          return;
        }
        response.writeHead(answer.status, answer.location === undefined ? {} : { location: answer.location });
        response.end();
      });
    });
    await new Promise<void>((resolve) => this.server?.listen(0, '127.0.0.1', resolve));
    const address = this.server.address();
    this.url = `http://127.0.0.1:${typeof address === 'object' ? (address?.port ?? 0) : 0}`;
  }

  stop(): void {
    this.server?.closeAllConnections();
    this.server?.close();
  }

  tokens(path: string): string[] {
    const sent = this.requests.filter(({ url }) => url === path);
    return sent.map(({ body }) => new URLSearchParams(body).get('logout_token') ?? '');
  }
}

describe('back-channel logout', () => {
  const receiver = new Receiver();
  let world: World;
  let replica: IamApp;
  let admin: AdminClient;
  let parties: ThirdParties;
  /** Known to the replica from its start. */
  let shared: string;

  beforeAll(async () => {
    await receiver.start();
    const options = { ...adminOptions, background: false };
    world = await startWorld({ options });
    admin = new AdminClient(world.url);
    parties = new ThirdParties(world);
    shared = await register('/shared');
    replica = await startReplica(world, { options });
  });
  afterAll(async () => {
    await replica.close().finally(() => world.close());
    receiver.stop();
  });
  beforeEach(async () => {
    receiver.requests.length = 0;
    receiver.answer = () => ({ status: 200 });
    await world.dataSource.query('DELETE FROM iam.backchannel_logouts');
  });

  const send = ({ app }: IamApp = world) => app.get(LogoutSender).sendDue();
  const register = (path: string, members = {}) =>
    registerSso(world, { backchannel_logout_uri: `${receiver.url}${path}`, ...members });
  const waiting = () =>
    rowsOf(
      world.dataSource,
      'SELECT client_id, status, attempts, last_error FROM iam.backchannel_logouts ORDER BY id',
    );
  const makeDue = () => world.dataSource.query('UPDATE iam.backchannel_logouts SET due_at = now()');
  /** A person who is signed in to an application in a browser. */
  const signedInTo = async (id: string) => {
    const browser = new PcBrowser();
    const who = world.wechat.person({ nickname: '道' });
    const tokens = await tokensOf(world, await signIn(world, browser, who, id), id);
    const { sub = '', sid = '' } = claimsOf(tokens);
    return { browser, who, tokens, sub, sid: String(sid) };
  };
  const claimsOf = (tokens: Reply): JWTPayload => decodeJwt(String(tokens.json()['access_token']));
  const end = (sub: string) => admin.delete(`users/${sub}/sessions`);

  it('tells each application of the end of its own session by a token that its library accepts', async () => {
    const [shop, blog] = [
      await register('/shop'),
      await register('/blog', { id_token_signed_response_alg: 'ES256' }),
    ];
    const { browser, sub, sid } = await signedInTo(shop);
    const ofBlog = claimsOf(await tokensOf(world, await start(world, browser, blog), blog));
    const hint = await oldIdToken(world, { sub, aud: shop, sid });

    await browser.visit(`${world.url}/iam/end_session?id_token_hint=${hint}`);
    await send();

    const jwks = createRemoteJWKSet(new URL(`${world.url}/iam/jwks`));
    const verify = (path: string, audience: string, algorithm: string) =>
      jwtVerify(receiver.tokens(path)[0] ?? '', jwks, {
        ...{ issuer: world.url, audience, algorithms: [algorithm], typ: 'logout+jwt' },
        requiredClaims: ['iat', 'exp', 'jti', 'sub', 'sid', 'events'],
      });
    const [toShop, toBlog] = [await verify('/shop', shop, 'RS256'), await verify('/blog', blog, 'ES256')];
    expect(receiver.requests.map(({ type }) => type)).toEqual(
      [0, 0].map(() => 'application/x-www-form-urlencoded'),
    );
    expect([toShop.payload, toBlog.payload].map((payload) => [payload.sub, payload['sid']])).toEqual([
      [sub, sid],
      [sub, ofBlog['sid']],
    ]);
    expect(toShop.payload['events']).toEqual({ 'http://schemas.openid.net/event/backchannel-logout': {} });
    expect(toShop.payload).not.toHaveProperty('nonce');
    expect(await waiting()).toEqual([]);
  });

  it('tells a third party by the sub under which alone it knows the person, as its ID token does', async () => {
    const backchannel_logout_uri = `${receiver.url}/partner`;
    const id = await parties.register({ subject_type: 'pairwise', sso: true, backchannel_logout_uri });
    const signedIn = await parties.agree(id, world.wechat.person({ nickname: '伴' }), 'openid');
    const id_token_hint = String((await parties.tokens(id, signedIn)).json()['id_token']);
    const { sub } = decodeJwt(id_token_hint);
    const enter = (scope: string) =>
      start(world, signedIn.browser, id, { scope, id_token_hint, prompt: 'none' });

    const [same, more] = [await enter('openid'), await enter('openid phone')];
    await signedIn.browser.visit(`${world.url}/iam/end_session?id_token_hint=${id_token_hint}`);
    await send();

    expect(sub).toMatch(/^[\w-]{22}$/);
    expect([same.error, more.error]).toEqual([null, 'consent_required']);
    expect(receiver.tokens('/partner').map((token) => decodeJwt(token).sub)).toEqual([sub]);
    expect((await enter('openid')).error).toBe('login_required');
  });

  it('tells the application alone from which a person withdraws consent, and the others stay signed in', async () => {
    const shop = await register('/shop');
    const backchannel_logout_uri = `${receiver.url}/partner`;
    const partner = await parties.register({ sso: true, backchannel_logout_uri });
    const { browser, who, tokens, sid } = await signedInTo(shop);
    await parties.agree(partner, who);
    const entered = await tokensOf(world, await start(world, browser, partner, { scope: offline }), partner);
    const ofPartner = claimsOf(entered)['sid'];

    const accessToken = String(tokens.json()['access_token']);
    const withdrawn = await callMe(world, { accessToken }, `/consents/${partner}`, { method: 'DELETE' });
    await send();
    const ended = await rowsOf(
      world.dataSource,
      'SELECT id, end_reason FROM iam.sessions WHERE browser_session_id = (SELECT browser_session_id FROM iam.sessions WHERE id = $1) ORDER BY id',
      [sid],
    );
    const [silent, asked] = [
      await start(world, browser, partner, { scope: offline, prompt: 'none' }),
      await start(world, browser, partner, { scope: offline }),
    ];

    expect([entered.status, withdrawn.status]).toEqual([200, 204]);
    expect(ended).toEqual([
      { id: sid, end_reason: null },
      { id: ofPartner, end_reason: 'consent_withdrawn' },
    ]);
    expect(receiver.requests.map((request) => request.url)).toEqual(['/partner']);
    expect(receiver.tokens('/partner').map((token) => decodeJwt(token)['sid'])).toEqual([ofPartner]);
    expect((await refreshOf(world, tokens, shop)).status).toBe(200);
    expect([silent.error, asked.returned.location?.pathname]).toEqual(['consent_required', '/iam/consent']);
    expect((await start(world, browser, shop, { prompt: 'none' })).code).toEqual(expect.any(String));
  });

  describe('is written with the end, whatever ends a session:', () => {
    const endings: Record<string, (signedIn: Awaited<ReturnType<typeof signedInTo>>, id: string) => unknown> =
      {
        'the application revokes it': ({ tokens }, id) =>
          new PcBrowser().visit(`${world.url}/iam/revoke`, {
            form: { client_id: id, token: String(tokens.json()['refresh_token']) },
          }),
        'an old refresh token': async ({ tokens }, id) => {
          await refreshOf(world, tokens, id);
          await world.dataSource.query(`UPDATE iam.sessions SET rotated_at = now() - interval '1 minute'`);
          await refreshOf(world, tokens, id);
        },
        'the person ends it': ({ tokens, sid }) =>
          new PcBrowser().visit(`${world.url}/iam/me/sessions/${sid}`, {
            method: 'DELETE',
            headers: { authorization: `Bearer ${String(tokens.json()['access_token'])}` },
          }),
        'an administrator ends it': ({ sid }) => admin.delete(`sessions/${sid}`),
        'a ban': ({ sub }) => admin.post(`users/${sub}/disable`, {}, '*'),
        'another person signs in in the browser': ({ browser }, id) =>
          signIn(world, browser, world.wechat.person({ nickname: '另' }), id, { prompt: 'login' }),
        erasure: ({ sub }) => admin.delete(`users/${sub}`),
      };

    it.each(Object.entries(endings))('%s', async (_name, act) => {
      const id = await register('/any');
      const signedIn = await signedInTo(id);

      await act(signedIn, id);

      expect(await waiting()).toEqual([{ client_id: id, status: 'pending', attempts: 0, last_error: null }]);
      await send();
      expect(receiver.tokens('/any').map((token) => decodeJwt(token)['sid'])).toEqual([signedIn.sid]);
    });

    it('but not its expiry, and of no application without an address', async () => {
      const id = await register('/any');
      const { sub } = await signedInTo(await registerSso(world));
      const other = await signedInTo(id);
      await end(sub);
      await world.dataSource.query(
        `UPDATE iam.sessions SET expires_at = now() - interval '1 second' WHERE id = $1`,
        [other.sid],
      );
      await world.dataSource.query('DELETE FROM iam.sessions WHERE id = $1', [other.sid]);

      expect(await waiting()).toEqual([]);
    });
  });

  it('is sent once by two replicas together', async () => {
    for (let times = 0; times < 4; times += 1) await end((await signedInTo(shared)).sub);

    await Promise.all([send(), send(replica), send(), send(replica)]);

    expect(new Set(receiver.tokens('/shared').map((token) => decodeJwt(token)['sid'])).size).toBe(4);
    expect(receiver.requests).toHaveLength(4);
  });

  it('is sent by itself where a replica does background work', async () => {
    const working = await startReplica(world, { options: adminOptions });
    await end((await signedInTo(shared)).sub);

    await until('the application is told', () => receiver.tokens('/shared').length > 0).finally(() =>
      working.close(),
    );

    expect(await waiting()).toEqual([]);
  });

  it.each([
    ['answers 400', { status: 400 }, 'status 400'],
    ['redirects, which is not followed', { status: 307, location: '/elsewhere' }, 'status 307'],
    ['hangs up', null, expect.any(String) as string],
    ['is too slow', 'silence', 'no response in time'],
  ] as const)(
    'is sent again, with another jti, where the application %s',
    async (_name, answer, last_error) => {
      const id = await register('/again');
      const { sub } = await signedInTo(id);
      await end(sub);
      receiver.answer = () => answer;

      await send();
      const failed = await waiting();
      await send();
      const early = receiver.requests.length;
      receiver.answer = () => ({ status: 204 });
      await makeDue();
      await send();

      expect(failed).toEqual([{ client_id: id, status: 'pending', attempts: 1, last_error }]);
      expect([early, receiver.requests.map(({ url }) => url)]).toEqual([1, ['/again', '/again']]);
      expect(new Set(receiver.tokens('/again').map((token) => decodeJwt(token).jti)).size).toBe(2);
      expect(await waiting()).toEqual([]);
    },
  );

  it('does not make the others wait for an application that is dead', async () => {
    const [dead, alive] = [await register('/dead'), await register('/alive')];
    for (let times = 0; times < 5; times += 1) await end((await signedInTo(dead)).sub);
    await end((await signedInTo(alive)).sub);
    receiver.answer = (url) => (url === '/dead' ? null : { status: 200 });

    await send();

    expect(receiver.tokens('/alive')).toHaveLength(1);
    expect(receiver.requests.findIndex(({ url }) => url === '/alive')).toBeLessThan(4);
    expect((await waiting()).map(({ client_id }) => client_id)).toEqual(Array(5).fill(dead));
  });

  it('takes the messages of each application in turn, however many of others have waited for longer', async () => {
    await world.dataSource.query(`
      INSERT INTO iam.backchannel_logouts (id, client_id, session_id, user_id, due_at)
      SELECT gen_random_uuid(), 'dead-' || n % 4, gen_random_uuid(), gen_random_uuid(), now() - interval '1 hour'
      FROM generate_series(1, 2000) n`);
    const alive = await register('/alive');
    await end((await signedInTo(alive)).sub);

    const taken = await world.app.get(LogoutOutbox).takeDue(10);

    const ofClients = taken.map(({ client_id }) => client_id);
    expect(ofClients).toContain(alive);
    expect([ofClients.length, new Set(ofClients).size]).toEqual([10, 5]);
  });

  it('tells an application of nobody who signed in to an earlier one with its id', async () => {
    const id = await register('/earlier');
    const { sub } = await signedInTo(id);
    await admin.delete(`clients/${id}`);
    await register('/later', { id });

    await end(sub);

    expect(await waiting()).toEqual([]);
  });

  it('waits for nobody once its application is gone or has cleared the address', async () => {
    const ids = [await register('/cleared'), await register('/deleted')];
    for (const id of ids) await end((await signedInTo(id)).sub);
    const before = (await waiting()).length;

    await admin.patch(`clients/${ids[0]}`, { backchannel_logout_uri: null });
    await admin.delete(`clients/${ids[1]}`);

    expect([before, await waiting()]).toEqual([2, []]);
  });

  it('is not lost in a process that does not know the address yet', async () => {
    const id = await registerSso(world);
    const { sub } = await signedInTo(id);
    await world.dataSource.query('UPDATE iam.clients SET backchannel_logout_uri = $2 WHERE id = $1', [
      id,
      `${receiver.url}/new`,
    ]);
    await end(sub);
    await send();
    const during = receiver.requests.length;
    await admin.patch(`clients/${id}`, { name: 'New' });
    await makeDue();

    await send();

    expect([during, receiver.tokens('/new').length, await waiting()]).toEqual([0, 1, []]);
  });

  it('becomes a dead letter after the last attempt, which administrators see and have sent again', async () => {
    const id = await register('/last');
    const { sub, sid } = await signedInTo(id);
    await end(sub);
    await world.dataSource.query('UPDATE iam.backchannel_logouts SET attempts = 9');
    receiver.answer = () => ({ status: 500 });

    await send();
    const listed = (await admin.get(`backchannel_logouts?status=dead&client=${id}`)).items();
    const { problems, backchannel } = await world.app.get(IamHealth).report();
    receiver.answer = () => ({ status: 200 });
    const again = await admin.post(`backchannel_logouts/${String(listed[0]?.['id'])}/retry`);
    await send();
    const gone = await admin.post(`backchannel_logouts/${String(listed[0]?.['id'])}/retry`);

    expect(listed).toMatchObject([{ user_id: sub, session_id: sid, attempts: 10, last_error: 'status 500' }]);
    expect([problems, backchannel?.dead]).toEqual([['backchannel_dead'], 1]);
    expect([again.status, gone.code, await waiting()]).toEqual([202, 'not_found', []]);
    const actions = await rowsOf(
      world.dataSource,
      "SELECT action, client_id FROM iam.audit_log WHERE action LIKE 'backchannel%' ORDER BY id",
    );
    expect(actions).toEqual([
      { action: 'backchannel_logout.given_up', client_id: id },
      { action: 'backchannel_logout.retried', client_id: id },
    ]);
  });

  it('is taken over from a replica that has ended in the middle of it', async () => {
    await end((await signedInTo(shared)).sub);
    await world.dataSource.query(
      `UPDATE iam.backchannel_logouts SET attempts = 1, lease_token = gen_random_uuid(), due_at = now() + interval '30 seconds'`,
    );
    await send(replica);
    const during = receiver.requests.length;
    await makeDue();

    await send(replica);

    expect([during, receiver.requests.length, await waiting()]).toEqual([0, 1, []]);
  });

  it('goes nowhere but where an application may have a server, and to none that is gone', async () => {
    const uris = ['http://shop.example.com/x', 'ftp://shop.example.com/x', 'https://shop.example.com/#x'];
    const refused = await Promise.all(
      uris.map((backchannel_logout_uri) =>
        admin.post('clients', { id: 'x', redirect_uris: ['https://x.example/'], backchannel_logout_uri }),
      ),
    );
    const inside = await register('/', { backchannel_logout_uri: 'https://10.0.0.1/logout' });
    const gone = await register('/gone');
    for (const id of [inside, gone]) await end((await signedInTo(id)).sub);
    await admin.delete(`clients/${gone}`);

    await send();

    expect(refused.map(({ code }) => code)).toEqual(uris.map(() => 'invalid_request'));
    expect(receiver.requests).toEqual([]);
    expect(await waiting()).toEqual([
      {
        client_id: inside,
        status: 'pending',
        attempts: 1,
        last_error: expect.stringContaining('private') as string,
      },
    ]);
  });
});
