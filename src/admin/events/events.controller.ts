import { Get, Param, Post } from '@nestjs/common';
import type { IamResponse } from '../../http/iam-response.js';
import { Endpoint } from '../../http/endpoint.decorator.js';
import type { IamRequest } from '../../http/iam-request.js';
import { Incoming } from '../../http/parameter.decorators.js';
import { AdminController } from '../admin-controller.decorator.js';
import { AdminEvents } from './events.service.js';
import {
  eventDetail,
  eventDetailExample,
  eventPage,
  eventPageExample,
  eventQuery,
  eventSummary,
  replayBody,
} from './events.view.js';

/** What WeChat has pushed, and what became of it. */
@AdminController('events')
export class AdminEventsController {
  constructor(private readonly events: AdminEvents) {}

  @Endpoint({
    summary:
      'Messages and events of WeChat, newest first; those worked off stay a week, those given up a month',
    permission: 'iam:events:read',
    query: eventQuery,
    responses: { 200: eventPage },
    example: eventPageExample,
  })
  @Get()
  list(@Incoming() request: IamRequest): Promise<IamResponse> {
    return this.events.list(request);
  }

  @Endpoint({
    summary: 'How many events are in each state (counted up to 10,000), and the age of the oldest open one',
    permission: 'iam:events:read',
    responses: { 200: eventSummary },
    example: { counts: { pending: 2, processing: 0, dead: 1, done: 5120 }, oldest_unprocessed_seconds: 8 },
  })
  @Get('summary')
  summarize(): Promise<IamResponse> {
    return this.events.summarize();
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
  get(@Param('id') id: string): Promise<IamResponse> {
    return this.events.get(id);
  }

  @Endpoint({
    summary: 'Work on an event again that was given up: any replica takes it up within seconds',
    permission: 'iam:events:write',
    path: { id: 'The event' },
    body: replayBody,
    responses: { 202: null },
    errors: ['not_found', 'event_done'],
  })
  @Post(':id/replay')
  replay(@Param('id') id: string, @Incoming() request: IamRequest): Promise<IamResponse> {
    return this.events.replay(id, request);
  }
}
