import { Injectable } from '@nestjs/common';
import { empty, json, type IamResponse } from '../../http/iam-response.js';
import type { IamRequest } from '../../http/iam-request.js';
import { parseInput, parseBody } from '../../http/zod.pipe.js';
import { IamError } from '../../errors/iam.error.js';
import { EventReplay, InboxList } from '../../webhook/inbox/stored-events.service.js';
import { eventQuery, replayBody, toEventDetail, toEventItem } from './events.view.js';
import { toIdPage, toPageRequest } from '../id-page.js';

/** The webhook's inbox in the admin API. */
@Injectable()
export class AdminEvents {
  constructor(
    private readonly inbox: InboxList,
    private readonly replays: EventReplay,
  ) {}

  async list({ query }: IamRequest): Promise<IamResponse> {
    const filter = parseInput(eventQuery, query);
    const page = toPageRequest(filter);
    return json(toIdPage(await this.inbox.page(filter, page), page, toEventItem));
  }

  async summarize(): Promise<IamResponse> {
    const { oldest_unprocessed_seconds, ...counts } = await this.inbox.summarize();
    return json({ counts, oldest_unprocessed_seconds });
  }

  /** @throws IamError `not_found` */
  async get(id: string): Promise<IamResponse> {
    const event = await this.inbox.find(id);
    if (event === null) throw new IamError('not_found', 'no such event');
    return json(toEventDetail(event));
  }

  /** @throws IamError `not_found` or `event_done`; an event that waits anyway stays as it is */
  async replay(id: string, { body }: IamRequest): Promise<IamResponse> {
    const { force = false } = parseBody(replayBody, body);
    const status = await this.replays.replay(id, { evenIfDone: force });
    if (status === null) throw new IamError('not_found', 'no such event');
    if (status === 'done' && !force) throw new IamError('event_done', `event ${id} was worked off`);
    return empty(202);
  }
}
