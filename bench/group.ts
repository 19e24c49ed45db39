import type { Resources } from './resources.js';
import type { Profile } from './profile.js';

/** A table of results: what each column is called, and rows with a value for each. Null: does not apply. */
export interface Table {
  readonly title: string;
  readonly columns: Readonly<Record<string, string>>;
  readonly rows: readonly Readonly<Record<string, string | number | null>>[];
}

/** What a group of benchmarks works with. */
export interface Stage {
  readonly profile: Profile;
  /** Closed when the group is done. */
  readonly resources: Resources;
  /** A new, empty database. */
  readonly createDatabase: (name: string) => Promise<string>;
  /** Says on stderr what goes on. */
  readonly say: (text: string) => void;
}

/** Benchmarks that share their surroundings. */
export interface Group {
  readonly name: string;
  run(stage: Stage): Promise<readonly Table[]>;
}
