import { startWorld, type World } from '../support/iam-app.js';
import { countQueries, type QueryCounter } from '../support/query-counter.js';
import { approveOnPc, getWith, redeem, toTokens } from '../support/sign-in.js';
import { refresh, revoke } from '../support/signed-in.js';

/** Each statement is one round trip to PostgreSQL, BEGIN and COMMIT included; the limits are those of issue 2. */
describe('round trips', () => {
  let world: World;
  let queries: QueryCounter;

  beforeAll(async () => {
    world = await startWorld();
    queries = countQueries(world.database.url);
    await signIn();
  });
  afterAll(async () => {
    queries.stop();
    await world.close();
  });

  async function counted<T>(
    work: () => Promise<T>,
  ): Promise<{ result: T; statements: number; calls: number }> {
    const [mark, before] = [queries.mark(), world.wechat.calls().length];
    const result = await work();
    return { result, statements: queries.since(mark).length, calls: world.wechat.calls().length - before };
  }
  async function signIn(person = world.wechat.person({ nickname: '数' })) {
    const approved = await approveOnPc(world, person);
    const callback = await counted(() => approved.browser.visit(approved.callback));
    const token = await counted(() => redeem(world.url, { ...approved, returned: callback.result }));
    return { callback, token, tokens: toTokens(token.result) };
  }

  it('of a first sign-in are at most 8, with 2 calls to WeChat', async () => {
    const { callback } = await signIn();

    expect(callback.calls).toBe(2);
    expect(callback.statements).toBeLessThanOrEqual(8);
  });

  it('of the next one are at most 4, with 1 call to WeChat', async () => {
    const person = world.wechat.person({ nickname: '回' });
    await signIn(person);

    const { callback } = await signIn(person);

    expect(callback.calls).toBe(1);
    expect(callback.statements).toBeLessThanOrEqual(4);
  });

  it('of a code are at most 3', async () => {
    expect((await signIn()).token.statements).toBeLessThanOrEqual(3);
  });

  it('of a refresh are at most 2, also when the answer was lost', async () => {
    const { tokens } = await signIn();

    const first = await counted(() => refresh(world.url, tokens.refreshToken));
    const repeated = await counted(() => refresh(world.url, tokens.refreshToken));

    expect([first.result.status, repeated.result.status]).toEqual([200, 200]);
    expect(first.statements).toBe(1);
    expect(repeated.statements).toBeLessThanOrEqual(2);
  });

  it('of a refused forgery are none', async () => {
    const { statements } = await counted(() => refresh(world.url, 'ffffffff.forged.0.tag'));

    expect(statements).toBe(0);
  });

  it('of a revocation is one', async () => {
    const { tokens } = await signIn();

    expect((await counted(() => revoke(world.url, tokens.refreshToken))).statements).toBe(1);
  });

  it('of a guarded request are none; /iam/me reads one row', async () => {
    const { tokens } = await signIn();

    expect((await counted(() => getWith(`${world.url}/iam/me`, tokens.accessToken))).statements).toBe(1);
  });
});
