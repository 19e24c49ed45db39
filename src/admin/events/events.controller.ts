import { Body, Get, Param, Post, Query } from '@nestjs/common';
import { z } from 'zod';
import { IamError } from '../../errors/iam.error.js';
import { Endpoint } from '../../http/endpoint.decorator.js';
import { ZodPipe } from '../../http/zod.pipe.js';
import { StoredEvents } from '../../webhook/inbox/stored-events.service.js';
import { AdminController } from '../admin.guard.js';
import { idPage, type Page } from '../page.js';
import {
  eventDetail,
  eventDetailExample,
  eventPage,
  eventPageExample,
  eventQuery,
  eventSummary,
  replayBody,
  toEventDetail,
  toEventItem,
  type EventItem,
} from './events.view.js';

/** What WeChat has pushed, and what became of it. */
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
    summary: 'Work on an event again that was given up: any replica takes it up within seconds',
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
    if (status === 'done' && !force) throw new IamError('event_done', `event ${id} was worked off`);
  }
}
