import { SingleFlight } from '../../src/runtime/single-flight.js';

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
