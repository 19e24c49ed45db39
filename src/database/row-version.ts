/**
 * SQL that computes the version of a row of `relation`: 32 hex digits, which any change of any column changes, except of those
 * that nobody edits.
 */
export const versionSql = (relation: string, ...except: readonly string[]) =>
  `md5((to_jsonb(${relation})${except.map((column) => ` - '${column}'`).join('')})::text)`;
