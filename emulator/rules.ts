import { z } from 'zod';

/** What WeChat does where witnesses disagree or where a test wants the rarer behaviour. Change it at any moment. */
export interface EmulatorRules {
  /**
   * What follows a refusal: nothing (today's WeChat), a redirect with `state` alone (documents up to 2020), or one with
   * `code=authdeny` (older clients).
   */
  deny: 'no-redirect' | 'state-only' | 'authdeny';
  /**
   * Who checks the order of parameters of `oauth2/authorize`: WeChat's desktop clients only (their User-Agent decides),
   * every client, or none.
   */
  authorizeOrder: 'desktop' | 'everywhere' | 'never';
  /** `/sns/userinfo` ignores the openid that is sent with a good token, or refuses a foreign one with 40003. */
  userinfoOpenid: 'any' | 'own';
  /** What `state` may hold: anything up to 128 bytes, or letters and digits only and never nothing (the documents). */
  stateCharacters: 'any' | 'alphanumeric';
  /** White space before a passive reply and a `CreateTime` that is no number: accepted, or the fault notice in the chat. */
  passiveReplies: 'tolerant' | 'strict';
  /** Tickets of QR codes as most real ones are, or with `+` and `/`, so that one put into an address unescaped breaks. */
  tickets: 'plain' | 'hostile';
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
  /** Which name of the old account `changeopenid` takes: field code sends the appid, the documents ask for the `gh_…`. */
  migrationFrom: 'either' | 'appid' | 'original-id';
  /** The answer of `changeopenid` without a migration, before it is confirmed, and when its fifteen days are over. */
  migrationMissing: 63178 | 63183 | -1;
  /** Whose openids a migration tells: of followers only, or of everybody who has authorized the old account too. */
  migratedPeople: 'followers' | 'authorized-too';
  /** The answer to more than a hundred openids. */
  tooManyOpenids: 40032 | 40097;
  /** `changeopenid` by http: answered, or redirected to https as in later years. */
  migrationOverHttp: 'answered' | 'redirected';
  /** How many mini program codes a program may ask for in a minute. */
  miniCodesPerMinute: number;
  /** What `getuserphonenumber` says of a code of another person than the `openid` that is sent: no document tells. */
  phoneCodeOfAnother: 40029 | 40003;
  /** What it says of a code of another mini program: 40013 by the documents, 40029 as seen in the field. */
  phoneCodeOfAnotherApp: 40029 | 40013;
  /** `countryCode` of a number: a text as documented, or a number as in WeChat's own sample. */
  phoneCountryCode: 'text' | 'number';
  /** How many numbers a mini program may ask for in all; further presses of the button fail on the phone, with errno 1400001. */
  phoneNumbersPerApp: number;
  /** How many customer messages one message of the person allows within 48 hours. */
  customMessages: number;
}

/** WeChat as unmodified clients know it: what the documents ask for and real servers let pass, passes. */
export function defaultRules(): EmulatorRules {
  return {
    deny: 'no-redirect',
    authorizeOrder: 'desktop',
    userinfoOpenid: 'any',
    stateCharacters: 'any',
    passiveReplies: 'tolerant',
    tickets: 'plain',
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
    migrationFrom: 'either',
    migrationMissing: 63178,
    migratedPeople: 'authorized-too',
    tooManyOpenids: 40032,
    migrationOverHttp: 'answered',
    miniCodesPerMinute: 5000,
    phoneCodeOfAnother: 40029,
    phoneCodeOfAnotherApp: 40029,
    phoneCountryCode: 'text',
    phoneNumbersPerApp: 1000,
    customMessages: 5,
  };
}

/** The rules by which an application is tested: everything that some WeChat client or document asks for is enforced. */
export const strictRules = {
  authorizeOrder: 'everywhere',
  userinfoOpenid: 'own',
  stateCharacters: 'alphanumeric',
  passiveReplies: 'strict',
  tickets: 'hostile',
  migratedPeople: 'followers',
} as const satisfies Partial<EmulatorRules>;

const count = z.int().min(0);

/** Every rule with the values it may have. */
const values = {
  deny: z.enum(['no-redirect', 'state-only', 'authdeny']),
  authorizeOrder: z.enum(['desktop', 'everywhere', 'never']),
  userinfoOpenid: z.enum(['any', 'own']),
  stateCharacters: z.enum(['any', 'alphanumeric']),
  passiveReplies: z.enum(['tolerant', 'strict']),
  tickets: z.enum(['plain', 'hostile']),
  expiredCode: z.literal([40029, 42003]),
  missingState: z.enum(['omit', 'empty']),
  snapshot: z.boolean(),
  snapshotProfile: z.literal(['virtual', 48001]),
  silentForFollowers: z.boolean(),
  unionidWithBaseScope: z.enum(['never', 'after-userinfo']),
  unionidForNonFollowers: z.boolean(),
  ipNotAllowed: z.literal([40164, 61004]),
  tokensPerDay: count,
  pushAttempts: count,
  pushTimeout: count,
  pushPause: count,
  redeliverySignedAnew: z.boolean(),
  longPoll: count,
  sceneSeconds: count,
  qrCodesPerDay: count,
  migrationFrom: z.enum(['either', 'appid', 'original-id']),
  migrationMissing: z.literal([63178, 63183, -1]),
  migratedPeople: z.enum(['followers', 'authorized-too']),
  tooManyOpenids: z.literal([40032, 40097]),
  migrationOverHttp: z.enum(['answered', 'redirected']),
  miniCodesPerMinute: count,
  phoneCodeOfAnother: z.literal([40029, 40003]),
  phoneCodeOfAnotherApp: z.literal([40029, 40013]),
  phoneCountryCode: z.enum(['text', 'number']),
  phoneNumbersPerApp: count,
  customMessages: count,
} satisfies { [Rule in keyof EmulatorRules]: z.ZodType<EmulatorRules[Rule]> };

/** Changes of rules as they come from outside: known names, allowed values. */
export const rulesSchema = z.strictObject(values).partial();
