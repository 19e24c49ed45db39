/** What went to PostgreSQL from this process so far. */
export interface StatementCounter {
  readonly statements: number;
  readonly writes: number;
}

const write = /\b(?:INSERT INTO|DELETE FROM|(?<!(?:FOR|KEY|DO) )UPDATE)\b/i;

/** Counts every statement of `pg`'s class `Client` from now on; a transaction's first and last are statements too. */
export function countStatements(client: { readonly prototype: object }): StatementCounter {
  const counter = { statements: 0, writes: 0 };
  const original: unknown = Reflect.get(client.prototype, 'query');
  if (typeof original !== 'function') throw new TypeError('pg.Client has no query method');
  Reflect.set(client.prototype, 'query', function (this: unknown, ...args: unknown[]): unknown {
    counter.statements += 1;
    if (write.test(textOf(args[0]))) counter.writes += 1;
    const sent: unknown = Reflect.apply(original, this, args);
    return sent;
  });
  return counter;
}

function textOf(query: unknown): string {
  if (typeof query === 'string') return query;
  return typeof query === 'object' && query !== null && 'text' in query ? String(query.text) : '';
}
