import { Inject, Injectable } from '@nestjs/common';
import { IamUrls } from '../http/iam-urls.service.js';
import { IAM_OPTIONS, type ResolvedIamOptions } from '../config/iam.resolved-options.js';
import type { IdentityProvider } from '../identity-providers/identity-provider.js';
import type { InboxEvent } from '../webhook/inbox/webhook-event.entity.js';
import { FollowScans, type ScanOutcome } from './follow-scans.service.js';
import { Scenes } from '../webhook/inbox-event.js';
import { LoginWatch } from './login-watch.service.js';
import type { BuiltInEventOutcome, BuiltInEventHandler } from '../webhook/event-intake.service.js';
import { eventName, sceneOf, type VerifiedEvent } from '../webhook/message.js';
import { numberReply, scanReply } from './follow-replies.js';
import { FollowTokens } from './follow-tokens.service.js';

/**
 * The pushes that sign-ins are made of: scans of our QR codes and the numbers typed for them. The Official Account counts,
 * not the row: an account has one server URL, however many rows it stands in.
 */
@Injectable()
export class FollowEventHandler implements BuiltInEventHandler {
  constructor(
    @Inject(IAM_OPTIONS) private readonly options: ResolvedIamOptions,
    private readonly scenes: Scenes,
    private readonly scans: FollowScans,
    private readonly watch: LoginWatch,
    private readonly tokens: FollowTokens,
    private readonly urls: IamUrls,
  ) {}

  async accept(
    provider: IdentityProvider,
    event: VerifiedEvent,
    stored: InboxEvent,
  ): Promise<BuiltInEventOutcome | null> {
    const appid = provider.mp?.appid;
    if (appid === undefined) return null;
    const scene = sceneOf(event);
    if (scene !== null && this.scenes.isOurs(scene)) return this.scan(appid, scene, stored);
    return eventName(event) === 'text' ? this.number(appid, event.Content ?? '', stored) : null;
  }

  private async scan(appid: string, scene: string, stored: InboxEvent): Promise<BuiltInEventOutcome> {
    const scan = await this.scans.scan(appid, scene, stored);
    if (scan !== null) this.watch.hint(scan.loginId);
    const link = scan === null ? '' : this.confirmUrl(scan);
    return { reply: { type: 'text', content: scanReply(scan, this.options.siteName, link) } };
  }

  private async number(appid: string, text: string, stored: InboxEvent): Promise<BuiltInEventOutcome | null> {
    const answered = await this.scans.answerNumber(appid, text, stored);
    if (answered === null) return null;
    if (answered.loginId !== null) this.watch.hint(answered.loginId);
    return { reply: { type: 'text', content: numberReply(answered, this.options.siteName) } };
  }

  private confirmUrl({ provider, loginId }: ScanOutcome): string {
    return this.urls.endpoint(`confirm/${provider}?login=${this.tokens.mint('confirm', loginId)}`);
  }
}
