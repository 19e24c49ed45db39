/** SQL: when WeChat proved the person of a login: at the scan, else just before the callback claimed it. */
export const loginProvenAtSql = (login: string) => `COALESCE(${login}.scanned_at, ${login}.created_at)`;

/** SQL: the same of a session. A code may wait before it is redeemed; a login that is gone was redeemed a day ago. */
export const sessionProvenAtSql = (session: string) =>
  `COALESCE((SELECT ${loginProvenAtSql('l')} FROM iam.logins l WHERE l.id = ${session}.login_id), ${session}.created_at)`;
