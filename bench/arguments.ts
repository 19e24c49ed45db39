import { parseArgs } from 'node:util';

/** What the command line asks for. */
export interface BenchArguments {
  /** Numbers that are only good for seeing that everything runs. */
  readonly quick: boolean;
  /** Also writes `bench/output.json`. */
  readonly json: boolean;
  /** Names of groups; all of them when empty. */
  readonly only: readonly string[];
}

/** Reads `--quick`, `--json` and `--only <group>`. @throws TypeError for anything else */
export function readArguments(words: readonly string[]): BenchArguments {
  const { values } = parseArgs({
    args: [...words],
    options: {
      quick: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
      only: { type: 'string', multiple: true, default: [] },
    },
  });
  return values;
}
