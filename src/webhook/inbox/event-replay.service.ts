import { Inject, Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { validate as isUuid } from 'uuid';
import { z } from 'zod';
import { insertAudit } from '../../audit/record-audit.js';
import { queryRow, sql, type Sql } from '../../database/sql.js';
import { IAM_DATA_SOURCE } from '../../config/iam.resolved-options.js';
import type { WebhookEventStatus } from './webhook-event.entity.js';

const replayed = z.object({ status: z.enum(['processing', 'pending', 'done', 'dead']) });

/**
 * The audit entry is written when the event is taken up again. What was given up goes on where it failed; what was worked off
 * begins anew. `status` is that of before.
 */
const replaySql = (id: string, evenIfDone: boolean): Sql => sql`
  WITH asked AS (
    SELECT id, status FROM iam.webhook_events WHERE id = ${id} FOR UPDATE
  ), replayed AS (
    UPDATE iam.webhook_events e
    SET status = 'pending', attempts = 0, lease_token = NULL, lease_until = now(),
        result = CASE WHEN asked.status = 'dead' THEN e.result END
    FROM asked WHERE e.id = asked.id AND (asked.status = 'dead' OR (asked.status = 'done' AND ${evenIfDone}::boolean))
    RETURNING e.id, e.provider, e.event, asked.status
  ), audited AS (
    ${insertAudit(
      { action: 'event.replayed' },
      {
        from: sql`replayed`,
        provider: sql`replayed.provider`,
        detail: sql`jsonb_build_object('event_id', replayed.id, 'event', replayed.event, 'status', replayed.status)`,
      },
    )}
  )
  SELECT status FROM asked`;

/** Has events worked on once more, by whichever replica gets there. */
@Injectable()
export class EventReplay {
  constructor(@Inject(IAM_DATA_SOURCE) private readonly dataSource: DataSource) {}

  /**
   * Takes up an event that was given up; with `evenIfDone` also one that was worked off. One that waits anyway stays as it is.
   * @returns its state before; null when there is no such event
   */
  async replay(
    id: string,
    { evenIfDone }: { readonly evenIfDone: boolean },
  ): Promise<WebhookEventStatus | null> {
    if (!isUuid(id)) return null;
    return (await queryRow(this.dataSource, replayed, replaySql(id, evenIfDone)))?.status ?? null;
  }
}
