import { currentContext, runInContext } from '../../src/runtime/request-context.js';
import { BackgroundLoop, type LoopOptions } from '../../src/runtime/background-loop.js';

describe('background work', () => {
  beforeEach(() => jest.useFakeTimers());
  afterEach(() => jest.useRealTimers());

  it('runs again and again, its pause counted from the end of a run', async () => {
    const { loop, work } = setUp();

    loop.start(0);
    await pass(0);
    await pass(799);
    expect(work).toHaveBeenCalledTimes(1);
    await pass(401);

    expect(work).toHaveBeenCalledTimes(2);
  });

  it('knows nothing of the request that started it', async () => {
    const contexts: unknown[] = [];
    const { loop } = setUp({ work: async () => void contexts.push(currentContext()) });

    runInContext(() => loop.start(0));
    await pass(0);

    expect(contexts).toEqual([null]);
  });

  it('runs at once when hurried, and once more when that was during a run', async () => {
    const { loop, work } = setUp();
    work.mockImplementationOnce(async () => loop.hurry());

    loop.start(500);
    loop.hurry();
    await pass(1);

    expect(work).toHaveBeenCalledTimes(2);
  });

  it('tells of a trouble once, of another one too, and of its end', async () => {
    const { loop, work, onTrouble, onRecovery } = setUp();
    for (const reason of ['away', 'away', 'locked']) work.mockRejectedValueOnce(new Error(reason));

    loop.start(0);
    for (let run = 0; run < 4; run += 1) await pass(1_200);

    expect(onTrouble.mock.calls).toEqual([['away'], ['locked']]);
    expect(onRecovery).toHaveBeenCalledTimes(1);
  });

  it('waits twice as long after each failure, up to the longest pause', async () => {
    const { loop, work } = setUp({ longestPause: 4_000 });
    work.mockRejectedValue(new Error('away'));

    loop.start(0);
    await pass(0);
    await pass(2 * 1_200);
    expect(work).toHaveBeenCalledTimes(2);
    for (let run = 0; run < 3; run += 1) await pass(4_000 * 1.2);

    expect(work.mock.calls.length).toBeGreaterThanOrEqual(5);
  });

  it('begins no run after it was stopped, which waits for the one under way', async () => {
    let finish: () => void = () => undefined;
    const { loop, work } = setUp();
    work.mockReturnValueOnce(new Promise<void>((resolve) => (finish = resolve)));
    loop.start(0);
    await pass(0);
    let isStopped = false;

    const stopping = loop.stop().then(() => (isStopped = true));
    await pass(5_000);
    expect(isStopped).toBe(false);
    finish();
    await stopping;
    await pass(5_000);

    expect(work).toHaveBeenCalledTimes(1);
  });
});

function setUp(options: Partial<LoopOptions> = {}) {
  const work = jest.fn(async (): Promise<void> => undefined);
  const onTrouble = jest.fn();
  const onRecovery = jest.fn();
  const loop = new BackgroundLoop({ work, every: 1_000, onTrouble, onRecovery, ...options });
  return { loop, work, onTrouble, onRecovery };
}

async function pass(milliseconds: number): Promise<void> {
  await jest.advanceTimersByTimeAsync(milliseconds);
}
