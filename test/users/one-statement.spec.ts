import { raw } from '../../src/database/sql.js';
import { createUserOf, linkSubject, LostRace } from '../../src/users/link-subject.js';
import { type Subject } from '../../src/users/subject.js';
import { Users } from '../../src/users/users.service.js';
import { startWorld, type World } from '../support/iam-app.js';
import { countWaiting, rowsOf } from '../support/rows.js';

/** Of a resolution nothing is stored but the person. */
const record = () => raw('login AS (SELECT user_id FROM person)');
const start = { externalId: null, nickname: '新', nicknameBy: 'wechat', avatarUrl: null } as const;

describe('a sign-in that is one statement', () => {
  let world: World;
  let people = 0;

  beforeAll(async () => {
    world = await startWorld();
  });
  afterAll(() => world.close());

  const subject = (changes: Partial<Subject> = {}): Subject => {
    people += 1;
    return {
      provider: 'wechat',
      appKind: 'open',
      appid: world.site.appid,
      openid: `o-${people}`,
      unionScope: 'wechat',
      unionid: `u-${people}`,
      profile: null,
      ...changes,
    };
  };
  const create = (of: Subject) => createUserOf(world.dataSource, of, { start, record });
  const everything = () =>
    rowsOf(
      world.dataSource,
      `SELECT (SELECT jsonb_agg(u ORDER BY id) FROM iam.users u) AS users, (SELECT jsonb_agg(i ORDER BY id) FROM iam.identities i) AS identities,
              (SELECT jsonb_agg(n ORDER BY unionid) FROM iam.unions n) AS unions`,
    );

  it.each([
    ['identity', (taken: Subject) => subject({ openid: taken.openid })],
    ['unionid', (taken: Subject) => subject({ unionid: taken.unionid })],
  ])('creates nobody when another sign-in has the %s by now', async (_what, another) => {
    const taken = subject();
    await create(taken);
    const before = await everything();

    await expect(create(another(taken))).rejects.toMatchObject({ driverError: { code: '23505' } });

    expect(await everything()).toEqual(before);
  });

  it.each(['identity', 'union'] as const)(
    'joins nothing by the %s when the rest is another user’s by now',
    async (basis) => {
      const [mine, theirs] = [subject({ unionid: null }), subject()];
      const [{ userId }, { userId: other }] = [await create(mine), await create(theirs)];
      const profile = { nickname: '改', avatarUrl: 'https://thirdwx.qlogo.cn/mmopen/neu/132' };
      const mixed =
        basis === 'identity'
          ? { ...mine, unionid: theirs.unionid, profile }
          : { ...theirs, openid: mine.openid, profile };
      const before = await everything();

      const target = {
        userId: basis === 'identity' ? userId : other,
        basis,
        profile: 'wechat_wins',
      } as const;
      const joining = linkSubject(world.dataSource, mixed, target, { record: record() });

      await expect(joining).rejects.toBeInstanceOf(LostRace);
      expect(await everything()).toEqual(before);
    },
  );

  it('finds again whom an earlier look found as another user, or not at all', async () => {
    const users = world.app.get(Users);
    const known = subject();
    const nobody = await users.find(known);
    const { userId } = await create(known);
    const options = { signUp: 'auto', record } as const;

    const resolved = [
      await users.resolve(known, { ...options, holder: nobody }),
      await users.resolve(known, options),
    ];

    expect(resolved).toEqual(
      [1, 2].map(() => ({ kind: 'user', userId, isNewUser: false, isRecorded: true })),
    );
  });

  it('makes a user anew for one who is erased while the statement waits for their row', async () => {
    const users = world.app.get(Users);
    const known = subject();
    const { userId } = await create(known);
    const login = `INSERT INTO iam.logins (id, user_id, status, provider, method, appid, client_id, expires_at)
      SELECT gen_random_uuid(), user_id, 'authenticated', 'wechat', 'open', 'wx', 'web', now() FROM person RETURNING user_id`;
    const runner = world.dataSource.createQueryRunner();
    await runner.startTransaction();
    await runner.query('DELETE FROM iam.identities WHERE user_id = $1', [userId]);
    await runner.query('DELETE FROM iam.unions WHERE user_id = $1', [userId]);
    await runner.query('DELETE FROM iam.user_roles WHERE user_id = $1', [userId]);
    await runner.query('DELETE FROM iam.users WHERE id = $1', [userId]);

    const resolving = users.resolve(known, { signUp: 'auto', record: () => raw(`login AS (${login})`) });
    while ((await countWaiting(world.dataSource)) === 0);
    await runner.commitTransaction();
    await runner.release();
    const resolved = await resolving;

    expect(resolved).toMatchObject({ kind: 'user', isNewUser: true });
    expect(resolved).not.toMatchObject({ userId });
  });
});
