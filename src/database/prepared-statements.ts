import { Inject, Injectable } from '@nestjs/common';
import { IAM_OPTIONS, type ResolvedIamOptions } from '../config/iam.resolved-options.js';
import { isRecord } from '../errors/unknown.js';
import { Clock } from '../runtime/clock.js';
import { IamLogger } from '../runtime/iam-logger.js';
import { isPreparationLost, sqlState } from './database-errors.js';
import { statementNames } from './sql.js';

/** How long nothing is prepared after PostgreSQL did not have a statement that was prepared. */
const PAUSE_MS = 600_000;

/** For operators. */
export const RESTORE_PREPARED =
  'give a pooler in transaction mode support for them (PgBouncer 1.21 or later with `max_prepared_statements` above 0), or set the IamModule option `database.preparedStatements: false`';

interface Connection {
  /** The client of `pg`, which sends a text that has a name under it. */
  readonly client: unknown;
  readonly generation: number;
}

/**
 * Sends frequent statements under a name, so that PostgreSQL parses and plans each once per connection (decision 93). A
 * statement that is lost there, or fits the tables no longer, is run again without a name by `retryTransient`.
 */
@Injectable()
export class PreparedStatements {
  private readonly logger = new IamLogger('IamDatabase');
  private readonly connections = new WeakMap<object, Connection>();
  /** Connections of an earlier generation get no names and are replaced. */
  private generation = 0;
  private pausedUntil = Number.NEGATIVE_INFINITY;

  constructor(
    @Inject(IAM_OPTIONS) private readonly options: Pick<ResolvedIamOptions, 'preparedStatements'>,
    private readonly clock: Clock,
  ) {}

  /** Whether a pooler, or a DISCARD of another program, has just taken prepared statements away. */
  get areLost(): boolean {
    return this.clock.elapsed() < this.pausedUntil;
  }

  /**
   * Returns a client that names the texts. TypeORM passes text and parameters to it and logs these; a name has no place in
   * its own methods.
   */
  naming(client: unknown): unknown {
    return this.options.preparedStatements && isRecord(client) ? this.connectionOf(client).client : client;
  }

  /** Whether a connection should be replaced, because what is prepared there may not fit the tables. */
  isOutdated(client: unknown): boolean {
    return isRecord(client) && this.connectionOf(client).generation < this.generation;
  }

  /** Takes note of an error on a connection. */
  note(error: unknown, client: unknown): void {
    if (!isPreparationLost(error)) return;
    if (!this.isOutdated(client)) this.generation += 1;
    const state = sqlState(error);
    // A migration has changed the columns of the result, which happens without a pooler too.
    if (state === '0A000') return;
    if (!this.areLost)
      this.logger.warn(
        `PostgreSQL has lost prepared statements (${String(state)}), so none are used for a while: ${RESTORE_PREPARED}`,
      );
    this.pausedUntil = this.clock.elapsed() + PAUSE_MS;
  }

  private connectionOf(client: Record<string, unknown>): Connection {
    const known = this.connections.get(client);
    if (known !== undefined) return known;
    const connection = { client: this.wrap(client), generation: this.generation };
    this.connections.set(client, connection);
    return connection;
  }

  private wrap(client: Record<string, unknown>): unknown {
    const query = (text: unknown, ...rest: unknown[]): unknown => {
      const name = typeof text === 'string' && !this.areLost ? statementNames.of(text) : undefined;
      const original = client['query'];
      if (typeof original !== 'function') throw new TypeError('the client has no method `query`');
      if (name === undefined || this.isOutdated(client))
        return Reflect.apply(original, client, [text, ...rest]);
      const [values, ...callback] = rest;
      return Reflect.apply(original, client, [{ name, text, values }, ...callback]);
    };
    return new Proxy(client, {
      get: (target, key): unknown => (key === 'query' ? query : Reflect.get(target, key, target)),
    });
  }
}
