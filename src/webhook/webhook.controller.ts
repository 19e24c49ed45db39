import { Get, Inject, Param, Post } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { z } from 'zod';
import { recordRefusal } from '../audit/record-audit.js';
import { IAM_DATA_SOURCE } from '../config/iam.resolved-options.js';
import { ClockSync } from '../database/clock-sync.service.js';
import { violatedConstraint } from '../database/database-errors.js';
import { IamError } from '../errors/iam.error.js';
import { Endpoint } from '../http/endpoint.decorator.js';
import type { IamRequest } from '../http/iam-request.js';
import { securityHeaders, type IamResponse } from '../http/iam-response.js';
import { Incoming } from '../http/parameter.decorators.js';
import { appsOf, type IdentityProvider } from '../identity-providers/identity-provider.js';
import { IdentityProviders } from '../identity-providers/identity-providers.service.js';
import { Clock } from '../runtime/clock.js';
import { IamLogger } from '../runtime/iam-logger.js';
import { setActor } from '../runtime/request-context.js';
import { Telemetry } from '../runtime/telemetry.service.js';
import { PublicController } from '../http/endpoint-responses.service.js';
import { ConfirmedApps } from './confirmed-apps.service.js';
import { EventIntake } from './event-intake.service.js';
import { isAuthorizationChange, toDeadLetter, toInboxEvent } from './inbox-event.js';
import { Scenes } from './scenes.service.js';
import type { InboxEvent } from './inbox/webhook-event.entity.js';
import { toVerifiedEvent, type VerifiedEvent } from './message.js';
import { type PassiveReply, renderEnvelope, renderReply } from './passive-reply.js';
import {
  forged,
  isInWindow,
  type RawQuery,
  type ServerConfiguration,
  type VerifiedPush,
  verifyHandshake,
  verifyPush,
} from './verify-push.js';

const signedQuery = z.object({
  signature: z.string().optional(),
  msg_signature: z.string().optional(),
  encrypt_type: z.string().optional(),
  timestamp: z.string(),
  nonce: z.string(),
});
const slugs = { provider: 'Slug of the provider row' };

/** The server URL of a provider row's Official Account: handshakes and pushes. */
@PublicController('webhook')
export class WebhookController {
  private readonly logger = new IamLogger('IamWebhook');

  constructor(
    private readonly providers: IdentityProviders,
    private readonly apps: ConfirmedApps,
    private readonly intake: EventIntake,
    private readonly scenes: Scenes,
    private readonly sync: ClockSync,
    private readonly clock: Clock,
    private readonly telemetry: Telemetry,
    @Inject(IAM_DATA_SOURCE) private readonly dataSource: DataSource,
  ) {}

  /** The `echostr` comes back unchanged: WeChat compares bytes. */
  @Endpoint({
    summary: 'WeChat checks the server URL',
    path: slugs,
    query: signedQuery.extend({ echostr: z.string() }),
    responses: { 200: 'text/plain' },
    errors: ['provider_not_found', 'provider_misconfigured', 'webhook_signature_invalid'],
  })
  @Get(':provider')
  async handshake(@Param('provider') slug: string, @Incoming() { query }: IamRequest): Promise<IamResponse> {
    const server = configurationOf(await this.find(slug));
    return respond('text/plain', verifyHandshake(query, server, await this.timeFor(query)));
  }

  /** Responds once the event is committed, with the reply if there is one. After an error WeChat tries again, twice. */
  @Endpoint({
    summary: "WeChat's messages and events",
    path: slugs,
    query: signedQuery,
    body: z.string(),
    bodyType: 'text/xml',
    responses: { 200: ['text/plain', 'application/xml', z.record(z.string(), z.unknown())] },
    example: { Encrypt: '…', MsgSignature: '…', TimeStamp: 1767225600, Nonce: '…' },
    errors: [
      'provider_not_found',
      'provider_misconfigured',
      'webhook_signature_invalid',
      'wechat_unavailable',
    ],
  })
  @Post(':provider')
  async push(@Param('provider') slug: string, @Incoming() request: IamRequest): Promise<IamResponse> {
    try {
      const response = await this.receive(slug, request);
      this.telemetry.webhookEvent(slug, 'accepted');
      return response;
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
    const receivedAt = await this.timeFor(query);
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
   * The present time, to compare the query's timestamp with. After PostgreSQL's clock was set, this process would refuse every
   * push, or take old ones: a timestamp out of the window makes it read that clock again.
   */
  private async timeFor({ timestamp }: RawQuery): Promise<number> {
    const now = this.clock.now();
    if (typeof timestamp !== 'string' || isInWindow(timestamp, now)) return now;
    await this.sync.doubt();
    return this.clock.now();
  }

  /** A disabled row too: withdrawals concern people who are known already. A row without app or Token is not found. */
  private async find(slug: string): Promise<IdentityProvider> {
    const provider = await this.providers.get(slug);
    if (appsOf(provider).length === 0 || provider.mpServer.tokens.length === 0)
      throw new IamError('provider_not_found', `"${slug}" has no app or no mp_token`);
    return provider;
  }

  /**
   * Commits one message under one signature. Two concurrent deliveries of one event may violate the constraint too: then the
   * second attempt succeeds.
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
      const detail = { event, openid };
      await recordRefusal(this.dataSource, { action: 'webhook.replay_refused', provider, detail });
      throw forged('another message under a signature that was used', error);
    }
  }

  private render(reply: PassiveReply, event: VerifiedEvent, { format, seal }: VerifiedPush): IamResponse {
    const now = this.clock.now();
    const message = renderReply(reply, event, format, now);
    return respond(
      `application/${format}`,
      seal === null ? message : renderEnvelope(seal(message, now), format),
    );
  }
}

function respond(type: string, body: string): IamResponse {
  const headers = { ...securityHeaders, 'Content-Type': `${type}; charset=utf-8` };
  return { status: 200, headers, cookies: [], body };
}

/** Never encrypted, in any mode (protocol F.3). */
const success = respond('text/plain', 'success');

/** A withdrawal without an app concerns the one that it was encrypted for, which is not known later. */
function withApp(event: VerifiedEvent | null, appid: string): VerifiedEvent | null {
  if (event === null || !isAuthorizationChange(event) || (event.AppID ?? '').trim() !== '') return event;
  return { ...event, AppID: appid };
}

function configurationOf(provider: IdentityProvider): ServerConfiguration {
  return { ...provider.mpServer, appids: appsOf(provider).map(({ appid }) => appid) };
}

function isReplay(error: unknown): boolean {
  return violatedConstraint(error) === 'webhook_events_undated_replay_key_key';
}
