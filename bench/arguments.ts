import { parseArgs } from 'node:util';

/** What the command line asks for. */
export interface BenchArguments {
  /** Numbers that are only good for seeing that everything runs. */
  readonly quick: boolean;
  /** Also writes `bench/output.json`. */
  readonly json: boolean;
  /** Names of groups; all that belong to a default run when empty. */
  readonly only: readonly string[];
  /** Replaces the profile's number of rounds. */
  readonly rounds: number | undefined;
  /** Replaces the profile's seconds of a round. */
  readonly seconds: number | undefined;
  /** Replaces the profile's scale. */
  readonly scale: number | undefined;
  readonly dataDir: string | null;
}

/** Reads the words after the command. @throws TypeError for one that is not known */
export function readArguments(words: readonly string[]): BenchArguments {
  const { values } = parseArgs({
    args: [...words],
    options: {
      quick: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
      only: { type: 'string', multiple: true, default: [] },
      rounds: { type: 'string' },
      seconds: { type: 'string' },
      scale: { type: 'string' },
      'data-dir': { type: 'string' },
    },
  });
  const { quick, json, only } = values;
  return {
    quick,
    json,
    only,
    rounds: values.rounds === undefined ? undefined : readWholeNumber('rounds', values.rounds),
    seconds: readNumber('seconds', values.seconds),
    scale: readNumber('scale', values.scale),
    dataDir: values['data-dir'] ?? null,
  };
}

function readNumber(name: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const number = Number(text);
  if (!(number > 0)) throw new TypeError(`--${name} ${text}: expected a number above 0`);
  return number;
}

/** Reads a count. @throws TypeError for another text, or a count below `least` */
export function readWholeNumber(name: string, text: string, least = 1): number {
  const number = /^\d{1,9}$/.test(text) ? Number(text) : NaN;
  if (number >= least) return number;
  throw new TypeError(`--${name} ${text}: expected a whole number of at least ${least}`);
}
