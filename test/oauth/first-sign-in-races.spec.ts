import { fail } from 'node:assert';
import { startWorld, type World } from '../support/iam-app.js';
import type { Reply } from '../support/pc-browser.js';
import { startReplicaProcess, type ReplicaProcess } from '../support/replica-process.js';
import { valueOf } from '../support/rows.js';
import { approveOnPc, redeem, type ApprovedOnPc } from '../support/sign-in.js';
import { approveInWechat } from '../support/signed-in.js';

const minutes = 60_000;

describe('people sign in for the first time, many at once over two processes', () => {
  let world: World;
  let replica: ReplicaProcess;

  beforeAll(async () => {
    world = await startWorld();
    replica = await startReplicaProcess(world);
  }, minutes);
  afterAll(async () => {
    await replica.stop();
    await world.close();
  });

  /** Sends a callback to one of the two, each of which answers at an address of its own under the same public URL. */
  const callBack = async (approved: ApprovedOnPc, index: number): Promise<Reply> => {
    const { url } = index % 2 === 0 ? world : replica;
    return approved.browser.visit(`${url}${approved.callback.pathname}${approved.callback.search}`);
  };

  it(
    'and one person in 200 browsers is one user with two identities and one unionid',
    async () => {
      const person = world.wechat.person({ nickname: '一人' });
      const waiting: ApprovedOnPc[] = [];
      for (let index = 0; index < 100; index += 1) {
        waiting.push(await approveOnPc(world, person), await approveInWechat(world, person));
      }

      const returned = await Promise.all(waiting.map(callBack));
      const redeemed = await Promise.all(
        waiting.map((approved, index) =>
          redeem(world.url, { ...approved, returned: returned[index] ?? fail('no answer') }),
        ),
      );

      expect(returned.map(({ location }) => location?.searchParams.get('error'))).toEqual(
        Array(200).fill(null),
      );
      expect(redeemed.map(({ status }) => status)).toEqual(Array(200).fill(200));
      expect(await valueOf(world.dataSource, 'SELECT count(*)::int FROM iam.users')).toBe(1);
      expect(await valueOf(world.dataSource, 'SELECT count(*)::int FROM iam.identities')).toBe(2);
      expect(await valueOf(world.dataSource, 'SELECT count(*)::int FROM iam.unions')).toBe(1);
      expect(await valueOf(world.dataSource, 'SELECT count(DISTINCT user_id)::int FROM iam.sessions')).toBe(
        1,
      );
      expect(
        await valueOf(
          world.dataSource,
          `SELECT count(*)::int FROM iam.audit_log WHERE action = 'user.signed_up'`,
        ),
      ).toBe(1);
    },
    3 * minutes,
  );
});
