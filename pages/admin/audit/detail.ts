import { words } from '../../shared/language';

const say = words({ none: ['空', 'none'], yes: ['是', 'yes'], no: ['否', 'no'] });

/** A change of one column. */
export interface Change {
  readonly column: string;
  readonly from: string;
  readonly to: string;
}

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Any value of a detail as a text. */
function valueText(value: unknown): string {
  if (value === null || value === undefined || value === '') return say('none');
  if (typeof value === 'boolean') return say(value ? 'yes' : 'no');
  if (Array.isArray(value)) return value.length === 0 ? say('none') : value.map(valueText).join(', ');
  return typeof value === 'string' ? value : JSON.stringify(value);
}

/** Old and new values by column, where the entry has them: `changed` is `{ column: { from, to } }`, or names alone. */
export function changesOf({ changed }: Readonly<Record<string, unknown>>): readonly Change[] {
  if (!isObject(changed)) return [];
  return Object.entries(changed).flatMap(([column, change]) =>
    isObject(change) ? [{ column, from: valueText(change.from), to: valueText(change.to) }] : [],
  );
}

/** The other members, in words. Those without a value say nothing. */
export function membersOf(detail: Readonly<Record<string, unknown>>): readonly (readonly [string, string])[] {
  return Object.entries(detail)
    .filter(([name, value]) => !(name === 'changed' && isObject(value)))
    .filter(([, value]) => value !== null && value !== '' && !(Array.isArray(value) && value.length === 0))
    .filter(([, value]) => !(isObject(value) && Object.keys(value).length === 0))
    .map(([name, value]): [string, string] => [name, valueText(value)]);
}
