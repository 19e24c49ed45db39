import { Get, Param, Post } from '@nestjs/common';
import { z } from 'zod';
import { plainText } from '../../database/database-errors.js';
import { IamError } from '../../errors/iam.error.js';
import { Endpoint } from '../../http/endpoint.decorator.js';
import { Body, Query, ZodPipe } from '../../http/zod.pipe.js';
import {
  StoredEvents,
  type DetailedEvent,
  type ListedEvent,
} from '../../webhook/inbox/stored-events.service.js';
import { AdminController } from '../admin.guard.js';
import { idPage, pageOf, pageQuery, type Page } from '../page.js';

const status = z.enum(['processing', 'pending', 'done', 'dead']);

const eventQuery = pageQuery.extend({
  status: status.optional().describe('dead: given up after the last attempt, or not readable'),
  provider: plainText(64).optional().describe('Slug of an identity provider'),
  openid: plainText(128).optional(),
  event: plainText(128).optional().describe('`Event` of an event, `MsgType` of a message'),
});

const replayBody = z.strictObject({
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
type EventItem = z.infer<typeof eventItem>;

const jsonObject = z.record(z.string(), z.unknown());

const eventPage = pageOf(eventItem);

const eventDetail = eventItem.extend({
  message: jsonObject,
  raw: z
    .string()
    .nullable()
    .describe('A push that could not be read, as it came, in base64; null for every other'),
  result: jsonObject.nullable(),
});

const eventSummary = z.object({
  counts: z.object({ pending: z.int(), processing: z.int(), dead: z.int(), done: z.int() }),
  oldest_unprocessed_seconds: z.int().nullable(),
});

function toEventItem(row: ListedEvent): EventItem {
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

function toEventDetail(row: DetailedEvent): z.infer<typeof eventDetail> {
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

const eventPageExample: z.infer<typeof eventPage> = { items: [exampleItem], next_cursor: null };

const eventDetailExample: z.infer<typeof eventDetail> = {
  ...exampleItem,
  message: { MsgType: 'event', Event: 'subscribe', FromUserName: 'oLVPpjqs9BhvzwPj5A-vTYAX3GLc' },
  raw: null,
  result: { reply: null, finished: [] },
};

/** The webhook's inbox: what WeChat has pushed, and its processing. */
@AdminController('events')
export class AdminEventsController {
  constructor(private readonly events: StoredEvents) {}

  @Endpoint({
    summary:
      'Messages and events of WeChat, newest first; those worked off stay a week, those given up a month',
    permission: 'iam:events:read',
    responses: { 200: eventPage },
    example: eventPageExample,
  })
  @Get()
  list(@Query(new ZodPipe(eventQuery)) query: z.infer<typeof eventQuery>): Promise<Page<EventItem>> {
    return idPage(query, (page) => this.events.page(query, page), toEventItem);
  }

  @Endpoint({
    summary: 'How many events are in each state (counted up to 10,000), and the age of the oldest open one',
    permission: 'iam:events:read',
    responses: { 200: eventSummary },
    example: { counts: { pending: 2, processing: 0, dead: 1, done: 5120 }, oldest_unprocessed_seconds: 8 },
  })
  @Get('summary')
  async summarize(): Promise<z.infer<typeof eventSummary>> {
    const { oldest_unprocessed_seconds, ...counts } = await this.events.summarize();
    return { counts, oldest_unprocessed_seconds };
  }

  @Endpoint({
    summary: 'An event with the message as WeChat sent it',
    permission: 'iam:events:read',
    path: { id: 'The event' },
    responses: { 200: eventDetail },
    example: eventDetailExample,
    errors: ['not_found'],
  })
  @Get(':id')
  async get(@Param('id') id: string): Promise<z.infer<typeof eventDetail>> {
    const event = await this.events.find(id);
    if (event === null) throw new IamError('not_found', 'no such event');
    return toEventDetail(event);
  }

  @Endpoint({
    summary: 'Process a dead-lettered event again: any replica takes it within seconds',
    permission: 'iam:events:write',
    path: { id: 'The event' },
    responses: { 202: null },
    errors: ['not_found', 'event_done'],
  })
  @Post(':id/replay')
  async replay(
    @Param('id') id: string,
    @Body(new ZodPipe(replayBody)) { force = false }: z.infer<typeof replayBody>,
  ): Promise<void> {
    const status = await this.events.replay(id, { evenIfDone: force });
    if (status === null) throw new IamError('not_found', 'no such event');
    if (status === 'done' && !force) throw new IamError('event_done', `event ${id} was processed`);
  }
}
