import type { MigrationInterface, QueryRunner } from 'typeorm';

/** The shop's own table, in the shop's own schema. */
export class CreateOrders1764000000001 implements MigrationInterface {
  readonly name = 'CreateOrders1764000000001';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE orders (
        id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
        user_id uuid NOT NULL,
        tea text NOT NULL,
        created_at timestamptz NOT NULL DEFAULT now()
      )`);
    await runner.query('CREATE INDEX orders_user_id ON orders (user_id)');
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE orders');
  }
}
