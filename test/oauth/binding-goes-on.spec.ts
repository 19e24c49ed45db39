import type { Person } from '../../emulator/index.js';
import { IamUsers } from '../../src/index.js';
import {
  askForQrCode,
  decideOnPhone,
  poll,
  pollUntilSettled,
  scanAndFollow,
  startFollowWorld,
} from '../support/follow.js';
import type { World } from '../support/iam-app.js';
import { rowsOf, valueOf } from '../support/rows.js';
import {
  getWith,
  outlastGrace,
  pkce,
  redeem,
  returnFromPc,
  toTokens,
  type PcSignIn,
} from '../support/sign-in.js';
import { refresh } from '../support/signed-in.js';

describe('a sign-in that was asked for an account of the host', () => {
  let world: World;
  let users: IamUsers;

  beforeAll(async () => {
    const clients = [{ id: 'other', redirectUris: ['https://other.example/back'] }];
    world = await startFollowWorld(
      { sign_up: 'bind', qr_enabled: false, qr_confirmation: 'tap' },
      { options: { clients, rateLimits: 'off' } },
    );
    users = world.app.get(IamUsers);
  });
  afterAll(() => world.close());

  const stranger = (): Person => world.wechat.person({ nickname: '客' });

  interface Asked {
    readonly signIn: PcSignIn;
    readonly bindingToken: string;
  }
  const asked = async (person = stranger()): Promise<Asked> => {
    const signIn = await returnFromPc(world, person);
    const reply = await redeem(world.url, signIn);
    return { signIn, bindingToken: String(reply.json()['binding_token']) };
  };
  const errorOf = async (signIn: PcSignIn, changes: Readonly<Record<string, string>> = {}) =>
    (await redeem(world.url, signIn, changes)).json()['error'];

  it('ends in tokens at the same token request, once the person is connected, with no second scan', async () => {
    const { signIn, bindingToken } = await asked();
    const exchanges = world.wechat.calls('/sns/oauth2/access_token').length;

    const account = await users.bind(bindingToken, { externalId: 'member-1' });
    const tokens = toTokens(await redeem(world.url, signIn));

    const me = await getWith(`${world.url}/iam/me`, tokens.accessToken);
    expect(me.json()).toMatchObject({ id: account.id, external_id: 'member-1' });
    expect(world.wechat.calls('/sns/oauth2/access_token')).toHaveLength(exchanges);
  });

  it('ends in tokens once: a repetition after the grace ends the session it began', async () => {
    const { signIn, bindingToken } = await asked();
    await users.bind(bindingToken, { externalId: 'member-2' });
    const { refreshToken } = toTokens(await redeem(world.url, signIn));
    await outlastGrace(world);

    const again = await errorOf(signIn);
    const afterwards = await refresh(world.url, refreshToken);

    expect(again).toBe('invalid_grant');
    expect(afterwards.json()['error']).toBe('invalid_grant');
  });

  it('ends in one session when the request is repeated twice at once', async () => {
    const { signIn, bindingToken } = await asked();
    const { id } = await users.bind(bindingToken, { externalId: 'member-3' });

    const replies = await Promise.all([redeem(world.url, signIn), redeem(world.url, signIn)]);

    expect(replies.map(({ status }) => status)).toEqual([200, 200]);
    const sessions = await valueOf(
      world.dataSource,
      'SELECT count(*)::int FROM iam.sessions WHERE user_id = $1',
      [id],
    );
    expect(sessions).toBe(1);
  });

  it('waits while nobody is connected', async () => {
    const { signIn, bindingToken } = await asked();

    const early = [await errorOf(signIn), await errorOf(signIn)];
    await users.bind(bindingToken, { externalId: 'member-4' });

    expect(early).toEqual(['invalid_grant', 'invalid_grant']);
    expect((await redeem(world.url, signIn)).status).toBe(200);
  });

  it('goes on for its own client and PKCE verifier only', async () => {
    const { signIn, bindingToken } = await asked();
    await users.bind(bindingToken, { externalId: 'member-5' });

    const foreign = [
      await errorOf(signIn, { code_verifier: pkce().verifier }),
      await errorOf(signIn, { client_id: 'other' }),
      await errorOf(signIn, { redirect_uri: 'https://other.example/back' }),
      await errorOf(signIn, { code: bindingToken }),
    ];

    expect(foreign).toEqual(Array(4).fill('invalid_grant'));
    expect((await redeem(world.url, signIn)).status).toBe(200);
  });

  it('goes on for a minute', async () => {
    const { signIn, bindingToken } = await asked();
    const { id } = await users.bind(bindingToken, { externalId: 'member-6' });
    const left = await valueOf(
      world.dataSource,
      'SELECT extract(epoch FROM redeem_before - now())::float8 FROM iam.logins WHERE user_id = $1',
      [id],
    );
    await world.dataSource.query('UPDATE iam.logins SET redeem_before = now() WHERE user_id = $1', [id]);

    expect(left).toBeGreaterThan(50);
    expect(left).toBeLessThanOrEqual(60);
    expect(await errorOf(signIn)).toBe('invalid_grant');
  });

  it('ends when another identity is connected to the same account before it went on', async () => {
    const [first, second] = [await asked(), await asked()];
    await users.bind(first.bindingToken, { externalId: 'member-7' });

    await users.bind(second.bindingToken, { externalId: 'member-7' });

    expect(await errorOf(first.signIn)).toBe('invalid_grant');
    expect((await redeem(world.url, second.signIn)).status).toBe(200);
  });

  it('is refused when the account was disabled in between', async () => {
    const { signIn, bindingToken } = await asked();
    const { id } = await users.bind(bindingToken, { externalId: 'member-8' });
    await world.dataSource.query(`UPDATE iam.users SET status = 'disabled' WHERE id = $1`, [id]);

    expect(await errorOf(signIn)).toBe('access_denied');
  });

  it('does not go on when the connection was refused', async () => {
    const lan = stranger();
    const [first, second] = [await asked(lan), await asked(lan)];
    await users.bind(first.bindingToken, { externalId: 'member-9' });

    const refused = await users.bind(second.bindingToken, { externalId: 'member-10' }).catch(String);

    expect(refused).toContain('identity_conflict');
    expect(await errorOf(second.signIn)).toBe('invalid_grant');
    expect(await users.findByExternalId('member-10')).toBeNull();
  });

  it('keeps nothing of what WeChat proved', async () => {
    const { bindingToken } = await asked();
    const { id } = await users.bind(bindingToken, { externalId: 'member-11' });

    const rows = await rowsOf(world.dataSource, 'SELECT status, subject FROM iam.logins WHERE user_id = $1', [
      id,
    ]);
    expect(rows).toEqual([{ status: 'authenticated', subject: null }]);
  });

  it('ends in tokens by the same device code, after a scan that another page shows', async () => {
    await world.saveProvider({ qr_enabled: true });
    const lan = stranger();
    const device = await askForQrCode(world.url);
    await scanAndFollow(world, lan, device.qr);
    await decideOnPhone(world, lan, 'confirm');
    const reply = await pollUntilSettled(world.url, device);

    const { id } = await users.bind(String(reply.json()['binding_token']), { externalId: 'member-12' });
    const tokens = toTokens(await poll(world.url, device));
    const again = await poll(world.url, device);

    const me = await getWith(`${world.url}/iam/me`, tokens.accessToken);
    expect(me.json()).toMatchObject({ id });
    expect(again.json()['error']).toBe('invalid_grant');
  });
});
