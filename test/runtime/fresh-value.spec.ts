import { FreshValue } from '../../src/runtime/single-flight.js';

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
});

function setUp() {
  let now = 0;
  let count = 0;
  const read = jest.fn(async () => (count += 1));
  const value = new FreshValue({ read, milliseconds: 4_000, elapsed: () => now });
  return { value, read, pass: (milliseconds: number) => (now += milliseconds) };
}
