import { raw, type Sql } from './sql.js';

/**
 * Computes the version of a row of `relation`: 32 hex digits, which any change of any column changes, except of those that
 * nobody edits.
 */
export function versionSql(relation: string, ...except: readonly string[]): Sql {
  const left = except.map((column) => ` - '${column}'`).join('');
  return raw(`md5((to_jsonb(${relation})${left})::text)`);
}
