import { Inject, Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { z } from 'zod';
import { Clock } from '../runtime/clock.js';
import { queryRows, sql } from '../database/sql.js';
import { IAM_DATA_SOURCE } from '../config/iam.resolved-options.js';
import { FreshValue } from '../runtime/single-flight.js';

/** How old the roles in memory may be, so that a change takes effect within 5 seconds on every replica. */
const FRESH_MS = 4_000;

const roleRow = z.object({ name: z.string(), permissions: z.array(z.string()) });

type Permissions = ReadonlyMap<string, readonly string[]>;

/** The permissions of the roles of a token: `iam.roles` in memory, read again at most every four seconds. */
@Injectable()
export class RolePermissions {
  private readonly known: FreshValue<Permissions>;

  constructor(
    @Inject(IAM_DATA_SOURCE) private readonly dataSource: DataSource,
    clock: Clock,
  ) {
    this.known = new FreshValue({
      read: () => this.select(),
      milliseconds: FRESH_MS,
      elapsed: () => clock.elapsed(),
    });
  }

  /** Those of the permissions that the roles together do not grant; a permission may be a pattern, e.g. `orders:*`. */
  async missing(roles: readonly string[], permissions: readonly string[]): Promise<string[]> {
    if (roles.length === 0) return uncovered([], permissions);
    const known = await this.known.get();
    return uncovered(
      roles.flatMap((role) => known.get(role) ?? []),
      permissions,
    );
  }

  /** Makes the next call read `iam.roles` again: a change by this process takes effect at once. */
  forget(): void {
    this.known.forget();
  }

  private async select(): Promise<Permissions> {
    const rows = await queryRows(this.dataSource, roleRow, sql`SELECT name, permissions FROM iam.roles`);
    return new Map(rows.map(({ name, permissions }) => [name, permissions]));
  }
}

/** `orders:*` covers `orders:refund` and `orders:items:list`; `*` covers everything; other patterns are literal. */
function covers(pattern: string, permission: string): boolean {
  if (pattern === '*') return true;
  return pattern.endsWith(':*') ? permission.startsWith(pattern.slice(0, -1)) : pattern === permission;
}

/** Those of the permissions that none of these patterns covers. */
export function uncovered(patterns: readonly string[], permissions: readonly string[]): string[] {
  return permissions.filter((permission) => !patterns.some((pattern) => covers(pattern, permission)));
}

/** The permissions that both lists of patterns cover. Of two patterns that overlap, one covers the other. */
export function inBoth(one: readonly string[], other: readonly string[]): string[] {
  const shared = one.flatMap((left) =>
    other.flatMap((right) => {
      if (covers(left, right)) return [right];
      return covers(right, left) ? [left] : [];
    }),
  );
  return [...new Set(shared)];
}
