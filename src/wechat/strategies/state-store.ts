/** What a state belongs to. `clientID` is the appid. */
export interface StateMeta {
  readonly authorizationURL: string;
  readonly tokenURL: string;
  readonly clientID: string;
  readonly callbackURL?: string | undefined;
}

/** Gives the state to send: letters and digits, at most 128. */
export type StateStored = (error: Error | null, state?: string) => void;

/** Says whether the state is this browser's; if not, `info` is the challenge of the failure. */
export type StateVerified = (error: Error | null, ok: boolean, info?: unknown) => void;

/** A state store of passport-oauth2, in the forms that know what a state belongs to. */
export interface WechatStateStore {
  store(request: object, meta: StateMeta, done: StateStored): void;
  verify(request: object, state: string, meta: StateMeta, done: StateVerified): void;
}

/** passport-oauth2 picks the form of a store's methods by the number of their parameters; so must we. */
export function checkStateStore(store: WechatStateStore): WechatStateStore {
  if (store.store.length !== 3)
    throw new TypeError('store.store: expected the parameters (request, meta, done)');
  if (store.verify.length !== 4) {
    throw new TypeError('store.verify: expected the parameters (request, state, meta, done)');
  }
  return store;
}
