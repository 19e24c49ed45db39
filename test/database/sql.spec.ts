import { empty, join, raw, sql } from '../../src/database/sql.js';

describe('a composed statement', () => {
  it('numbers the parameters of nested parts where they stand', () => {
    const part = sql`b = ${2} AND ${raw('c')} = ${3}`;

    const statement = sql`a = ${1} AND (${part})${empty} OR d = ${4}`;

    expect(statement.text).toBe('a = $1 AND (b = $2 AND c = $3) OR d = $4');
    expect(statement.values).toEqual([1, 2, 3, 4]);
  });

  it('takes a string for a value, never for SQL', () => {
    const statement = sql`SELECT ${"'; DROP TABLE users"}`;

    expect([statement.text, statement.values]).toEqual(['SELECT $1', ["'; DROP TABLE users"]]);
  });

  it('joins parts and values', () => {
    const joined = join([sql`a = ${1}`, 2, raw('now()')], ' AND ');

    expect([joined.text, joined.values]).toEqual(['a = $1 AND $2 AND now()', [1, 2]]);
    expect(sql`${joined}`.text).toBe(joined.text);
  });
});
