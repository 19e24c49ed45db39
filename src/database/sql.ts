/** A statement, or a part of one, with the values of its parameters where they stand. */
export class Sql {
  /** In the order of their places. */
  readonly values: unknown[] = [];
  /** What stands around the values: one text more than there are values. */
  readonly strings: string[];

  constructor([first = '', ...others]: readonly string[], values: readonly unknown[]) {
    const strings = [first];
    const append = (text: string) => strings.push(`${strings.pop() ?? ''}${text}`);
    values.forEach((value, index) => {
      if (value instanceof Sql) {
        const [head = '', ...rest] = value.strings;
        append(head);
        this.values.push(...value.values);
        strings.push(...rest);
        append(others[index] ?? '');
      } else {
        this.values.push(value);
        strings.push(others[index] ?? '');
      }
    });
    this.strings = strings;
  }

  /** As `pg` takes it: `$1` for the first value. */
  get text(): string {
    return this.strings.reduce((text, string, index) => `${text}$${index}${string}`);
  }
}

/** A statement from a template: a value becomes a parameter, another `Sql` a part. A string is a value, never SQL. */
export function sql(strings: readonly string[], ...values: readonly unknown[]): Sql {
  return new Sql(strings, values);
}

/** SQL that is no parameter, such as the name of a column: only from constants of the code. */
export function raw(text: string): Sql {
  return new Sql([text], []);
}

/** Nothing. */
export const empty = raw('');

/** Parts or values one after the other; there must be one at least. */
export function join(parts: readonly unknown[], separator = ', '): Sql {
  return new Sql(['', ...Array<string>(parts.length - 1).fill(separator), ''], parts);
}
