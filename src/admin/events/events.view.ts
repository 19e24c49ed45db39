import { z } from 'zod';
import type { DetailedEvent, ListedEvent } from '../../webhook/inbox/stored-events.service.js';
import { pageOf, pageQuery } from '../page.js';
import { plainText } from '../../database/database-errors.js';

const status = z.enum(['processing', 'pending', 'done', 'dead']);

/** `GET /admin/events`. */
export const eventQuery = pageQuery.extend({
  status: status.optional().describe('dead: given up after the last attempt, or not readable'),
  provider: plainText(64).optional().describe('Slug of an identity provider'),
  openid: plainText(128).optional(),
  event: plainText(128).optional().describe('`Event` of an event, `MsgType` of a message'),
});

/** `POST /admin/events/{id}/replay`. */
export const replayBody = z.strictObject({
  force: z.boolean().optional().describe('Also an event that was worked off: its handlers run again'),
});

const eventItem = z.object({
  id: z.uuid(),
  provider: z.string(),
  event: z.string(),
  openid: z.string().nullable(),
  status,
  attempts: z.int(),
  last_error: z.string().nullable(),
  event_at: z.iso.datetime(),
  received_at: z.iso.datetime(),
  next_attempt_at: z.iso.datetime().nullable(),
});
export type EventItem = z.infer<typeof eventItem>;

const jsonObject = z.record(z.string(), z.unknown());

/** What `GET /admin/events` answers. */
export const eventPage = pageOf(eventItem);

/** What `GET /admin/events/{id}` answers. */
export const eventDetail = eventItem.extend({
  message: jsonObject,
  raw: z
    .string()
    .nullable()
    .describe('A push that could not be read, as it came, in base64; null for every other'),
  result: jsonObject.nullable(),
});

/** What `GET /admin/events/summary` answers. */
export const eventSummary = z.object({
  counts: z.object({ pending: z.int(), processing: z.int(), dead: z.int(), done: z.int() }),
  oldest_unprocessed_seconds: z.int().nullable(),
});

/** An event as a list of the admin API shows it. */
export function toEventItem(row: ListedEvent): EventItem {
  return {
    id: row.id,
    provider: row.provider,
    event: row.event,
    openid: row.openid,
    status: row.status,
    attempts: row.attempts,
    last_error: row.last_error,
    event_at: row.event_at.toISOString(),
    received_at: row.received_at.toISOString(),
    next_attempt_at: row.next_attempt_at?.toISOString() ?? null,
  };
}

/** An event with what WeChat sent. */
export function toEventDetail(row: DetailedEvent): z.infer<typeof eventDetail> {
  const { message, raw, result } = row;
  return { ...toEventItem(row), message, raw: raw?.toString('base64') ?? null, result };
}

const exampleItem: EventItem = {
  id: '01939a3c-7000-7eee-9051-4d5e6f708192',
  provider: 'wechat',
  event: 'subscribe',
  openid: 'oLVPpjqs9BhvzwPj5A-vTYAX3GLc',
  status: 'dead',
  attempts: 5,
  last_error: 'NewFollowers.welcome(subscribe): the mailer is down',
  event_at: '2026-11-22T08:00:00.000Z',
  received_at: '2026-11-22T08:00:00.412Z',
  next_attempt_at: null,
};

/** An answer as a front-end gets it. */
export const eventPageExample: z.infer<typeof eventPage> = { items: [exampleItem], next_cursor: null };

/** An answer as a front-end gets it. */
export const eventDetailExample: z.infer<typeof eventDetail> = {
  ...exampleItem,
  message: { MsgType: 'event', Event: 'subscribe', FromUserName: 'oLVPpjqs9BhvzwPj5A-vTYAX3GLc' },
  raw: null,
  result: { reply: null, finished: [] },
};
