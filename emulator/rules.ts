/** What WeChat does where witnesses disagree or where a test wants the rarer behaviour. Change it at any moment. */
export interface EmulatorRules {
  /** What follows a refusal: nothing (today's WeChat), or a redirect with `state` alone (documents up to 2020). */
  deny: 'no-redirect' | 'state-only';
  /** The answer to an expired code: real servers say 40029, the global list has 42003. */
  expiredCode: 40029 | 42003;
  /** A callback without a `state` in the request: leave it out, or send `state=`. */
  missingState: 'omit' | 'empty';
  /** Every `snsapi_userinfo` page opens as a read-only snapshot page with virtual ids. */
  snapshot: boolean;
  /** `/sns/userinfo` for a snapshot user: the virtual profile, or 48001 as once reported. */
  snapshotProfile: 'virtual' | 48001;
  /** A follower who comes from the account's own chat is not asked again for `snsapi_userinfo`. */
  silentForFollowers: boolean;
  /** unionid in the token answer of `snsapi_base`: never as documented, or once `snsapi_userinfo` was granted, as reported. */
  unionidWithBaseScope: 'never' | 'after-userinfo';
  /** unionid in `user/info` of somebody who does not follow (one report says yes). */
  unionidForNonFollowers: boolean;
  /** The answer to a caller whose address is not on the whitelist. */
  ipNotAllowed: 40164 | 61004;
  /** How many classic tokens an app may fetch a day (2,000 documented, 10,000 reported). */
  tokensPerDay: number;
  /** How often a push is sent in all when nobody answers. */
  pushAttempts: number;
  /** How long a push may take, in milliseconds. */
  pushTimeout: number;
  /** Milliseconds between a failed delivery and the next. */
  pushPause: number;
  /** Re-deliveries are signed anew with the current timestamp and a new nonce; otherwise they repeat the first. */
  redeliverySignedAnew: boolean;
  /** How long the PC page's long poll hangs, in milliseconds. */
  longPoll: number;
  /** Lifetime of a temporary QR code that does not say, in seconds (60 today, 30 in older documents). */
  sceneSeconds: number;
  /** How many `qrcode/create` calls an account has a day (100,000; sandbox accounts have 10,000). */
  qrCodesPerDay: number;
  /** How many customer messages one message of the person allows within 48 hours. */
  customMessages: number;
}

/** WeChat as documented today. */
export function defaultRules(): EmulatorRules {
  return {
    deny: 'no-redirect',
    expiredCode: 40029,
    missingState: 'omit',
    snapshot: false,
    snapshotProfile: 'virtual',
    silentForFollowers: true,
    unionidWithBaseScope: 'never',
    unionidForNonFollowers: false,
    ipNotAllowed: 40164,
    tokensPerDay: 2000,
    pushAttempts: 3,
    pushTimeout: 5000,
    pushPause: 0,
    redeliverySignedAnew: true,
    longPoll: 25_000,
    sceneSeconds: 60,
    qrCodesPerDay: 100_000,
    customMessages: 5,
  };
}
