import { Injectable, type MessageEvent } from '@nestjs/common';
import { Observable } from 'rxjs';
import { parseInput } from '../http/parse-input.js';
import type { IamRequest } from '../http/iam-request.js';
import { IamError } from '../errors/iam.error.js';
import { followStateOf, type FollowLogin } from './follow-login.js';
import { QR_SECONDS } from './follow-logins.service.js';
import { LoginWatch } from './login-watch.service.js';
import { z } from 'zod';
import { FollowTokens } from './follow-tokens.service.js';

const HEARTBEAT_MS = 15_000;
const PER_LOGIN = 3;
const PER_PROCESS = 10_000;

/** The query of `GET /device_authorization/events`. */
export const followEventsQuery = z.object({ watch: z.string().max(256) });

/** `GET /device_authorization/events`: the states of one login as server-sent events. Polling stays enough. */
@Injectable()
export class FollowEvents {
  private readonly open = new Map<string, number>();
  private total = 0;

  constructor(
    private readonly watch: LoginWatch,
    private readonly tokens: FollowTokens,
  ) {}

  /** @throws IamError `not_found` for a token that is not ours, `rate_limited` when too many streams are open */
  stream(request: IamRequest): Observable<MessageEvent> {
    const loginId = this.tokens.read('watch', parseInput(followEventsQuery, request.query).watch);
    if (loginId === null) throw new IamError('not_found', 'not a watch token of ours');
    this.checkRoom(loginId);
    return new Observable<MessageEvent>((subscriber) => {
      this.enter(loginId);
      const onChange = (login: FollowLogin | null) => {
        const state = login === null ? 'expired' : followStateOf(login);
        if (state !== 'pending') subscriber.next({ type: state, data: { state } });
        if (!['pending', 'scanned', 'confirmed'].includes(state)) subscriber.complete();
      };
      const heartbeat = setInterval(() => subscriber.next({ type: 'heartbeat', data: {} }), HEARTBEAT_MS);
      const end = setTimeout(() => subscriber.complete(), (QR_SECONDS + 60) * 1000);
      const onClose = () => subscriber.complete();
      const unsubscribe = this.watch.subscribe(loginId, { onChange, onClose });
      return () => {
        clearInterval(heartbeat);
        clearTimeout(end);
        unsubscribe();
        this.leave(loginId);
      };
    });
  }

  private checkRoom(loginId: string): void {
    const streams = this.open.get(loginId) ?? 0;
    if (streams >= PER_LOGIN || this.total >= PER_PROCESS) {
      throw new IamError('rate_limited', `${streams} streams of this login, ${this.total} in all`, {
        retryAfterSeconds: 5,
      });
    }
  }

  private enter(loginId: string): void {
    this.open.set(loginId, (this.open.get(loginId) ?? 0) + 1);
    this.total += 1;
  }

  private leave(loginId: string): void {
    const streams = (this.open.get(loginId) ?? 1) - 1;
    if (streams === 0) this.open.delete(loginId);
    else this.open.set(loginId, streams);
    this.total -= 1;
  }
}
