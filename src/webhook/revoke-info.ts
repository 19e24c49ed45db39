/** What a withdrawal takes from us. `everything`: all that the app may do, signing in too. */
export type Revoked = 'everything' | 'profile' | 'phone';

/** What a `RevokeInfo` names. */
export interface RevokeInfo {
  readonly revokes: ReadonlySet<Revoked>;
  /** What stands in no list of WeChat's, for the log; null when there is none. */
  readonly unknown: string | null;
}

/**
 * The values of mini programs (1 to 20), of web pages of Official Accounts (from 201), of website and mobile apps (301):
 * protocol part 2, H.2. Most are permissions of which we hold nothing, such as location, microphone and albums.
 */
const values: ReadonlyMap<string, readonly Revoked[]> = new Map<string, readonly Revoked[]>([
  ...['1', '2', '3', '4', '5', '7', '12', '13', '14', '15', '16', '18'].map(nothing),
  ...['201', '202', '203', '204', '206', '207'].map(nothing),
  ...['6', '19', '20', '205'].map((value) => [value, ['profile']] as const),
  ['8', ['phone']],
  ['301', ['everything', 'profile']],
]);

const MAX_LOGGED = 100;

/** Reads the list, with whatever stands between its numbers. A list that names nothing is unknown as well. */
export function readRevokeInfo(text = ''): RevokeInfo {
  const listed = text.split(/[\s,;|]+/).filter((value) => value !== '');
  const unknown = listed.filter((value) => !values.has(value)).join(' ');
  const revokes = new Set(listed.flatMap((value) => values.get(value) ?? []));
  if (listed.length === 0) return { revokes, unknown: '(none)' };
  return { revokes, unknown: unknown === '' ? null : unknown.slice(0, MAX_LOGGED) };
}

function nothing(value: string): readonly [string, readonly Revoked[]] {
  return [value, []];
}
