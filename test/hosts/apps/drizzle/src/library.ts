import { Injectable, type OnModuleDestroy } from '@nestjs/common';
import { drizzle } from 'drizzle-orm/node-postgres';
import pg from 'pg';

@Injectable()
export class Library implements OnModuleDestroy {
  private readonly pool = new pg.Pool({ connectionString: process.env['DATABASE_URL'] });
  readonly db = drizzle(this.pool);

  onModuleDestroy(): Promise<void> {
    return this.pool.end();
  }
}
