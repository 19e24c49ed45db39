import fc from 'fast-check';
import { decodeJwt } from 'jose';
import type { Person } from '../../emulator/index.js';
import { startReplica, startWorld, type IamApp, type World } from '../support/iam-app.js';
import { rowsOf } from '../support/rows.js';
import { signInOnPc } from '../support/sign-in.js';
import { refresh, revoke } from '../support/signed-in.js';

type Step =
  | { readonly kind: 'refresh'; readonly age: number; readonly at: 0 | 1 }
  | { readonly kind: 'wait' }
  | { readonly kind: 'revoke'; readonly age: number; readonly at: 0 | 1 }
  | { readonly kind: 'disable' }
  | { readonly kind: 'enable' };

const at = fc.constantFrom(0 as const, 1 as const);
/** How many generations before the newest token known. */
const age = fc.oneof({ weight: 5, arbitrary: fc.constant(0) }, { weight: 3, arbitrary: fc.nat(4) });
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 12, arbitrary: fc.record({ kind: fc.constant('refresh' as const), age, at }) },
  { weight: 2, arbitrary: fc.constant({ kind: 'wait' as const }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('revoke' as const), age, at }) },
  { weight: 1, arbitrary: fc.constant({ kind: 'disable' as const }) },
  { weight: 1, arbitrary: fc.constant({ kind: 'enable' as const }) },
);
const settings = { numRuns: 25, endOnFailure: true } as const;
const minutes = 60_000;

describe('the refresh tokens of one session, used in any order on two replicas', () => {
  let world: World;
  let replica: IamApp;
  let person: Person;

  beforeAll(async () => {
    world = await startWorld();
    replica = await startReplica(world);
    person = world.wechat.person({ nickname: '序' });
  });
  afterAll(async () => {
    await replica.close();
    await world.close();
  });

  /** A session, the tokens issued for it by generation, and how steps act on it. */
  async function family() {
    await world.dataSource.query(`UPDATE iam.users SET status = 'active'`);
    const { accessToken, refreshToken } = await signInOnPc(world, person);
    const { sid, sub } = decodeJwt(accessToken);
    const tokens = [refreshToken];
    const urls = [world.url, replica.url] as const;
    const tokenOf = (back: number) => tokens[Math.max(0, tokens.length - 1 - back)] ?? refreshToken;
    const row = async () =>
      (
        await rowsOf(world.dataSource, 'SELECT generation, ended_at FROM iam.sessions WHERE id = $1', [sid])
      )[0] ?? {};
    const setStatus = (status: string) =>
      world.dataSource.query('UPDATE iam.users SET status = $2 WHERE id = $1', [sub, status]);

    /** The successor's text when a token was refreshed, null when it was refused, undefined for other steps. */
    const perform = async (each: Step): Promise<string | null | undefined> => {
      switch (each.kind) {
        case 'refresh': {
          const reply = await refresh(urls[each.at], tokenOf(each.age));
          return reply.status === 200 ? String(reply.json()['refresh_token']) : null;
        }
        case 'wait':
          await world.dataSource.query(
            `UPDATE iam.sessions SET rotated_at = rotated_at - interval '11 seconds' WHERE id = $1`,
            [sid],
          );
          return undefined;
        case 'revoke':
          await revoke(urls[each.at], tokenOf(each.age));
          return undefined;
        case 'disable':
          await setStatus('disabled');
          return undefined;
        case 'enable':
          await setStatus('active');
          return undefined;
      }
    };
    return { tokens, row, perform };
  }

  it(
    'obey, one after another, the model: the newest rotates, its parent repeats within the grace, any other ends all',
    async () => {
      await fc.assert(
        fc.asyncProperty(fc.array(step, { minLength: 2, maxLength: 14 }), async (steps) => {
          const { tokens, perform } = await family();
          const model = { generation: 0, inGrace: false, live: true, active: true };

          for (const each of steps) {
            const outcome = await perform(each);
            if (each.kind === 'disable' || each.kind === 'enable') model.active = each.kind === 'enable';
            if (each.kind === 'wait') model.inGrace = false;
            if (each.kind === 'revoke') model.live = false;
            if (each.kind !== 'refresh') continue;
            const used = Math.max(0, model.generation - each.age);
            const usable = model.live && model.active;
            if (usable && used === model.generation) {
              model.generation += 1;
              model.inGrace = true;
              expect(outcome).toEqual(expect.any(String));
              tokens.push(String(outcome));
            } else if (usable && used === model.generation - 1 && model.inGrace) {
              expect(outcome).toBe(tokens[model.generation]);
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
    'never work again, also all at once, when one was found to be reused',
    async () => {
      const bursts = fc.array(fc.array(step, { minLength: 1, maxLength: 6 }), { minLength: 2, maxLength: 6 });
      await fc.assert(
        fc.asyncProperty(bursts, async (steps) => {
          const { tokens, row, perform } = await family();

          for (const burst of steps) {
            const before = await row();
            const outcomes = await Promise.all(burst.map(perform));
            const successors = [...new Set(outcomes.filter((outcome) => typeof outcome === 'string'))];
            const after = await row();

            if (before['ended_at'] !== null) expect(successors).toEqual([]);
            expect(Number(after['generation']) - Number(before['generation'])).toBeLessThanOrEqual(1);
            const fresh = successors.filter((token) => !tokens.includes(token));
            expect(fresh.length).toBeLessThanOrEqual(1);
            tokens.push(...fresh);
          }
          const { ended_at } = await row();
          await perform({ kind: 'enable' });
          if (ended_at === null) return;
          for (const back of tokens.keys())
            expect(await perform({ kind: 'refresh', age: back, at: 0 })).toBeNull();
        }),
        settings,
      );
    },
    3 * minutes,
  );
});
