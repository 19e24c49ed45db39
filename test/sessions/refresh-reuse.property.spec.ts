import fc from 'fast-check';
import type { Person } from '../../emulator/index.js';
import { adminOptions } from '../support/admin.js';
import { cookieClient } from '../support/cookie-client.js';
import { startWorld, type World } from '../support/iam-app.js';
import { startReplicaProcess, type ReplicaProcess } from '../support/replica-process.js';
import { TokenFamily, type Step } from '../support/token-family.js';

const at = fc.constantFrom(0 as const, 1 as const);
/** How many generations before the newest token known. */
const age = fc.oneof({ weight: 5, arbitrary: fc.constant(0) }, { weight: 3, arbitrary: fc.nat(4) });
const withToken = <K extends 'refresh' | 'revoke' | 'signOut'>(kind: K) =>
  fc.record({ kind: fc.constant(kind), age, at });
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 24, arbitrary: withToken('refresh') },
  { weight: 4, arbitrary: fc.constant({ kind: 'wait' as const }) },
  { weight: 1, arbitrary: withToken('revoke') },
  { weight: 1, arbitrary: withToken('signOut') },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('shutOut' as const), at }) },
  { weight: 2, arbitrary: fc.constant({ kind: 'disable' as const }) },
  { weight: 2, arbitrary: fc.constant({ kind: 'enable' as const }) },
);
const kind = fc.constantFrom('bearer' as const, 'cookie' as const);
const settings = { numRuns: 30, endOnFailure: true } as const;
const minutes = 60_000;

describe('the tokens of one session, used in any order in two processes', () => {
  const options = { ...adminOptions, clients: [cookieClient()] };
  let world: World;
  let other: ReplicaProcess;
  let person: Person;

  beforeAll(async () => {
    world = await startWorld({ options });
    other = await startReplicaProcess(world, options);
    person = world.wechat.person({ nickname: '序' });
  });
  afterAll(async () => {
    await other.stop();
    await world.close();
  });

  const begin = (of: 'bearer' | 'cookie') => TokenFamily.begin(world, other.url, { person, kind: of });

  it(
    'obey, one after another, the model: the newest rotates, its parent repeats within the grace, any other ends all',
    async () => {
      await fc.assert(
        fc.asyncProperty(kind, fc.array(step, { minLength: 2, maxLength: 14 }), async (of, steps) => {
          const family = await begin(of);
          const model = { inGrace: false, live: true, active: true };

          for (const each of steps) {
            const outcome = await family.perform(each);
            if (each.kind === 'disable' || each.kind === 'enable') model.active = each.kind === 'enable';
            if (each.kind === 'shutOut' && model.active) model.active = model.live = false;
            if (each.kind === 'revoke' || each.kind === 'signOut') model.live = false;
            if (each.kind === 'wait') model.inGrace = false;
            if (each.kind !== 'refresh') continue;
            const back = Math.min(each.age, family.size - 1);
            const usable = model.live && model.active;
            if (usable && back === 0) {
              model.inGrace = true;
              expect(outcome).toEqual(expect.anything());
              if (outcome) family.add(outcome);
            } else if (usable && back === 1 && model.inGrace) {
              expect(outcome?.refreshToken).toBe(family.newest);
            } else {
              expect(outcome).toBeNull();
              if (usable) model.live = false;
            }
          }
        }),
        settings,
      );
    },
    3 * minutes,
  );

  it(
    'never work again, also all at once, when one was found to be reused or the session ended otherwise',
    async () => {
      const bursts = fc.array(fc.array(step, { minLength: 1, maxLength: 6 }), { minLength: 2, maxLength: 6 });
      await fc.assert(
        fc.asyncProperty(kind, bursts, async (of, steps) => {
          const family = await begin(of);

          for (const burst of steps) {
            const before = await family.row();
            const outcomes = await Promise.all(burst.map((each) => family.perform(each)));
            const after = await family.row();

            const successors = outcomes.filter((outcome) => outcome !== null && outcome !== undefined);
            if (before.isOver) expect(successors).toEqual([]);
            expect(after.generation - before.generation).toBeLessThanOrEqual(1);
            const fresh = new Map(successors.map((each) => [each.refreshToken, each]));
            const added = [...fresh.values()].filter(({ refreshToken }) => !family.has(refreshToken));
            expect(added.length).toBeLessThanOrEqual(1);
            added.forEach((each) => family.add(each));
          }
          const { isOver } = await family.row();
          await family.perform({ kind: 'enable' });
          if (!isOver) return;
          for (let back = 0; back < family.size; back += 1)
            for (const process of [0, 1] as const)
              expect(await family.perform({ kind: 'refresh', age: back, at: process })).toBeNull();
        }),
        settings,
      );
    },
    3 * minutes,
  );
});
