import {
  OnWechatEvent,
  type PassiveReply,
  type WechatEvent,
  type WechatEventContext,
} from '../../src/index.js';

/** Handlers may be synchronous or not, and may say nothing. */
export class Handlers {
  private readonly seen: unknown[] = [];

  @OnWechatEvent('text')
  text({ Content, MsgId, FromUserName }: WechatEvent<'text'>): PassiveReply {
    return { type: 'text', content: [Content, MsgId, FromUserName].join(' ') };
  }

  @OnWechatEvent('SCAN', { provider: 'wechat' })
  async scan({ EventKey, Ticket }: WechatEvent<'SCAN'>, { provider }: WechatEventContext): Promise<void> {
    await Promise.resolve([EventKey, Ticket, provider]);
  }

  @OnWechatEvent('subscribe')
  @OnWechatEvent('unsubscribe')
  async change(event: WechatEvent<'subscribe' | 'unsubscribe'>): Promise<PassiveReply | null> {
    return event.Event === 'subscribe'
      ? { type: 'news', articles: [{ title: 'Welcome', url: 'https://app.example.com' }] }
      : null;
  }

  @OnWechatEvent('user_enter_tempsession')
  other(event: WechatEvent): undefined {
    this.seen.push(event['SessionFrom']);
    return undefined;
  }

  @OnWechatEvent('*')
  any(): void {
    // Told of everything, interested in nothing.
  }

  // @ts-expect-error A message of text has no ticket.
  @OnWechatEvent('text')
  wrongEvent({ Ticket }: WechatEvent<'SCAN'>): void {
    this.seen.push(Ticket);
  }

  // @ts-expect-error A number is no reply.
  @OnWechatEvent('text')
  wrongReply(): number {
    return 42;
  }

  // @ts-expect-error An image has a media id, not a URL.
  @OnWechatEvent('image')
  wrongContent() {
    return { type: 'image', url: 'https://app.example.com/a.png' };
  }
}

// @ts-expect-error Not a field.
export const typo = (event: WechatEvent<'text'>): string => event.Contents;
