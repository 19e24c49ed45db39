import { decodeJwt } from 'jose';
import { startReplica, startWorld, type IamApp, type World } from '../support/iam-app.js';
import { PcBrowser } from '../support/pc-browser.js';
import { rowsOf, valueOf } from '../support/rows.js';
import { signInOnPc, type Tokens } from '../support/sign-in.js';
import { refresh, revoke } from '../support/signed-in.js';

describe('revoking a token (RFC 7009)', () => {
  let world: World;
  let replica: IamApp;

  beforeAll(async () => {
    world = await startWorld({
      options: { clients: [{ id: 'other', redirectUris: ['https://other.example/back'] }] },
    });
    replica = await startReplica(world);
  });
  afterAll(async () => {
    await replica.close();
    await world.close();
  });

  const signIn = () => signInOnPc(world, world.wechat.person({ nickname: '退' }));
  const rowOf = async ({ accessToken }: Tokens) =>
    (
      await rowsOf(world.dataSource, 'SELECT end_reason FROM iam.sessions WHERE id = $1', [
        decodeJwt(accessToken)['sid'],
      ])
    )[0];

  it.each(['refreshToken', 'accessToken'] as const)('ends the session of a %s', async (kind) => {
    const tokens = await signIn();

    const reply = await revoke(world.url, tokens[kind]);

    expect(reply.status).toBe(200);
    expect(reply.text).toBe('');
    expect(reply.headers.get('cache-control')).toBe('no-store');
    expect(await rowOf(tokens)).toEqual({ end_reason: 'revoked' });
    expect((await refresh(replica.url, tokens.refreshToken)).json()['error']).toBe('invalid_grant');
  });

  it('ends it by a refresh token that was spent long ago', async () => {
    const tokens = await signIn();
    await refresh(world.url, tokens.refreshToken);

    await revoke(world.url, tokens.refreshToken);

    expect(await rowOf(tokens)).toEqual({ end_reason: 'revoked' });
  });

  it('is answered alike the second time and is one entry in the audit log', async () => {
    const tokens = await signIn();

    const replies = [
      await revoke(world.url, tokens.refreshToken),
      await revoke(replica.url, tokens.refreshToken),
      await revoke(world.url, tokens.accessToken),
    ];

    expect(replies.map(({ status }) => status)).toEqual([200, 200, 200]);
    expect(
      await valueOf(
        world.dataSource,
        `SELECT count(*)::int FROM iam.audit_log WHERE action = 'session.revoked' AND session_id = $1 AND user_id = $2`,
        [decodeJwt(tokens.accessToken)['sid'], decodeJwt(tokens.accessToken).sub],
      ),
    ).toBe(1);
  });

  it.each(['unknown', 'eyJhbGciOiJub25lIn0.e30.', 'x'.repeat(4096)])(
    'is answered alike for a token of nobody: %.20s',
    async (token) => {
      const reply = await revoke(world.url, token);

      expect([reply.status, reply.text]).toEqual([200, '']);
    },
  );

  it('is refused to a client that it was not issued to, and ends nothing (RFC 7009 §2.1)', async () => {
    const tokens = await signIn();

    const replies = [
      await revoke(world.url, tokens.refreshToken, { client_id: 'other' }),
      await revoke(world.url, tokens.accessToken, { client_id: 'other' }),
    ];

    expect(replies.map((reply) => [reply.status, reply.json()['error']])).toEqual([
      [400, 'invalid_grant'],
      [400, 'invalid_grant'],
    ]);
    expect(await rowOf(tokens)).toEqual({ end_reason: null });
    expect((await refresh(world.url, tokens.refreshToken)).status).toBe(200);
  });

  it('takes a hint and JSON', async () => {
    const tokens = await signIn();

    const reply = await new PcBrowser().visit(`${world.url}/iam/revoke`, {
      body: { client_id: 'web', token: tokens.refreshToken, token_type_hint: 'refresh_token' },
    });

    expect(reply.status).toBe(200);
    expect(await rowOf(tokens)).toEqual({ end_reason: 'revoked' });
  });

  it.each([
    ['an unknown client', { client_id: 'nobody' }, 401, 'invalid_client'],
    ['no client', { client_id: '' }, 400, 'invalid_request'],
    ['no token', { token: '' }, 400, 'invalid_request'],
  ])('refuses %s', async (_case, changes, status, error) => {
    const reply = await revoke(world.url, 'token', changes);

    expect([reply.status, reply.json()['error']]).toEqual([status, error]);
  });

  it('changes nothing when it is only navigated to', async () => {
    const tokens = await signIn();

    const reply = await new PcBrowser().visit(
      `${world.url}/iam/revoke?client_id=web&token=${encodeURIComponent(tokens.refreshToken)}`,
    );

    expect(reply.status).toBe(404);
    expect(await rowOf(tokens)).toEqual({ end_reason: null });
  });
});
