import { BackgroundLoop, type LoopOptions } from '../../src/runtime/background-loop.js';
import { networksOf } from '../../src/runtime/networks-of.js';
import { currentContext, runInContext } from '../../src/runtime/request-context.js';
import { FreshValue, SingleFlight } from '../../src/runtime/single-flight.js';

describe('one run at a time for each key', () => {
  it('gives everybody who asks meanwhile the outcome of the run under way', async () => {
    const { flight, start, resolve } = setUp();

    const both = [flight.run('a', start), flight.run('a', start)];
    resolve(1);

    expect(await Promise.all(both)).toEqual([1, 1]);
    expect(start).toHaveBeenCalledTimes(1);
  });

  it('runs for another key beside it', async () => {
    const flight = new SingleFlight<string>();

    expect(await Promise.all(['a', 'b'].map((key) => flight.run(key, async () => key)))).toEqual(['a', 'b']);
  });

  it.each(['succeeded', 'failed'])('runs again once it has %s', async (outcome) => {
    const flight = new SingleFlight<number>();
    const first = async () => {
      if (outcome === 'failed') throw new Error('first');
      return 1;
    };
    await flight.run('a', first).catch(() => undefined);

    expect(await flight.run('a', async () => 2)).toBe(2);
  });

  it('starts anew after the one under way was forgotten, whose end takes nothing from the new one', async () => {
    const { flight, start, resolve } = setUp();
    const old = flight.run('a', start);
    flight.forget('a');
    const next = setUp();

    const fresh = flight.run('a', next.start);
    resolve(1);
    await old;
    const joined = flight.run('a', next.start);
    next.resolve(2);

    expect([await old, await fresh, await joined]).toEqual([1, 2, 2]);
    expect(next.start).toHaveBeenCalledTimes(1);
  });
});

function setUp() {
  let resolve: (value: number) => void = () => undefined;
  const outcome = new Promise<number>((settle) => (resolve = settle));
  return { flight: new SingleFlight<number>(), start: jest.fn(() => outcome), resolve };
}

describe('a value that is read again when it is old', () => {
  it('is read once for all who ask at once, and stays until its time is over', async () => {
    const { value, read, pass } = setUp();

    expect(await Promise.all([value.get(), value.get()])).toEqual([1, 1]);
    pass(3_999);
    expect(await value.get()).toBe(1);
    pass(1);

    expect(await value.get()).toBe(2);
    expect(read).toHaveBeenCalledTimes(2);
  });

  it('counts its age from before the reading', async () => {
    const { value, read, pass } = setUp();
    read.mockImplementationOnce(async () => {
      pass(4_000);
      return 7;
    });

    expect(await value.get()).toBe(7);

    expect(await value.get()).toBe(1);
  });

  it('does not keep what a reading found that was forgotten meanwhile', async () => {
    const { value, read } = setUp();
    let resolve: (found: number) => void = () => undefined;
    read.mockReturnValueOnce(new Promise((settle) => (resolve = settle)));
    const old = value.get();

    value.forget();
    const fresh = value.get();
    resolve(7);

    expect([await old, await fresh, await value.get()]).toEqual([7, 1, 1]);
  });

  it('is read again after a failure', async () => {
    const { value, read } = setUp();
    read.mockRejectedValueOnce(new Error('away'));

    await expect(value.get()).rejects.toThrow('away');

    expect(await value.get()).toBe(1);
  });

  function setUp() {
    let now = 0;
    let count = 0;
    const read = jest.fn(async () => (count += 1));
    const value = new FreshValue({ read, milliseconds: 4_000, elapsed: () => now });
    return { value, read, pass: (milliseconds: number) => (now += milliseconds) };
  }
});

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
});

describe('the networks that a rate limit counts', () => {
  it.each([
    ['192.0.2.7', '192.0.2.7', null, '192.0.2.0/24'],
    ['::ffff:192.0.2.7', '192.0.2.7', null, '192.0.2.0/24'],
    ['2001:db8:1:2:aaaa:bbbb:cccc:dddd', '2001:db8:1:2::/64', '2001:db8:1:0::/56', '2001:db8:1::/48'],
    ['2001:0DB8:0001:ab02::1', '2001:db8:1:ab02::/64', '2001:db8:1:ab00::/56', '2001:db8:1::/48'],
    ['2001:db8::1', '2001:db8:0:0::/64', '2001:db8:0:0::/56', '2001:db8:0::/48'],
    ['::1', '0:0:0:0::/64', '0:0:0:0::/56', '0:0:0::/48'],
    ['fe80::1%eth0', 'fe80:0:0:0::/64', 'fe80:0:0:0::/56', 'fe80:0:0::/48'],
    ['unknown', 'unknown', null, null],
    ['not an address', 'not an address', null, null],
  ])('of %s are %s, %s and %s', (address, narrow, middle, wide) => {
    const networks = networksOf(address);

    const shares = [[narrow, 1] as const, [middle, 2] as const, [wide, 4] as const];
    expect(networks).toEqual({ narrow, wide, shares: shares.filter(([network]) => network !== null) });
  });
});
