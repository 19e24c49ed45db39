import { Get, Injectable, type MessageEvent, Post } from '@nestjs/common';
import {
  concat,
  defer,
  filter,
  finalize,
  interval,
  map,
  merge,
  type Observable,
  of,
  takeUntil,
  takeWhile,
  timer,
} from 'rxjs';
import { z } from 'zod';
import { IamError } from '../errors/iam.error.js';
import { Endpoint } from '../http/endpoint.decorator.js';
import type { IamRequest } from '../http/iam-request.js';
import { eventStream, type IamResponse } from '../http/iam-response.js';
import { Incoming } from '../http/parameter.decorators.js';
import { Query, ZodPipe } from '../http/zod.pipe.js';
import { Clients, parseOAuthInput } from '../oauth/clients.service.js';
import { PublicController } from '../sessions/iam-controller.decorator.js';
import { FollowTokens } from './codes-and-tokens.service.js';
import { followStateOf, QR_SECONDS } from './follow-login.js';
import {
  FollowStart,
  type FollowStarted,
  followStartedExample,
  followStartedResponse,
  followStartErrors,
} from './follow-start.service.js';
import { LoginWatch } from './login-watch.service.js';

const HEARTBEAT_MS = 15_000;
/** Streams of one login, and of this process. */
const PER_LOGIN = 3;
const PER_PROCESS = 10_000;

/** The streams of this process on which browsers wait for their logins. */
@Injectable()
export class LoginStreams {
  private readonly streams = new Map<string, number>();
  private streamsInAll = 0;

  constructor(
    private readonly watch: LoginWatch,
    private readonly tokens: FollowTokens,
  ) {}

  /**
   * The states of the login of a watch token as server-sent events. Polling stays enough.
   * @throws IamError `not_found` for a token that is not ours, `rate_limited` when too many streams are open
   */
  open(token: string): Observable<MessageEvent> {
    const loginId = this.tokens.read('watch', token);
    if (loginId === null) throw new IamError('not_found', 'not a watch token of ours');
    const streams = this.streams.get(loginId) ?? 0;
    if (streams >= PER_LOGIN || this.streamsInAll >= PER_PROCESS)
      throw new IamError('rate_limited', `${streams} streams of this login, ${this.streamsInAll} in all`, {
        retryAfterSeconds: 5,
      });
    const states = this.watch.changes(loginId).pipe(
      map((login) => (login === null ? 'expired' : followStateOf(login))),
      takeWhile((state) => ['pending', 'scanned', 'confirmed'].includes(state), true),
      filter((state) => state !== 'pending'),
      map((state): MessageEvent => ({ type: state, data: { state } })),
    );
    const heartbeats = interval(HEARTBEAT_MS).pipe(
      map((): MessageEvent => ({ type: 'heartbeat', data: {} })),
    );
    return defer(() => {
      this.countStream(loginId, 1);
      return merge(concat(states, of(null)), heartbeats).pipe(
        takeWhile((event) => event !== null),
        takeUntil(timer((QR_SECONDS + 60) * 1000)),
        finalize(() => this.countStream(loginId, -1)),
      );
    });
  }

  private countStream(loginId: string, change: 1 | -1): void {
    const streams = (this.streams.get(loginId) ?? 0) + change;
    if (streams === 0) this.streams.delete(loginId);
    else this.streams.set(loginId, streams);
    this.streamsInAll += change;
  }
}

/** The body of `POST /device_authorization` (RFC 8628 §3.1), with the provider whose Official Account is to be followed. */
const deviceAuthorizationBody = z.object({
  client_id: z.string().min(1).max(128),
  provider: z.string().min(1).max(63),
});
/** The query of `GET /device_authorization/events`. */
const eventsQuery = z.object({ watch: z.string().max(256) });

/** Follow-to-login for front-ends with a page of their own (RFC 8628). */
@PublicController('device_authorization')
export class DeviceAuthorizationController {
  constructor(
    private readonly clients: Clients,
    private readonly starts: FollowStart,
    private readonly streams: LoginStreams,
  ) {}

  @Endpoint({
    summary: 'Starts follow-to-login on a page of your own (RFC 8628)',
    body: deviceAuthorizationBody,
    bodyType: 'form',
    responses: { 200: followStartedResponse },
    example: followStartedExample,
    errors: followStartErrors,
  })
  @Post()
  async start(@Incoming() { body, origin }: IamRequest): Promise<FollowStarted> {
    const { client_id: clientId, provider } = parseOAuthInput(deviceAuthorizationBody, body);
    this.clients.authenticate(clientId);
    return this.starts.begin({ clientId, provider, origin });
  }

  @Endpoint({
    summary: 'The states of a scan as server-sent events: scanned, confirmed, denied, expired, failed, done',
    responses: { 200: 'text/event-stream' },
    errors: ['not_found', 'rate_limited'],
  })
  @Get('events')
  events(@Query(new ZodPipe(eventsQuery)) { watch }: z.infer<typeof eventsQuery>): IamResponse {
    return eventStream(this.streams.open(watch));
  }
}
