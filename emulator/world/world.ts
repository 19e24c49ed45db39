import type { EmulatorClock } from '../clock.js';
import type { EmulatorRules } from '../rules.js';
import { AccountMigrations } from './account-migrations.js';
import { AppRegistry } from './app-registry.js';
import type { AppState } from './app-state.js';
import { AuthorizationCodes } from './authorization-codes.js';
import { BaseTokens } from './base-tokens.js';
import { Chats } from './chats.js';
import { Consents } from './consents.js';
import { Followers } from './followers.js';
import { Grants } from './grants.js';
import { Identities, type PersonId } from './identities.js';
import { MiniEntries } from './mini-entries.js';
import { OperatorRecords } from './operator-records.js';
import { People } from './people.js';
import { QrLogins } from './qr-logins.js';
import { Quotas } from './quotas.js';
import type { Randomness } from './randomness.js';
import { Scenes } from './scenes.js';
import { SessionKeys } from './session-keys.js';
import { SnsTokens } from './sns-tokens.js';

/** What a world is made of besides its inhabitants. */
export interface WorldLaws {
  readonly clock: EmulatorClock;
  readonly randomness: Randomness;
  readonly rules: EmulatorRules;
  /** Openids, unionids, appids and secrets follow from it. */
  readonly seed: string;
}

/** The state of the WeChat platform. It knows no HTTP: pages, APIs and pushes ask it and tell it. */
export class World {
  readonly clock: EmulatorClock;
  readonly randomness: Randomness;
  readonly rules: EmulatorRules;
  readonly identities: Identities;
  readonly apps = new AppRegistry();
  readonly people = new People();
  readonly followers = new Followers();
  readonly grants: Grants;
  readonly migrations: AccountMigrations;
  readonly codes: AuthorizationCodes;
  readonly snsTokens: SnsTokens;
  readonly qrLogins: QrLogins;
  readonly consents: Consents;
  readonly baseTokens: BaseTokens;
  readonly quotas: Quotas;
  readonly scenes: Scenes;
  readonly chats: Chats;
  readonly sessionKeys: SessionKeys;
  readonly miniEntries: MiniEntries;
  readonly #records = new Map<string, OperatorRecords>();

  constructor({ clock, randomness, rules, seed }: WorldLaws) {
    this.clock = clock;
    this.randomness = randomness;
    this.rules = rules;
    this.identities = new Identities(seed);
    this.grants = new Grants(clock);
    const { followers, grants, people } = this;
    this.migrations = new AccountMigrations({ clock, rules, followers, grants, people });
    this.codes = new AuthorizationCodes(clock, randomness);
    this.snsTokens = new SnsTokens(clock, randomness);
    this.qrLogins = new QrLogins(clock, randomness);
    this.consents = new Consents(clock, randomness);
    this.baseTokens = new BaseTokens(clock, randomness);
    this.quotas = new Quotas(clock);
    this.scenes = new Scenes(clock, randomness, rules);
    this.chats = new Chats(clock);
    this.sessionKeys = new SessionKeys(randomness);
    this.miniEntries = new MiniEntries(clock, randomness);
  }

  openid(person: PersonId, app: AppState, snapshot = false): string {
    const { identities } = this;
    return snapshot ? identities.virtualOpenid(person, app.appid) : identities.openid(person, app.appid);
  }

  /** What the operator of an account keeps on the platform. */
  operatorRecords(appid: string): OperatorRecords {
    const records = this.#records.get(appid) ?? new OperatorRecords(this.clock, this.randomness);
    this.#records.set(appid, records);
    return records;
  }

  /** Nobody has a unionid in an app that is bound to no Open Platform account. */
  unionid(person: PersonId, app: AppState, snapshot = false): string | undefined {
    if (app.accountId === undefined) return undefined;
    const { identities } = this;
    return snapshot
      ? identities.virtualUnionid(person, app.accountId)
      : identities.unionid(person, app.accountId);
  }
}
