import { startWorld, type World } from '../support/iam-app.js';
import { valueOf } from '../support/rows.js';
import { redeem, returnFromPc } from '../support/sign-in.js';
import { onPc, refresh, revoke } from '../support/signed-in.js';

/** PostgreSQL's own words for "try again": F30. */
const states = ['40001', '40P01'] as const;

describe.each(states)('a statement that PostgreSQL gives up with %s', (state) => {
  let world: World;

  beforeAll(async () => {
    world = await startWorld();
    // A sequence keeps what it counted when the transaction is undone.
    await world.dataSource.query(`
      CREATE SEQUENCE public.fault_count_seq;
      CREATE FUNCTION public.give_up() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
          IF nextval('public.fault_count_seq') <= TG_ARGV[0]::int THEN
            RAISE EXCEPTION 'injected' USING ERRCODE = '${state}';
          END IF;
          RETURN NEW;
        END
      $$`);
  });
  afterAll(() => world.close());
  afterEach(() =>
    world.dataSource.query(
      'DROP TRIGGER IF EXISTS give_up ON iam.sessions; DROP TRIGGER IF EXISTS give_up ON iam.logins; DROP TRIGGER IF EXISTS give_up ON iam.identities',
    ),
  );

  /** The next `times` writes to a table fail. */
  async function failNext(table: string, event: 'INSERT' | 'UPDATE', times: number): Promise<void> {
    await world.dataSource.query(`SELECT setval('public.fault_count_seq', 1, false)`);
    await world.dataSource.query(
      `CREATE TRIGGER give_up BEFORE ${event} ON iam.${table} FOR EACH ROW EXECUTE FUNCTION public.give_up(${times})`,
    );
  }
  const person = () => world.wechat.person({ nickname: '再' });
  const faults = async () =>
    Number(await valueOf(world.dataSource, 'SELECT last_value FROM public.fault_count_seq')) - 1;

  it.each([
    ['logins', 'INSERT'],
    ['logins', 'UPDATE'],
    ['identities', 'INSERT'],
  ] as const)('is repeated in a first sign-in (%s, %s)', async (table, event) => {
    await failNext(table, event, 3);

    const { returned } = await returnFromPc(world, person());

    expect(returned.location?.searchParams.get('error')).toBeNull();
    expect(await faults()).toBe(3);
  });

  it('is repeated in a redemption', async () => {
    const signIn = await returnFromPc(world, person());
    await failNext('sessions', 'INSERT', 3);

    expect((await redeem(world.url, signIn)).status).toBe(200);
  });

  it('is repeated in a refresh and in a revocation', async () => {
    const { refreshToken } = await onPc(world, person());
    await failNext('sessions', 'UPDATE', 3);
    const refreshed = await refresh(world.url, refreshToken);
    await world.dataSource.query(`SELECT setval('public.fault_count_seq', 1, false)`);

    const revoked = await revoke(world.url, refreshToken);

    expect([refreshed.status, revoked.status]).toEqual([200, 200]);
    expect(await faults()).toBe(3);
  });

  it('is not repeated for ever', async () => {
    const { refreshToken } = await onPc(world, person());
    await failNext('sessions', 'UPDATE', 4);

    const gaveUp = await refresh(world.url, refreshToken);
    const afterwards = await refresh(world.url, refreshToken);

    expect([gaveUp.status, afterwards.status]).toEqual([503, 200]);
  });
});

it('a sign-in that never wins a race may be tried again', async () => {
  const world = await startWorld();
  const person = world.wechat.person({ nickname: '败' });
  const { id } = await onPc(world, person);
  await world.dataSource.query(`UPDATE iam.users SET status = 'merged', merged_into = id WHERE id = $1`, [
    id,
  ]);

  const { returned } = await returnFromPc(world, person);
  await world.close();

  expect(returned.location?.searchParams.get('error')).toBe('temporarily_unavailable');
});
