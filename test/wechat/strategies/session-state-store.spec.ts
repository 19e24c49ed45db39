import { SessionStateStore } from '../../../src/wechat/strategies/state-store.js';

const meta = { authorizationURL: 'https://a', tokenURL: 'https://t', clientID: 'wx1' };
const tenMinutes = 600_000;

/** A browser with a session; `at` moves the clock. */
function browser() {
  let now = 1_000_000;
  const store = new SessionStateStore({ now: () => now });
  const request = { session: {} };
  return {
    at: (milliseconds: number) => (now = 1_000_000 + milliseconds),
    start: (appid = 'wx1') =>
      new Promise<string>((resolve) => {
        store.store(request, { ...meta, clientID: appid }, (_error, state) => resolve(state ?? ''));
      }),
    finish: (state: string, appid = 'wx1') =>
      new Promise<boolean>((resolve) => {
        store.verify(request, state, { ...meta, clientID: appid }, (_error, ok) => resolve(ok));
      }),
  };
}

describe('SessionStateStore', () => {
  it('gives 32 letters and digits, new every time', async () => {
    const { start } = browser();
    const states = [await start(), await start(), await start()];

    expect(new Set(states).size).toBe(3);
    expect(states.every((state) => /^[A-Za-z0-9]{32}$/.test(state))).toBe(true);
  });

  it('accepts a state once', async () => {
    const { start, finish } = browser();
    const state = await start();

    expect(await finish(state)).toBe(true);
    expect(await finish(state)).toBe(false);
  });

  it('accepts a state for ten minutes', async () => {
    const { at, start, finish } = browser();
    const [early, late] = [await start(), await start()];

    at(tenMinutes - 1);
    expect(await finish(early)).toBe(true);
    at(tenMinutes);
    expect(await finish(late)).toBe(false);
  });

  it('uses a state up that is tried with another app', async () => {
    const { start, finish } = browser();
    const state = await start('wx1');

    expect(await finish(state, 'wx2')).toBe(false);
    expect(await finish(state, 'wx1')).toBe(false);
  });

  it('keeps the ten latest attempts', async () => {
    const { start, finish } = browser();
    const states = [];
    for (let attempt = 0; attempt < 11; attempt++) states.push(await start());

    expect(await finish(states[0] ?? '')).toBe(false);
    expect(await finish(states[1] ?? '')).toBe(true);
    expect(await finish(states[10] ?? '')).toBe(true);
  });

  it.each(['', 'x', 'A'.repeat(10_000)])('refuses %j', async (state) => {
    const { start, finish } = browser();
    await start();

    expect(await finish(state)).toBe(false);
  });

  it('takes a session that somebody else filled for empty', async () => {
    const store = new SessionStateStore();
    const request = { session: { 'wechat:states': { state: 'x' } } };

    const ok = await new Promise((resolve) => {
      store.verify(request, 'x', meta, (_error, verified) => resolve(verified));
    });

    expect(ok).toBe(false);
  });

  it('says what is missing when there is no session', async () => {
    const store = new SessionStateStore();
    const request = {};

    const errors = await Promise.all([
      new Promise((resolve) => store.store(request, meta, resolve)),
      new Promise((resolve) => store.verify(request, 'x', meta, resolve)),
    ]);

    expect(errors).toEqual([expect.any(TypeError), expect.any(TypeError)]);
    expect(String(errors[0])).toContain('request.session');
  });
});
