import { IamUsers } from '../../src/index.js';
import { inApp } from '../support/account.js';
import {
  auditOf,
  countPeople,
  meOf,
  outcomeOf,
  owner,
  type PhoneWorld,
  signInMini,
  signInWithNumber,
  startPhoneWorld,
} from '../support/phone-sign-in.js';
import { valueOf } from '../support/rows.js';
import { inWechat, onPc } from '../support/signed-in.js';
import { returnFromPc } from '../support/sign-in.js';

function doThrow(message: string): never {
  throw new Error(message);
}

describe('a person whom the host may know', () => {
  let world: PhoneWorld;

  beforeAll(async () => {
    world = await startPhoneWorld();
  });
  afterAll(() => world.close());
  beforeEach(async () => {
    world.hooks.reset();
    world.wechat.clearFaults();
    world.wechat.clearCalls();
    await world.saveProvider({ sign_up: 'auto' });
  });

  const hostAccount = (externalId: string) => world.app.get(IamUsers).create({ externalId });

  it('is shown to it once, on every row, before sign-up decides', async () => {
    const lan = owner(world);
    await world.saveProvider({ sign_up: 'off' });

    const refused = await signInWithNumber(world, lan);

    expect(outcomeOf(refused)).toBe('sign_up_refused');
    expect(world.hooks.asked).toEqual([
      {
        provider: 'wechat',
        appid: world.apps.mini.appid,
        openid: lan.openid(world.apps.mini),
        unionid: lan.unionid(world.account),
        nickname: null,
        avatarUrl: null,
        phoneNumber: expect.stringMatching(/^\+86139/) as string,
      },
    ]);
    expect(world.hooks.signedUp).toEqual([]);
  });

  it.each(['auto', 'bind', 'off'] as const)(
    'names the account by its id, with sign_up %s',
    async (signUp) => {
      const account = await hostAccount(`by-id-${signUp}`);
      world.hooks.answer = () => ({ userId: account.id });
      await world.saveProvider({ sign_up: signUp });
      const lan = owner(world);

      const first = await meOf(world, await signInWithNumber(world, lan));
      const next = await meOf(world, await signInMini(world, lan));

      expect(first).toMatchObject({
        id: account.id,
        external_id: `by-id-${signUp}`,
        phone_number: expect.stringMatching(/^\+86139/) as string,
      });
      expect([next['id'], world.hooks.asked.length, world.hooks.signedUp.length]).toEqual([account.id, 1, 0]);
      expect((await auditOf(world, account.id)).map(({ action }) => action)).toEqual([
        'identity.linked',
        'login.authenticated',
        'login.authenticated',
        'user.created',
        'user.matched_by_host',
        'user.phone_verified',
      ]);
    },
  );

  it('names it on a PC and inside WeChat too, where no number comes', async () => {
    const account = await hostAccount('everywhere');
    world.hooks.answer = ({ nickname }) => (nickname === '老客户' ? { externalId: 'everywhere' } : undefined);
    const lan = world.wechat.person({ nickname: '老客户' });

    const signedIn = [await onPc(world, lan), await inWechat(world, lan)];

    expect(signedIn.map(({ id }) => id)).toEqual([account.id, account.id]);
    expect(world.hooks.asked).toMatchObject([{ phoneNumber: null, nickname: '老客户' }]);
  });

  it('creates the user of an account that comes by WeChat for the first time', async () => {
    world.hooks.answer = () => ({ externalId: 'customer-42' });

    const me = await meOf(world, await signInWithNumber(world, owner(world)));

    expect(me['external_id']).toBe('customer-42');
    expect((await auditOf(world, me['id'])).map(({ action }) => action)).toContain('user.created');
  });

  it('follows an account that was merged, and lets one in that waits to be erased', async () => {
    const [lan, two] = [owner(world), await hostAccount('merged-away')];
    const { id } = await meOf(world, await signInMini(world, owner(world)));
    await world.dataSource.query(`UPDATE iam.users SET status = 'merged', merged_into = $2 WHERE id = $1`, [
      two.id,
      id,
    ]);
    const leaving = await hostAccount('leaving');
    await world.dataSource.query(
      `UPDATE iam.users SET deletion_at = now() + interval '1 day' WHERE id = $1`,
      [leaving.id],
    );

    world.hooks.answer = () => ({ userId: two.id });
    // The other identity of the user who stays is of the same app.
    const conflict = await signInWithNumber(world, lan);
    await world.dataSource.query('DELETE FROM iam.sessions WHERE user_id = $1', [id]);
    await world.dataSource.query('DELETE FROM iam.identities WHERE user_id = $1', [id]);
    const followed = await meOf(world, await signInWithNumber(world, lan));
    world.hooks.answer = () => ({ externalId: 'leaving' });
    const letIn = await meOf(world, await signInWithNumber(world, owner(world)));

    expect(outcomeOf(conflict)).toBe('identity_conflict');
    expect(followed['id']).toBe(id);
    expect(letIn).toMatchObject({ id: leaving.id, deletion_at: expect.any(String) as string });
  });

  it.each<[string, () => unknown, number, string]>([
    ['throws', () => Promise.reject(new Error('the CRM is down')), 500, 'internal_error'],
    // Without a promise: a rejection that nobody handles would fail the test, and end the process of a host.
    ['throws at once', () => doThrow('the CRM is not configured'), 500, 'internal_error'],
    ['never answers', () => new Promise(() => undefined), 500, 'internal_error'],
    [
      'names nobody that is there',
      () => ({ userId: '0198c0de-0000-7000-8000-000000000001' }),
      500,
      'internal_error',
    ],
    ['names what is no id', () => ({ userId: 'seven' }), 500, 'internal_error'],
    ['names two accounts', () => ({ userId: 'a', externalId: 'b' }), 500, 'internal_error'],
    ['names an empty account', () => ({ externalId: '' }), 500, 'internal_error'],
    ['returns a truth', () => true, 500, 'internal_error'],
  ])('lets nobody in when the hook %s, and nothing is stored', async (_case, answer, status, error) => {
    world.hooks.answer = answer;
    const before = await countPeople(world);

    const reply = await signInWithNumber(world, owner(world));

    expect([reply.status, outcomeOf(reply)]).toEqual([status, error]);
    expect(await countPeople(world)).toEqual(before);
    expect(world.log.text).toContain('matchUser');
  });

  it('holds no transaction while the hook is asked', async () => {
    let open: unknown;
    world.hooks.answer = async () => {
      const waiting = `SELECT count(*)::int FROM pg_stat_activity WHERE datname = current_database() AND state LIKE 'idle in%'`;
      open = await valueOf(world.dataSource, waiting);
    };

    await signInWithNumber(world, owner(world));

    expect(open).toBe(0);
  });

  it('lets nobody in as a banned account', async () => {
    const { id } = await hostAccount('banned');
    await world.dataSource.query(`UPDATE iam.users SET status = 'disabled' WHERE id = $1`, [id]);
    world.hooks.answer = () => ({ externalId: 'banned' });
    const before = await countPeople(world);

    const reply = await signInWithNumber(world, owner(world));

    expect([reply.status, outcomeOf(reply)]).toEqual([400, 'user_disabled']);
    expect(await countPeople(world)).toEqual(before);
  });

  it('cannot give an account to a second person of the same app, one after the other or at once', async () => {
    await hostAccount('shared');
    world.hooks.answer = () => ({ externalId: 'shared' });
    const lan = owner(world);
    const first = await signInWithNumber(world, lan);
    const before = await countPeople(world);

    const second = await signInWithNumber(world, owner(world));
    await hostAccount('rushed');
    world.hooks.answer = () => ({ externalId: 'rushed' });
    const stored = await countPeople(world);
    const both = await Promise.all([
      signInWithNumber(world, owner(world)),
      signInWithNumber(world, owner(world)),
    ]);

    expect([first.status, outcomeOf(second)]).toEqual([200, 'identity_conflict']);
    expect(stored).toMatchObject({ ...before, users: Number(before?.['users']) + 1 });
    expect(both.map((reply) => outcomeOf(reply)).sort()).toEqual(['identity_conflict', 'in']);
  });

  it('cannot give it to another person of WeChat who has another unionid', async () => {
    await hostAccount('union');
    world.hooks.answer = () => ({ externalId: 'union' });
    await onPc(world, world.wechat.person({ nickname: '甲' }));

    expect(outcomeOf(await signInWithNumber(world, owner(world)))).toBe('identity_conflict');
    const { returned } = await returnFromPc(world, world.wechat.person({ nickname: '乙' }));
    expect(returned.location?.searchParams.get('error')).toBe('identity_conflict');
  });

  it('makes one user of a person who comes in twice at once', async () => {
    const lan = owner(world);
    let together: () => void = () => undefined;
    const both = new Promise<void>((resolve) => (together = resolve));
    world.hooks.answer = async () => {
      if (world.hooks.asked.length === 2) together();
      await both;
      return world.hooks.asked.length > 0 ? { externalId: 'twice' } : undefined;
    };

    const replies = await Promise.all([signInMini(world, lan), signInMini(world, lan)]);
    const ids = await Promise.all(replies.map(async (reply) => (await meOf(world, reply))['id']));

    expect(new Set(ids).size).toBe(1);
    expect(
      await valueOf(world.dataSource, `SELECT count(*)::int FROM iam.users WHERE external_id = 'twice'`),
    ).toBe(1);
  });

  it('makes one user of a person who comes in twice at once, each time with the number', async () => {
    const lan = owner(world);
    let together: () => void = () => undefined;
    const both = new Promise<void>((resolve) => (together = resolve));
    world.hooks.answer = async () => {
      if (world.hooks.asked.length === 2) together();
      await both;
    };

    const replies = await Promise.all([signInWithNumber(world, lan), signInWithNumber(world, lan)]);

    expect(replies.map((reply) => outcomeOf(reply))).toEqual(['in', 'in']);
    const users = await Promise.all(replies.map((reply) => meOf(world, reply)));
    expect(new Set(users.map(({ id }) => id)).size).toBe(1);
    expect(users[0]?.['phone_number']).toMatch(/^\+86139/);
  });

  it('makes one user of them too when the hook says it of one request alone', async () => {
    const lan = owner(world);
    let together: () => void = () => undefined;
    const both = new Promise<void>((resolve) => (together = resolve));
    world.hooks.answer = async () => {
      const isFirst = world.hooks.asked.length === 1;
      if (!isFirst) together();
      await both;
      return isFirst ? { externalId: 'half' } : undefined;
    };

    const replies = await Promise.all([signInMini(world, lan), signInMini(world, lan)]);
    const ids = await Promise.all(replies.map(async (reply) => (await meOf(world, reply))['id']));

    expect(new Set(ids).size).toBe(1);
    expect(world.hooks.asked).toHaveLength(2);
  });

  it('is not asked about a person who is known', async () => {
    const lan = owner(world);
    await inApp(world, lan, world.apps, 'mini');
    world.hooks.asked.length = 0;

    await signInWithNumber(world, lan);
    await inApp(world, lan, world.apps, 'mobile');

    expect(world.hooks.asked).toEqual([]);
  });
});
