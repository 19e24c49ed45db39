import type { EmulatorClock } from '../clock.js';
import type { EmulatorRules } from '../rules.js';
import type { OfficialAccountState } from './app-state.js';
import type { Followers } from './followers.js';
import type { Grants } from './grants.js';
import type { PersonId } from './identities.js';
import type { People } from './people.js';

/** How long openids may be asked for once the migration is done. */
const windowDays = 15;

interface AccountMigration {
  readonly from: OfficialAccountState;
  readonly to: OfficialAccountState;
  /** Milliseconds since the epoch; undefined until the administrator of the old account has confirmed. */
  confirmedAt?: number;
  /** Whose new openid is told. */
  covered: ReadonlySet<PersonId>;
}

/** What migrations look at and change. */
interface MigrationSurroundings {
  readonly clock: EmulatorClock;
  readonly rules: EmulatorRules;
  readonly followers: Followers;
  readonly grants: Grants;
  readonly people: People;
}

/** Official Accounts that move into other ones, with their followers (protocol part 2, D). */
export class AccountMigrations {
  readonly #all: AccountMigration[] = [];

  constructor(private readonly around: MigrationSurroundings) {}

  /** The two operators have agreed; nothing changes before `confirm`. */
  begin(from: OfficialAccountState, to: OfficialAccountState): void {
    if (!from.verified) throw new TypeError(`${from.appid} is not verified: its followers cannot be moved`);
    if (from.appid === to.appid) throw new TypeError('an account does not move into itself');
    if (this.#all.some((each) => each.from === from)) throw new TypeError(`${from.appid} moves already`);
    this.#all.push({ from, to, covered: new Set() });
  }

  /** The followers follow the new account, without being asked; the old one is frozen. */
  confirm(from: OfficialAccountState): void {
    const migration = this.#all.find((each) => each.from === from);
    if (migration === undefined) throw new TypeError(`${from.appid} does not move`);
    if (migration.confirmedAt !== undefined) return;
    const { clock, followers, grants, people, rules } = this.around;
    const following = followers.of(from.appid);
    const authorized = people
      .all()
      .map(({ id }) => id)
      .filter((id) => grants.appsOf(id).includes(from.appid));
    migration.covered = new Set(
      rules.migratedPeople === 'followers' ? following : [...following, ...authorized],
    );
    migration.confirmedAt = clock.now();
    const scene = { subscribeScene: 'ADD_SCENE_ACCOUNT_MIGRATION', qrScene: 0, qrSceneStr: '' };
    for (const person of following) {
      if (!followers.has(person, migration.to.appid))
        followers.follow(person, migration.to.appid, { ...scene, since: clock.seconds() });
      followers.unfollow(person, from.appid);
    }
  }

  /** True once an account has moved: nothing can be done with it any more. */
  isFrozen(appid: string): boolean {
    return this.#all.some(({ from, confirmedAt }) => from.appid === appid && confirmedAt !== undefined);
  }

  /** The migration into `to` that a caller names, while WeChat tells the openids. */
  find(
    named: string,
    to: OfficialAccountState,
  ): { from: OfficialAccountState; covered: ReadonlySet<PersonId> } | undefined {
    const { clock, rules } = this.around;
    return this.#all.find(({ from, to: target, confirmedAt }) => {
      const isNamed =
        (rules.migrationFrom !== 'original-id' && named === from.appid) ||
        (rules.migrationFrom !== 'appid' && named === from.originalId);
      const isOpen = confirmedAt !== undefined && clock.now() < confirmedAt + windowDays * 86_400_000;
      return isNamed && isOpen && target === to;
    });
  }
}
