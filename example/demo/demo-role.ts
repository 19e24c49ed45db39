import type { DataSource } from 'typeorm';

/** A role that may do everything in the admin API; who made a role of that name their own keeps it. */
export async function saveDemoRole(dataSource: DataSource): Promise<void> {
  await dataSource.query(
    `INSERT INTO iam.roles (name, permissions, description) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING`,
    ['administrator', ['iam:*'], '管理的全部权限 · Everything in administration'],
  );
}
