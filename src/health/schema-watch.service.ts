import { Inject, Injectable, type OnApplicationBootstrap } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { Clock } from '../runtime/clock.js';
import { IamLogger } from '../runtime/iam-logger.js';
import { IAM_DATA_SOURCE } from '../config/iam.resolved-options.js';
import { MIGRATE } from './find-problems.js';
import { findSchemaGaps, type SchemaGaps } from './schema-gaps.js';

/** A whole schema is looked at again after this time, in milliseconds; one that lacks something, each time. */
const TRUST_MS = 60_000;
/** More names than these make no log line clearer. */
const NAMED = 5;

/** Whether the database has what this version needs; the start says so in the log, `IamHealth` whenever it is asked. */
@Injectable()
export class SchemaWatch implements OnApplicationBootstrap {
  private readonly logger = new IamLogger('IamModule');
  private trustedUntil = Number.NEGATIVE_INFINITY;

  constructor(
    @Inject(IAM_DATA_SOURCE) private readonly dataSource: DataSource,
    private readonly clock: Clock,
  ) {}

  /** The host's migrations may run later, or by another process: nothing is stopped. A database that is away is told of elsewhere. */
  async onApplicationBootstrap(): Promise<void> {
    const gaps = await this.find().catch(() => null);
    if (gaps !== null)
      this.logger.error(
        `the schema iam lacks what this version needs: ${wordsOf(gaps)}. To mend it, ${MIGRATE}`,
      );
  }

  /** Null where nothing is missing. */
  async find(): Promise<SchemaGaps | null> {
    if (this.clock.elapsed() < this.trustedUntil) return null;
    const gaps = await findSchemaGaps(this.dataSource);
    if (gaps.missing.length + gaps.pending.length > 0) return gaps;
    this.trustedUntil = this.clock.elapsed() + TRUST_MS;
    return null;
  }

  /** A statement has found something missing: makes `find` look again. */
  forget(): void {
    this.trustedUntil = Number.NEGATIVE_INFINITY;
  }
}

function wordsOf({ missing, pending }: SchemaGaps): string {
  const migrations = pending.length === 0 ? [] : [`migrations that have not run: ${some(pending)}`];
  return [...(missing.length === 0 ? [] : [some(missing)]), ...migrations].join('; ');
}

function some(names: readonly string[]): string {
  const more = names.length - NAMED;
  return names.slice(0, NAMED).join(', ') + (more > 0 ? ` and ${more} more` : '');
}
