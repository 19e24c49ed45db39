import type { LocalPostgres } from '../../example/postgres/local-postgres.js';

export declare function startLocalPostgres(): Promise<LocalPostgres>;
