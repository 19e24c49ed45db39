import { checkStateStore, SessionStateStore } from '../../../src/wechat/strategies/state-store.js';

const MINUTE = 60_000;
const meta = { authorizationURL: 'https://a.example', tokenURL: 'https://t.example', clientID: 'wx1' };
type Session = Record<string, unknown>;

describe('checkStateStore', () => {
  const taking = (parameters: number) =>
    Object.defineProperty(() => undefined, 'length', { value: parameters });

  it('takes the forms with `meta`', () => {
    const whole = { store: taking(3), verify: taking(4) };

    expect(checkStateStore(whole)).toBe(whole);
  });

  it.each([
    [2, 4, 'store.store: expected the parameters (request, meta, done)'],
    [3, 3, 'store.verify: expected the parameters (request, state, meta, done)'],
  ])(
    'refuses others, which passport-oauth2 would call with other arguments: %i, %i',
    (store, verify, message) => {
      expect(() => checkStateStore({ store: taking(store), verify: taking(verify) })).toThrow(
        new TypeError(message),
      );
    },
  );
});

describe('SessionStateStore', () => {
  let now = 0;
  const open = (key?: string) => new SessionStateStore({ now: () => now, ...(key !== undefined && { key }) });

  beforeEach(() => {
    now = Date.UTC(2026, 0, 1);
  });

  function remember(states: SessionStateStore, session: Session): string {
    const done = jest.fn<undefined, [Error | null, string?]>();
    states.store({ session }, meta, done);
    const [error, state = ''] = done.mock.calls[0] ?? [];
    expect(error).toBeNull();
    expect(state).toMatch(/^[A-Za-z0-9]{32}$/);
    return state;
  }

  function verify(states: SessionStateStore, session: Session, state: string, clientID = 'wx1'): unknown[] {
    const done = jest.fn<undefined, unknown[]>();
    states.verify({ session }, state, { ...meta, clientID }, done);
    return done.mock.calls[0] ?? [];
  }

  it('knows a state again, once', () => {
    const session: Session = {};
    const state = remember(open(), session);

    expect(verify(open(), session, state)).toEqual([null, true]);
    expect(verify(open(), session, state)).toEqual([null, false, { message: 'state_mismatch' }]);
  });

  it('uses a state up at the callback of another app', () => {
    const session: Session = {};
    const state = remember(open(), session);

    expect(verify(open(), session, state, 'wx2')).toEqual([null, false, { message: 'state_mismatch' }]);
    expect(verify(open(), session, state)).toEqual([null, false, { message: 'state_mismatch' }]);
  });

  it('forgets a state after ten minutes', () => {
    const session: Session = {};
    const [first, second] = [remember(open(), session), remember(open(), session)];

    now += 10 * MINUTE - 1;
    expect(verify(open(), session, first)).toEqual([null, true]);
    now += 1;
    expect(verify(open(), session, second)).toEqual([null, false, { message: 'state_mismatch' }]);
  });

  it('keeps ten attempts of a browser; the oldest gives way', () => {
    const session: Session = {};
    const states = Array.from({ length: 11 }, () => remember(open(), session));

    expect(states.map((state) => verify(open(), session, state)[1])).toEqual([
      false,
      ...Array<boolean>(10).fill(true),
    ]);
  });

  it.each([
    [undefined, 'wechat:states'],
    ['sign-in', 'sign-in'],
  ])('keeps them under the key %j of the session', (key, expected) => {
    const session: Session = { cart: 1 };
    const state = remember(open(key), session);

    expect(session).toEqual({
      cart: 1,
      [expected]: [{ state, appid: 'wx1', expiresAt: now + 10 * MINUTE }],
    });
  });

  it('takes what is not its own in the session for nothing', () => {
    const session: Session = { 'wechat:states': [{ state: 'x'.repeat(32) }] };

    expect(verify(open(), session, 'x'.repeat(32))).toEqual([null, false, { message: 'state_mismatch' }]);
    expect(session).toEqual({ 'wechat:states': [] });
  });

  it('says which middleware is missing where a request has no session', () => {
    const stored = jest.fn();
    const verified = jest.fn();
    const missing = new TypeError(
      'WeChat sign-in keeps its state in request.session: use express-session before Passport, or pass a `store`',
    );

    open().store({}, meta, stored);
    open().verify({ session: null }, 's', meta, verified);

    expect(stored.mock.calls).toEqual([[missing]]);
    expect(verified.mock.calls).toEqual([[missing, false]]);
  });
});
