import { Get, Inject, Param, Post } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { z } from 'zod';
import { IAM_DATA_SOURCE } from '../../config/iam.resolved-options.js';
import { readPage } from '../../database/list.js';
import { Endpoint } from '../../http/endpoint.decorator.js';
import { Body, Query, ZodPipe } from '../../http/parameter.decorators.js';
import {
  detailedEvent,
  eventList,
  eventSummary,
  StoredEvents,
} from '../../webhook/inbox/stored-events.service.js';
import { AdminController } from '../admin.guard.js';

const replayBody = z.strictObject({
  force: z.boolean().optional().describe('Also an event that was worked off: its handlers run again'),
});
const example = {
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

/** The webhook's inbox: what WeChat has pushed, and its processing. */
@AdminController('events')
export class AdminEventsController {
  constructor(
    @Inject(IAM_DATA_SOURCE) private readonly dataSource: DataSource,
    private readonly events: StoredEvents,
  ) {}

  @Endpoint({
    summary:
      'Messages and events of WeChat, newest first; those worked off stay a week, those given up a month',
    permission: 'iam:events:read',
    responses: { 200: eventList.page },
    example: { items: [example], next_cursor: null },
  })
  @Get()
  list(@Query(new ZodPipe(eventList.query)) query: z.infer<typeof eventList.query>) {
    return readPage(this.dataSource, eventList, query);
  }

  @Endpoint({
    summary: 'How many events are in each state (counted up to 1,000), and the age of the oldest open one',
    permission: 'iam:events:read',
    responses: { 200: eventSummary },
    example: { counts: { pending: 2, processing: 0, dead: 1, done: 612 }, oldest_unprocessed_seconds: 8 },
  })
  @Get('summary')
  summarize(): Promise<z.infer<typeof eventSummary>> {
    return this.events.summarize();
  }

  @Endpoint({
    summary: 'An event with the message as WeChat sent it',
    permission: 'iam:events:read',
    path: { id: 'The event' },
    responses: { 200: detailedEvent },
    example: {
      ...example,
      message: { MsgType: 'event', Event: 'subscribe', FromUserName: 'oLVPpjqs9BhvzwPj5A-vTYAX3GLc' },
      raw: null,
      result: { reply: null, finished: [] },
    },
    errors: ['not_found'],
  })
  @Get(':id')
  get(@Param('id') id: string): Promise<z.infer<typeof detailedEvent>> {
    return this.events.get(id);
  }

  @Endpoint({
    summary: 'Process a dead-lettered event again: any replica takes it within seconds',
    permission: 'iam:events:write',
    path: { id: 'The event' },
    responses: { 202: null },
    errors: ['not_found', 'event_done'],
  })
  @Post(':id/replay')
  replay(
    @Param('id') id: string,
    @Body(new ZodPipe(replayBody)) { force: evenIfDone = false }: z.infer<typeof replayBody>,
  ): Promise<void> {
    return this.events.replay(id, { evenIfDone });
  }
}
