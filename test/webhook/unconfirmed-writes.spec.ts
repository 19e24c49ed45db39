import { decodeJwt } from 'jose';
import { IamUsers } from '../../src/index.js';
import { redirectUri, startReplica, startWorld, type IamApp, type World } from '../support/iam-app.js';
import { rowsOf } from '../support/rows.js';
import { redeem, returnFromPc, signInOnPc } from '../support/sign-in.js';
import { onPc, refresh, revoke } from '../support/signed-in.js';
import { TcpProxy } from '../support/tcp-proxy.js';

/** F29: PostgreSQL has committed, and the connection dies before it can say so. */
describe('a change that was made but never confirmed', () => {
  let world: World;
  let proxy: TcpProxy;
  let shaky: IamApp;

  beforeAll(async () => {
    world = await startWorld();
    proxy = await TcpProxy.start(world.database.url);
    // The proxy looks for texts, which a prepared statement sends once.
    shaky = await startReplica(world, {
      databaseUrl: proxy.url,
      options: { database: { preparedStatements: false } },
    });
  });
  afterAll(async () => {
    await shaky.close();
    await proxy.cut();
    await world.close();
  });

  const person = () => world.wechat.person({ nickname: '断' });
  const signIn = async () => {
    const { accessToken, refreshToken } = await signInOnPc(world, person());
    return { refreshToken, sid: decodeJwt(accessToken)['sid'] };
  };
  const session = async (sid: unknown) =>
    (
      await rowsOf(world.dataSource, 'SELECT generation, end_reason FROM iam.sessions WHERE id = $1', [sid])
    )[0];

  it('is found by the next try: a refresh', async () => {
    const { refreshToken, sid } = await signIn();
    proxy.loseAnswerTo('UPDATE iam.sessions');

    const lost = await refresh(shaky.url, refreshToken);
    const committed = await session(sid);
    const again = await refresh(shaky.url, refreshToken);

    expect([lost.status, lost.json()['error'], lost.headers.get('retry-after')]).toEqual([
      503,
      'temporarily_unavailable',
      '1',
    ]);
    expect(committed).toEqual({ generation: 1, end_reason: null });
    expect(again.status).toBe(200);
    expect(await session(sid)).toEqual({ generation: 1, end_reason: null });
  });

  it('is found by the next try: a revocation', async () => {
    const { refreshToken, sid } = await signIn();
    proxy.loseAnswerTo('UPDATE iam.sessions');

    const lost = await revoke(shaky.url, refreshToken);
    const again = await revoke(shaky.url, refreshToken);

    expect([lost.status, again.status]).toEqual([503, 200]);
    expect(await session(sid)).toEqual({ generation: 0, end_reason: 'revoked' });
  });

  it('stays made: the end of a session whose token was stolen', async () => {
    const { refreshToken, sid } = await signIn();
    const { refresh_token: second } = (await refresh(world.url, refreshToken)).json();
    const { refresh_token: third } = (await refresh(world.url, String(second))).json();
    proxy.loseAnswerTo('refresh_reused');

    const lost = await refresh(shaky.url, refreshToken);
    const owner = await refresh(world.url, String(third));

    expect(lost.status).toBe(503);
    expect(owner.json()['error']).toBe('invalid_grant');
    expect(await session(sid)).toMatchObject({ end_reason: 'refresh_reused' });
  });

  it('is made once when it was a redemption: the next try gets its answer', async () => {
    const lan = person();
    const { id } = await onPc(world, lan);
    const returned = await returnFromPc(world, lan);
    proxy.loseAnswerTo('INSERT INTO iam.sessions');

    const lost = await redeem(shaky.url, returned, { redirect_uri: redirectUri(world.url) });
    const again = await redeem(shaky.url, returned, { redirect_uri: redirectUri(world.url) });

    expect([lost.status, again.status]).toEqual([503, 200]);
    expect(
      await rowsOf(world.dataSource, 'SELECT end_reason FROM iam.sessions WHERE user_id = $1 ORDER BY id', [
        id,
      ]),
    ).toEqual([{ end_reason: null }, { end_reason: null }]);
  });

  it('connects a person all the same when it was a binding', async () => {
    await world.saveProvider({ sign_up: 'bind' });
    const lan = person();
    const token = String((await redeem(world.url, await returnFromPc(world, lan))).json()['binding_token']);
    const { id } = await world.app.get(IamUsers).create({});
    proxy.loseAnswerTo('COMMIT');

    const lost = shaky.app.get(IamUsers).bind(token, { id });
    await expect(lost).rejects.toThrow();
    const again = shaky.app.get(IamUsers).bind(token, { id });

    await expect(again).rejects.toMatchObject({ code: 'binding_token_invalid' });
    expect((await onPc(world, lan)).id).toBe(id);
  });
});
