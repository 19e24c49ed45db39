import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Any number that the host's own advisory locks are unlikely to use: "iam migr" in ASCII. */
const LOCK = '7593470432765372274';

/**
 * A migration that waits for a busy table makes every later statement on that table wait behind it: after a minute it fails
 * instead, and can be run again. A limit of the host's stays, and the host's later migrations find the setting as it was.
 */
const limitLockWaits = [
  `SELECT set_config('iam.lock_timeout', current_setting('lock_timeout'), true)`,
  `SELECT set_config('lock_timeout', '60s', true) WHERE current_setting('lock_timeout') = '0'`,
];

/**
 * A migration that several replicas may start at once: TypeORM reads the list of executed migrations without a lock, so
 * the second replica waits here and finds the work of the first committed.
 */
export abstract class ReplicaSafeMigration implements MigrationInterface {
  abstract readonly name: string;

  protected abstract apply(runner: QueryRunner): Promise<void>;
  abstract down(runner: QueryRunner): Promise<void>;

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`SELECT pg_advisory_xact_lock(${LOCK})`);
    if (await this.forgetExecution(runner)) return;
    for (const statement of limitLockWaits) await runner.query(statement);
    await this.apply(runner);
    await runner.query(`SELECT set_config('lock_timeout', current_setting('iam.lock_timeout'), true)`);
  }

  /** Takes another replica's entry out of TypeORM's table, which records this execution right after `up`. */
  private async forgetExecution(runner: QueryRunner): Promise<boolean> {
    const { options } = runner.connection;
    const schema = 'schema' in options && typeof options.schema === 'string' ? `"${options.schema}".` : '';
    const rows: unknown = await runner.query(
      `WITH forgotten AS (DELETE FROM ${schema}"${options.migrationsTableName ?? 'migrations'}" WHERE name = $1 RETURNING 1) SELECT * FROM forgotten`,
      [this.name],
    );
    return Array.isArray(rows) && rows.length > 0;
  }
}
