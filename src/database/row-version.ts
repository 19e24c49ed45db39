/** SQL that computes the version of a row of `relation`, any change of any column changes it: 32 hex digits. */
export const versionSql = (relation: string) => `md5(to_jsonb(${relation})::text)`;
