import { Inject, Injectable, type OnModuleInit } from '@nestjs/common';
import { IAM_OPTIONS, type ResolvedIamOptions } from '../../config/iam.resolved-options.js';
import { ClientRegistry } from '../../http/client-registry.service.js';
import type { Sql } from '../../database/sql.js';
import { IamUrls } from '../../http/iam-urls.service.js';
import type { IdentityProvider } from '../../identity-providers/identity-provider.js';
import type { InboxEvent } from '../../webhook/inbox/webhook-event.entity.js';
import { type EnteredUserCode, FollowScans, type ScanOutcome } from './follow-scans.service.js';
import { Scenes } from '../../webhook/scenes.service.js';
import { LoginWatch } from '../login-watch.service.js';
import { EventIntake, type BuiltInEventHandler } from '../../webhook/event-intake.service.js';
import type { PassiveReply } from '../../webhook/passive-reply.js';
import { eventName, sceneOf, type VerifiedEvent } from '../../webhook/message.js';
import { LoginTokens } from '../codes-and-tokens.service.js';
import { quotableName } from '../../errors/unknown.js';

const OVER =
  '二维码已失效，请在电脑上获取新的二维码。\nThis QR code is no longer valid. Get a new one on the computer.';

/** Where the scanner signs in: the site, and the application there that has a name of its own. */
interface Place {
  readonly siteName: string;
  readonly application: string | null;
}

/** The reply to a scan in the chat. A push names no language, so both are there. */
function scanReply(scan: ScanOutcome | null, { siteName, application }: Place, confirmUrl: string): string {
  if (scan === null || scan.outcome === 'over') return OVER;
  if (scan.outcome === 'taken') return '该二维码已被其他人扫描。\nSomebody else has scanned this QR code.';
  if (scan.link !== null) return linkReply(scan, accountAt(siteName, scan.link.nickname), confirmUrl);
  const at = application === null ? siteName : `${siteName} 的「${application}」`;
  const to = application === null ? '' : ` to “${application}”`;
  if (scan.status === 'confirmed' || scan.status === 'authenticated')
    return `已确认登录 ${at}，请回到电脑继续。\nConfirmed. Go on at your computer.`;
  if (scan.confirmation === 'number') {
    return `请回复屏幕上显示的 4 位数字（或字母代码）以登录 ${at}。不是您本人操作？<a href="${confirmUrl}">拒绝登录</a>\nReply with the 4 digits, or the letters, that the screen shows${application === null ? '' : `, to sign in${to}`}.`;
  }
  return `您正在登录 ${at}，<a href="${confirmUrl}">点击确认或拒绝</a>\nTap the link to confirm or deny the sign-in${to}.`;
}

/** Names the account that the WeChat would sign in to from then on: the scanner of a stranger's code must see that. */
function linkReply({ status, confirmation }: ScanOutcome, account: string, confirmUrl: string): string {
  if (status === 'confirmed')
    return `已确认将此微信绑定到${account}，请回到电脑继续。\nConfirmed: this WeChat is to be linked to that account. Go on at your computer.`;
  if (confirmation === 'number')
    return `请回复电脑上显示的 4 位数字，将此微信绑定到${account}。不是您本人操作？<a href="${confirmUrl}">拒绝绑定</a>\nReply with the 4 digits that the computer shows to link this WeChat to that account.`;
  return `您正在将此微信绑定到${account}，<a href="${confirmUrl}">点击确认或拒绝</a>\nTap the link to confirm or deny linking this WeChat to that account.`;
}

/** A name as the chat may quote it: WeChat makes a link of each address in a message, also of one with the dots of other scripts. */
function nameInChat(name: string | null): string | null {
  return quotableName(name)?.replaceAll(/[.:/\u3002\uff0e\uff61\uff1a\uff0f](?=\S)/g, ' ') ?? null;
}

/** The stranger whose code was scanned chose the nickname. */
function accountAt(siteName: string, nickname: string | null): string {
  return ` ${siteName} 的账号「${nameInChat(nickname) ?? '未设置昵称'}」`;
}

/** The reply to a number. */
function numberReply({ outcome, isLink }: EnteredUserCode, siteName: string): string {
  switch (outcome) {
    case 'confirmed':
      if (isLink)
        return `已确认绑定到 ${siteName} 的账号，请回到电脑继续。\nConfirmed. Go on at your computer.`;
      return `已确认登录 ${siteName}，请回到电脑继续。\nConfirmed. Go on at your computer.`;
    case 'over':
      return OVER;
    case 'wrong':
      return '数字不正确，请核对电脑上显示的数字后重新回复。\nThat is not the number on the computer. Try again.';
    case 'denied':
      if (isLink) return '数字多次不正确，此次绑定已取消。\nToo many wrong numbers: nothing is linked.';
      return '数字多次不正确，此次登录已取消。\nToo many wrong numbers: the sign-in was cancelled.';
  }
}

/**
 * Handles the pushes that belong to sign-ins: scans of our QR codes and the numbers typed for them. The Official Account counts,
 * not the row: an account has one server URL, however many rows it stands in.
 */
@Injectable()
export class FollowEventHandler implements BuiltInEventHandler, OnModuleInit {
  constructor(
    @Inject(IAM_OPTIONS) private readonly options: ResolvedIamOptions,
    private readonly registry: ClientRegistry,
    private readonly scenes: Scenes,
    private readonly scans: FollowScans,
    private readonly watch: LoginWatch,
    private readonly tokens: LoginTokens,
    private readonly urls: IamUrls,
    private readonly intake: EventIntake,
  ) {}

  onModuleInit(): void {
    this.intake.register(this);
  }

  async accept(
    provider: IdentityProvider,
    event: VerifiedEvent,
    stored: InboxEvent,
    effect: Sql | undefined,
  ): Promise<PassiveReply | null> {
    const appid = provider.mp?.appid;
    if (appid === undefined) return null;
    const scene = sceneOf(event);
    if (scene !== null && this.scenes.isOurs(scene)) return this.scan(appid, scene, { stored, effect });
    return eventName(event) === 'text' ? this.number(appid, event.Content ?? '', stored) : null;
  }

  private async scan(
    appid: string,
    scene: string,
    { stored, effect }: { readonly stored: InboxEvent; readonly effect: Sql | undefined },
  ): Promise<PassiveReply> {
    const scan = await this.scans.scan(scene, { appid, event: stored, effect });
    if (scan?.outcome === 'owned')
      this.watch.note(scan.loginId, { status: scan.status, openid: stored.openid });
    else if (scan !== null) this.watch.hint(scan.loginId);
    const link = scan === null ? '' : this.confirmUrl(scan);
    const { siteName } = this.options;
    const application = scan === null ? null : nameInChat(this.registry.nameOf(scan.clientId));
    return { type: 'text', content: scanReply(scan, { siteName, application }, link) };
  }

  private async number(appid: string, text: string, stored: InboxEvent): Promise<PassiveReply | null> {
    const entered = await this.scans.takeNumber(appid, text, stored);
    if (entered === null) return null;
    if (entered.loginId !== null && entered.outcome === 'confirmed')
      this.watch.note(entered.loginId, { status: 'confirmed', openid: stored.openid });
    else if (entered.loginId !== null) this.watch.hint(entered.loginId);
    return { type: 'text', content: numberReply(entered, this.options.siteName) };
  }

  private confirmUrl({ provider, loginId }: ScanOutcome): string {
    return this.urls.endpoint(`confirm/${provider}?login=${this.tokens.mint('confirm', loginId)}`);
  }
}
