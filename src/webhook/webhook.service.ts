import { Injectable, Inject } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { Clock } from '../runtime/clock.js';
import { ClockSync } from '../database/clock-sync.service.js';
import {
  isInWindow,
  type RawQuery,
  forged,
  verifyHandshake,
  verifyPush,
  type ServerConfiguration,
  type VerifiedPush,
} from './verify-push.js';
import { recordRefusal } from '../audit/record-audit.js';
import { violatedConstraint } from '../database/database-errors.js';
import { securityHeaders, type IamResponse } from '../http/iam-response.js';
import type { IamRequest } from '../http/iam-request.js';
import { IamLogger } from '../runtime/iam-logger.js';
import { IAM_DATA_SOURCE } from '../config/iam.resolved-options.js';
import { IamError } from '../errors/iam.error.js';
import { appsOf, type IdentityProvider } from '../identity-providers/identity-provider.js';
import { IdentityProviders } from '../identity-providers/identity-providers.service.js';
import { setActor } from '../runtime/request-context.js';
import { Telemetry } from '../runtime/telemetry.service.js';
import type { InboxEvent } from './inbox/webhook-event.entity.js';
import { Scenes, isAuthorizationChange, toDeadLetter, toInboxEvent } from './inbox-event.js';
import { ConfirmedApps } from './confirmed-apps.service.js';
import { EventIntake } from './event-intake.service.js';
import { type PassiveReply, renderEnvelope, renderReply } from './passive-reply.js';
import { toVerifiedEvent, type VerifiedEvent } from './message.js';

/**
 * What time it is when a push arrives. Where PostgreSQL's clock has been set since it was last read, every push would be
 * refused, or old ones taken: a timestamp out of the window has it read again.
 */
@Injectable()
export class PushTime {
  constructor(
    private readonly clock: Clock,
    private readonly sync: ClockSync,
  ) {}

  /** Milliseconds since the Unix epoch, to compare the query's timestamp with. */
  async now({ timestamp }: RawQuery): Promise<number> {
    const now = this.clock.now();
    if (typeof timestamp !== 'string' || isInWindow(timestamp, now)) return now;
    await this.sync.doubt();
    return this.clock.now();
  }
}

/** The Official Account's server URL: WeChat's question whether we know the Token, and what it pushes. */
@Injectable()
export class Webhook {
  private readonly logger = new IamLogger('IamWebhook');

  constructor(
    private readonly providers: IdentityProviders,
    private readonly apps: ConfirmedApps,
    private readonly intake: EventIntake,
    private readonly scenes: Scenes,
    private readonly time: PushTime,
    private readonly clock: Clock,
    private readonly telemetry: Telemetry,
    @Inject(IAM_DATA_SOURCE) private readonly dataSource: DataSource,
  ) {}

  /** Echoes `echostr` as it is: WeChat compares bytes. */
  async handshake(slug: string, { query }: IamRequest): Promise<IamResponse> {
    const provider = await this.find(slug);
    return answer(
      'text/plain',
      verifyHandshake(query, configurationOf(provider), await this.time.now(query)),
    );
  }

  /** Answers once the event is committed; an answer other than 2xx makes WeChat try again, twice. */
  async push(slug: string, request: IamRequest): Promise<IamResponse> {
    try {
      const answered = await this.receive(slug, request);
      this.telemetry.webhookEvent(slug, 'accepted');
      return answered;
    } catch (error) {
      if (error instanceof IamError && error.code.startsWith('webhook_'))
        this.telemetry.webhookEvent(slug, 'refused');
      throw error;
    }
  }

  private async receive(slug: string, { query, rawBody }: IamRequest): Promise<IamResponse> {
    const arrivedAt = this.clock.elapsed();
    const provider = await this.find(slug);
    if (rawBody === null) throw new IamError('invalid_request', 'a parser of the host has taken the body');
    const receivedAt = await this.time.now(query);
    const push = verifyPush({ query, body: rawBody }, configurationOf(provider), receivedAt);
    const event = withApp(toVerifiedEvent(push.fields), push.appid);
    const named = event?.AppID?.trim() ?? push.appid;
    for (const appid of new Set([push.appid, named])) await this.apps.require(provider, appid);
    setActor('wechat');
    const arrival = { provider: slug, receivedAt, scenes: this.scenes };
    if (event === null) {
      const stored = toDeadLetter(push, arrival);
      await this.once(stored, () => this.intake.bury(stored));
      return success;
    }
    const stored = toInboxEvent(push, event, arrival);
    const received = { provider, event, appid: push.appid, stored, arrivedAt };
    const reply = await this.once(stored, () => this.intake.accept(received));
    return reply === null ? success : this.render(reply, event, push);
  }

  /**
   * A disabled row signs nobody in, but what WeChat withdraws concerns people who are known already. A row that cannot take
   * pushes is answered like none.
   */
  private async find(slug: string): Promise<IdentityProvider> {
    const provider = await this.providers.get(slug);
    if (appsOf(provider).length === 0 || provider.mpServer.tokens.length === 0)
      throw new IamError('provider_not_found', `"${slug}" has no app or no mp_token`);
    return provider;
  }

  /**
   * Commits one message under one signature. The constraint may also be met by two deliveries of one event at once: then the
   * second time all is well.
   */
  private async once<T>({ provider, event, openid }: InboxEvent, commit: () => Promise<T>): Promise<T> {
    try {
      return await commit().catch((error: unknown) => {
        if (!isReplay(error)) throw error;
        return commit();
      });
    } catch (error) {
      if (!isReplay(error)) throw error;
      this.logger.error(
        `"${provider}": somebody posts messages of their own under a signature of WeChat's: choose safe mode`,
      );
      await recordRefusal(this.dataSource, {
        action: 'webhook.replay_refused',
        provider,
        detail: { event, openid },
      });
      throw forged('another message under a signature that was used', error);
    }
  }

  private render(reply: PassiveReply, event: VerifiedEvent, { format, seal }: VerifiedPush): IamResponse {
    const now = this.clock.now();
    const message = renderReply(reply, event, format, now);
    const body = seal === null ? message : renderEnvelope(seal(message, now), format);
    return answer(format === 'json' ? 'application/json' : 'application/xml', body);
  }
}

/** A withdrawal that names no app is for the one that it was encrypted for; later nothing tells which that was. */
function withApp(event: VerifiedEvent | null, appid: string): VerifiedEvent | null {
  if (event === null || !isAuthorizationChange(event) || (event.AppID ?? '').trim() !== '') return event;
  return { ...event, AppID: appid };
}

function configurationOf(provider: IdentityProvider): ServerConfiguration {
  return { ...provider.mpServer, appids: appsOf(provider).map(({ appid }) => appid) };
}

function isReplay(error: unknown): boolean {
  return violatedConstraint(error) === 'webhook_events_replay_key_key';
}

function answer(type: string, body: string): IamResponse {
  const headers = { ...securityHeaders, 'Content-Type': `${type}; charset=utf-8` };
  return { status: 200, headers, cookies: [], body };
}

/** Never encrypted, in whatever mode (protocol F.3). */
const success = answer('text/plain', 'success');
