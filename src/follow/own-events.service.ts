import { Inject, Injectable } from '@nestjs/common';
import { IamUrls } from '../http/iam-urls.service.js';
import { IAM_OPTIONS, type ResolvedIamOptions } from '../iam.resolved-options.js';
import type { IdentityProvider } from '../identity-providers/identity-provider.js';
import type { InboxEvent } from '../inbox/inbox-statements.js';
import { FollowLogins } from '../logins/follow-logins.service.js';
import { LoginWatch } from '../logins/login-watch.service.js';
import type { OwnEventOutcome, OwnEvents } from '../webhook/own-events.js';
import { eventName, sceneOf, type VerifiedEvent } from '../webhook/verified-event.js';
import { numberReply, scanReply } from './follow-replies.js';
import { FollowTokens } from './follow-tokens.service.js';

/** The pushes that sign-ins are made of: scans of our QR codes and the numbers typed for them. */
@Injectable()
export class FollowOwnEvents implements OwnEvents {
  constructor(
    @Inject(IAM_OPTIONS) private readonly options: ResolvedIamOptions,
    private readonly follows: FollowLogins,
    private readonly watch: LoginWatch,
    private readonly tokens: FollowTokens,
    private readonly urls: IamUrls,
  ) {}

  async accept(
    provider: IdentityProvider,
    event: VerifiedEvent,
    stored: InboxEvent,
  ): Promise<OwnEventOutcome | null> {
    const scene = sceneOf(event);
    if (scene !== null && this.follows.isOurScene(scene)) return this.scan(provider, scene, stored);
    return eventName(event) === 'text' ? this.number(provider, event.Content ?? '', stored) : null;
  }

  private async scan(
    provider: IdentityProvider,
    scene: string,
    stored: InboxEvent,
  ): Promise<OwnEventOutcome> {
    const scan = await this.follows.scan(provider, scene, stored);
    if (scan !== null) this.watch.hint(scan.loginId);
    const link = scan === null ? '' : this.confirmUrl(provider, scan.loginId);
    return { reply: { type: 'text', content: scanReply(scan, this.options.siteName, link) } };
  }

  private async number(
    provider: IdentityProvider,
    text: string,
    stored: InboxEvent,
  ): Promise<OwnEventOutcome | null> {
    const answered = await this.follows.answerNumber(provider, text.trim(), stored);
    if (answered === null) return null;
    this.watch.hint(answered.loginId);
    return { reply: { type: 'text', content: numberReply(answered.outcome, this.options.siteName) } };
  }

  private confirmUrl(provider: IdentityProvider, loginId: string): string {
    return this.urls.endpoint(`confirm/${provider.slug}?login=${this.tokens.mint('confirm', loginId)}`);
  }
}
