import { randomUUID } from 'node:crypto';
import { IamError, IamUsers, type IamUser } from '../../src/index.js';
import type { Person } from '../../emulator/index.js';
import { adminOptions } from '../support/admin.js';
import { ThirdParties } from '../support/consent.js';
import { startWorld, type World } from '../support/iam-app.js';
import { PcBrowser } from '../support/pc-browser.js';
import { rowsOf, valueOf } from '../support/rows.js';
import { approveOnPc, getWith, redeem, returnFromPc } from '../support/sign-in.js';
import { onPc, refresh } from '../support/signed-in.js';

/** 'done', or the code of the `IamError` that a promise is rejected with. */
async function outcomeOf(promise: Promise<unknown>): Promise<string> {
  return promise.then(
    () => 'done',
    (error: unknown) => (error instanceof IamError ? error.code : String(error)),
  );
}

describe('a person whom the host already has an account for', () => {
  let world: World;
  let users: IamUsers;

  beforeAll(async () => {
    world = await startWorld({ provider: { sign_up: 'bind' }, options: adminOptions });
    users = world.app.get(IamUsers);
  });
  afterAll(() => world.close());

  const stranger = (nickname = '客') => world.wechat.person({ nickname });

  async function bindingTokenOf(person: Person): Promise<string> {
    const reply = await redeem(world.url, await returnFromPc(world, person));
    return String(reply.json()['binding_token']);
  }

  it('is asked to connect it, with a token in the body of the answer alone', async () => {
    const signIn = await returnFromPc(world, stranger());

    const reply = await redeem(world.url, signIn);
    const again = await redeem(world.url, signIn);

    expect(signIn.returned.location?.searchParams.get('code')).toEqual(expect.any(String));
    expect(reply.status).toBe(400);
    expect(reply.json()).toEqual({
      error: 'binding_required',
      code: 'binding_required',
      error_description: expect.any(String) as string,
      binding_token: expect.any(String) as string,
      expires_in: 600,
    });
    expect(reply.headers.get('cache-control')).toBe('no-store');
    expect(again.json()['error']).toBe('invalid_grant');
    expect(again.json()).not.toHaveProperty('binding_token');
    expect(await valueOf(world.dataSource, 'SELECT count(*)::int FROM iam.sessions')).toBe(0);
  });

  it('is connected by our id, and signs in as that user from then on', async () => {
    const lan = stranger('小兰');
    const account = await users.create({ externalId: 'host-1' });

    const bound = await users.bind(await bindingTokenOf(lan), { id: account.id });
    const signedIn = await onPc(world, lan);

    expect(bound.id).toBe(account.id);
    expect(signedIn.id).toBe(account.id);
    expect(signedIn.me).toMatchObject({ external_id: 'host-1', nickname: '小兰' });
    expect(
      await rowsOf(
        world.dataSource,
        `SELECT action, detail->>'openid' AS openid FROM iam.audit_log WHERE action = 'identity.linked' AND user_id = $1`,
        [account.id],
      ),
    ).toEqual([{ action: 'identity.linked', openid: lan.openid(world.site) }]);
  });

  it('is not connected while the row is disabled, and is once it is enabled again', async () => {
    const token = await bindingTokenOf(stranger());
    const account = await users.create({});

    await world.saveProvider({ enabled: false });
    const whileDisabled = await outcomeOf(users.bind(token, { id: account.id }));
    await world.saveProvider({ enabled: true });
    const after = await outcomeOf(users.bind(token, { id: account.id }));

    expect([whileDisabled, after]).toEqual(['binding_token_invalid', 'done']);
  });

  it('is connected by the host’s id, known here or not', async () => {
    const ming = stranger('小明');
    const known = await users.create({ externalId: 'host-2' });

    const first = await users.bind(await bindingTokenOf(ming), { externalId: 'host-2' });
    const second = await users.bind(await bindingTokenOf(stranger()), { externalId: 'host-3' });

    expect(first.id).toBe(known.id);
    expect(second.externalId).toBe('host-3');
    expect((await onPc(world, ming)).id).toBe(known.id);
    expect(
      await rowsOf(world.dataSource, `SELECT action FROM iam.audit_log WHERE user_id = $1 ORDER BY id`, [
        second.id,
      ]),
    ).toEqual([{ action: 'user.created' }, { action: 'identity.linked' }]);
  });

  it('is connected twice at once to one account that is new here', async () => {
    const tokens = [await bindingTokenOf(stranger()), await bindingTokenOf(stranger())];

    const bound = await Promise.all(tokens.map((token) => users.bind(token, { externalId: 'host-4' })));

    expect(bound[0]?.id).toBe(bound[1]?.id);
    expect(
      await valueOf(world.dataSource, 'SELECT count(*)::int FROM iam.identities WHERE user_id = $1', [
        bound[0]?.id,
      ]),
    ).toBe(2);
  });

  it('is connected to the user that an account was merged into', async () => {
    const [older, younger] = [await users.create({}), await users.create({})];
    await world.dataSource.query(`UPDATE iam.users SET status = 'merged', merged_into = $2 WHERE id = $1`, [
      younger.id,
      older.id,
    ]);

    const bound = await users.bind(await bindingTokenOf(stranger()), { id: younger.id });

    expect(bound.id).toBe(older.id);
  });

  it('ends what was signed in as that user before', async () => {
    const lan = stranger();
    const account = await users.create({});
    await users.bind(await bindingTokenOf(lan), { id: account.id });
    const { refreshToken } = await onPc(world, lan);

    await users.bind(await bindingTokenOf(stranger()), { id: account.id });
    const reply = await refresh(world.url, refreshToken);

    expect(reply.json()['error']).toBe('invalid_grant');
    expect(
      await rowsOf(world.dataSource, 'SELECT end_reason FROM iam.sessions WHERE user_id = $1', [account.id]),
    ).toEqual([{ end_reason: 'identity_bound' }]);
  });

  it('ends the API keys of that user too, which a former holder of the account may have made', async () => {
    const lan = stranger();
    const account = await users.create({});
    await users.bind(await bindingTokenOf(lan), { id: account.id });
    const { accessToken } = await onPc(world, lan);
    const made = await new PcBrowser().visit(`${world.url}/iam/me/api_keys`, {
      body: { name: '旧' },
      headers: { authorization: `Bearer ${accessToken}` },
    });
    const key = String(made.json()['key']);
    const before = await getWith(`${world.url}/iam/me`, key);

    const refused = await outcomeOf(users.bind('none', { id: account.id }));
    const between = await getWith(`${world.url}/iam/me`, key);
    await users.bind(await bindingTokenOf(stranger()), { id: account.id });
    const after = await getWith(`${world.url}/iam/me`, key);

    expect(refused).toBe('binding_token_invalid');
    expect([before, between, after].map((reply) => reply.json()['code'])).toEqual([
      'person_required',
      'person_required',
      'invalid_token',
    ]);
    expect(
      await rowsOf(
        world.dataSource,
        `SELECT k.end_reason, a.detail->>'reason' AS audited FROM iam.api_keys k
         JOIN iam.audit_log a ON a.action = 'api_key.ended' AND a.detail->>'api_key' = k.id::text WHERE k.user_id = $1`,
        [account.id],
      ),
    ).toEqual([{ end_reason: 'identity_bound', audited: 'identity_bound' }]);
  });

  it('takes back what that user lets applications of third parties have, which a former holder may have agreed to', async () => {
    const [former, owner] = [stranger(), stranger()];
    const account = await users.create({});
    await users.bind(await bindingTokenOf(former), { id: account.id });
    const parties = new ThirdParties(world);
    const id = await parties.register();
    await parties.agree(id, former);
    const before = await parties.come(id, former);

    await users.bind(await bindingTokenOf(owner), { id: account.id });
    const after = await parties.come(id, owner);

    expect([before, after].map(({ returned }) => returned.location?.pathname)).toEqual([
      '/signed-in',
      '/iam/consent',
    ]);
    expect(
      await rowsOf(
        world.dataSource,
        `SELECT client_id, detail FROM iam.audit_log WHERE user_id = $1 AND action = 'consent.withdrawn'`,
        [account.id],
      ),
    ).toEqual([
      {
        client_id: id,
        detail: { reason: 'identity_bound', scopes: ['offline_access', 'openid', 'profile'] },
      },
    ]);
  });

  it('ends what was about to be signed in as that user, and the audit log names what ended', async () => {
    const lan = stranger();
    const account = await users.create({});
    await users.bind(await bindingTokenOf(lan), { id: account.id });
    await onPc(world, lan);
    const authenticated = await returnFromPc(world, lan);

    await users.bind(await bindingTokenOf(stranger()), { id: account.id });
    const reply = await redeem(world.url, authenticated);

    expect(reply.json()['error']).toBe('invalid_grant');
    expect(
      await rowsOf(
        world.dataSource,
        `SELECT status, error, count(*)::int AS logins FROM iam.logins
         WHERE user_id = $1 AND status <> 'consumed' GROUP BY status, error ORDER BY status`,
        [account.id],
      ),
    ).toEqual([
      { status: 'authenticated', error: null, logins: 1 },
      { status: 'failed', error: 'login_interrupted', logins: 2 },
    ]);
    expect(
      await rowsOf(
        world.dataSource,
        `SELECT a.detail->>'reason' AS reason, s.user_id FROM iam.audit_log a
         JOIN iam.sessions s ON a.detail->'sessions' ? s.id::text WHERE a.action = 'session.ended' AND a.user_id = $1`,
        [account.id],
      ),
    ).toEqual([{ reason: 'identity_bound', user_id: account.id }]);
  });

  it('leaves nothing of what WeChat proved with the token that was used', async () => {
    await users.bind(await bindingTokenOf(stranger('秘')), { id: (await users.create({})).id });

    expect(
      await valueOf(
        world.dataSource,
        `SELECT count(*)::int FROM iam.logins WHERE user_id IS NOT NULL AND subject IS NOT NULL`,
      ),
    ).toBe(0);
  });

  describe('is not connected', () => {
    let account: IamUser;
    const identities = () =>
      valueOf(world.dataSource, 'SELECT count(*)::int FROM iam.identities WHERE user_id = $1', [account.id]);

    beforeEach(async () => {
      account = await users.create({});
    });

    it('with a token that was used', async () => {
      const token = await bindingTokenOf(stranger());
      await users.bind(token, { id: (await users.create({})).id });

      expect(await outcomeOf(users.bind(token, { id: account.id }))).toBe('binding_token_invalid');
      expect(await identities()).toBe(0);
    });

    it('with a token that two requests use at once, but once', async () => {
      const token = await bindingTokenOf(stranger());
      const other = await users.create({});

      const codes = await Promise.all([account, other].map(({ id }) => outcomeOf(users.bind(token, { id }))));

      expect(codes.sort()).toEqual(['binding_token_invalid', 'done']);
    });

    it('with a token that has expired', async () => {
      const token = await bindingTokenOf(stranger());
      await world.dataSource.query(
        `UPDATE iam.logins SET redeem_before = now() - interval '1 second' WHERE status = 'binding'`,
      );

      expect(await outcomeOf(users.bind(token, { id: account.id }))).toBe('binding_token_invalid');
    });

    it('with a code, a refresh token or a token of another key', async () => {
      const lan = stranger();
      const signIn = await returnFromPc(world, lan);
      const code = signIn.returned.location?.searchParams.get('code') ?? '';
      const token = String((await redeem(world.url, signIn)).json()['binding_token']);
      const forged = `${token.slice(0, -2)}${token.endsWith('AA') ? 'BB' : 'AA'}`;

      for (const foreign of [code, forged, '', 'x'.repeat(10_000), token.replace(/^.{8}/, '00000000')])
        expect(await outcomeOf(users.bind(foreign, { id: account.id }))).toBe('binding_token_invalid');

      expect(await outcomeOf(users.bind(token, { id: account.id }))).toBe('done');
    });

    it('when somebody else got the identity meanwhile, and the token stays good for its owner', async () => {
      const lan = stranger();
      const tokens = [await bindingTokenOf(lan), await bindingTokenOf(lan)] as const;
      const owner = await users.create({});
      await users.bind(tokens[0], { id: owner.id });

      expect(await outcomeOf(users.bind(tokens[1], { id: account.id }))).toBe('identity_conflict');
      expect(await identities()).toBe(0);
      expect((await users.bind(tokens[1], { id: owner.id })).id).toBe(owner.id);
    });

    it('to two users at once, by two tokens', async () => {
      for (let round = 0; round < 5; round += 1) {
        const lan = stranger();
        const tokens = [await bindingTokenOf(lan), await bindingTokenOf(lan)];
        const targets = [await users.create({}), await users.create({})];

        const outcomes = await Promise.all(
          targets.map(({ id }, index) => outcomeOf(users.bind(tokens[index] ?? '', { id }))),
        );

        expect(outcomes.sort()).toEqual(['done', 'identity_conflict']);
      }
    });

    it('to a user while a sign-up gives the person another', async () => {
      for (let round = 0; round < 5; round += 1) {
        const lan = stranger();
        const token = await bindingTokenOf(lan);
        const { id } = await users.create({});
        await world.saveProvider({ sign_up: 'auto' });
        const approved = await approveOnPc(world, lan);

        const [bound, returned] = await Promise.all([
          outcomeOf(users.bind(token, { id })),
          approved.browser.visit(approved.callback),
        ]);
        await world.saveProvider({ sign_up: 'bind' });

        const owner = await users.findByIdentity(world.site.appid, lan.openid(world.site));
        expect(returned.location?.searchParams.get('error')).toBeNull();
        expect(bound).toBe(owner?.id === id ? 'done' : 'identity_conflict');
      }
    });

    it.each(['disabled', 'unknown', 'not an id'] as const)('to a user that is %s', async (which) => {
      const token = await bindingTokenOf(stranger());
      if (which === 'disabled')
        await world.dataSource.query(`UPDATE iam.users SET status = 'disabled' WHERE id = $1`, [account.id]);
      const id = which === 'disabled' ? account.id : which === 'unknown' ? randomUUID() : which;

      const code = await outcomeOf(users.bind(token, { id }));

      expect(code).toBe(which === 'disabled' ? 'user_disabled' : 'not_found');
      expect((await users.bind(token, { id: (await users.create({})).id })).status).toBe('active');
    });
  });
});

describe('a host', () => {
  let world: World;
  let users: IamUsers;

  beforeAll(async () => {
    world = await startWorld();
    users = world.app.get(IamUsers);
  });
  afterAll(() => world.close());

  it('finds users by our id, by its own and by an identity of WeChat', async () => {
    const lan = world.wechat.person({ nickname: '小兰' });
    const { id } = await onPc(world, lan);
    await users.setExternalId(id, 'host-9');

    const found = [
      await users.find(id),
      await users.findByExternalId('host-9'),
      await users.findByIdentity(world.site.appid, lan.openid(world.site)),
    ];

    expect(found.map((user) => user?.id)).toEqual([id, id, id]);
    expect(found[0]).toMatchObject({ externalId: 'host-9', nickname: '小兰', status: 'active' });
  });

  it('finds nobody where there is nobody', async () => {
    expect(await users.find('nobody')).toBeNull();
    expect(await users.find(randomUUID())).toBeNull();
    expect(await users.findByExternalId('nobody')).toBeNull();
    expect(await users.findByIdentity(world.site.appid, 'o-nobody')).toBeNull();
    expect(await outcomeOf(users.setExternalId('nobody', 'x'))).toBe('not_found');
    expect(await outcomeOf(users.setExternalId(randomUUID(), 'x'))).toBe('not_found');
  });

  it('gives an external id to one user only', async () => {
    const [one, other] = [await users.create({ externalId: 'only-one' }), await users.create({})];

    expect(await outcomeOf(users.create({ externalId: 'only-one' }))).toBe('identity_conflict');
    expect(await outcomeOf(users.setExternalId(other.id, 'only-one'))).toBe('identity_conflict');
    expect((await users.findByExternalId('only-one'))?.id).toBe(one.id);
  });
});
