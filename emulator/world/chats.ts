import type { EmulatorClock } from '../clock.js';
import type { PersonId } from './identities.js';

/** One card of a news message. */
export interface Article {
  readonly title: string;
  readonly description: string;
  readonly picUrl: string;
  readonly url: string;
}

/** A message as the phone shows it. */
export interface ChatMessage {
  /** The person, the Official Account, or WeChat itself (a notice in the chat). */
  readonly from: 'person' | 'account' | 'wechat';
  readonly type: string;
  readonly text: string;
  /** What can be tapped: `<a href>` in a text, the addresses of articles. */
  readonly links: readonly string[];
  readonly articles: readonly Article[];
  readonly at: Date;
}

/** What gives an account the right to write first, and for how long (protocol E.5). */
interface Allowance {
  until: number;
  left: number;
}

/** The text in the chat when an account's server fails. */
export const serviceFault = '该公众号提供的服务出现故障，请稍后再试';

/** The conversations between people and Official Accounts. */
export class Chats {
  readonly #messages = new Map<string, ChatMessage[]>();
  readonly #allowances = new Map<string, Allowance>();

  constructor(private readonly clock: EmulatorClock) {}

  add(
    person: PersonId,
    appid: string,
    message: Partial<ChatMessage> & Pick<ChatMessage, 'from'>,
  ): ChatMessage {
    const complete = {
      type: 'text',
      text: '',
      links: [],
      articles: [],
      at: new Date(this.clock.now()),
      ...message,
    };
    const messages = this.#messages.get(`${person} ${appid}`) ?? [];
    messages.push(complete);
    this.#messages.set(`${person} ${appid}`, messages);
    return complete;
  }

  between(person: PersonId, appid: string): readonly ChatMessage[] {
    return this.#messages.get(`${person} ${appid}`) ?? [];
  }

  /** The person did something that lets the account send so many messages for so many seconds. */
  allow(
    person: PersonId,
    appid: string,
    allowance: { readonly seconds: number; readonly messages: number },
  ): void {
    const until = this.clock.now() + allowance.seconds * 1000;
    const current = this.#allowances.get(`${person} ${appid}`);
    if (current && current.until > until && current.left > 0) return;
    this.#allowances.set(`${person} ${appid}`, { until, left: allowance.messages });
  }

  /** Takes one message off the allowance, or says why there is none. */
  spend(person: PersonId, appid: string): 'spent' | 'closed' | 'used-up' {
    const allowance = this.#allowances.get(`${person} ${appid}`);
    if (!allowance || allowance.until <= this.clock.now()) return 'closed';
    if (allowance.left === 0) return 'used-up';
    allowance.left -= 1;
    return 'spent';
  }

  forget(person: PersonId, appid: string): void {
    this.#allowances.delete(`${person} ${appid}`);
  }
}
