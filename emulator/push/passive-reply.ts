import type { EmulatorRules } from '../rules.js';
import type { Article, ChatMessage } from '../world/chats.js';
import { childText, readXml, type XmlElement } from './xml-reader.js';

/** The message part of a passive reply: what the chat shows. */
export type PassiveMessage = Pick<ChatMessage, 'type' | 'text' | 'links' | 'articles'>;

/** Who must be named in a reply: it goes back the way the push came. */
export interface ReplyParties {
  /** The person's openid. */
  readonly to: string;
  /** The account's raw id, not its appid. */
  readonly from: string;
  readonly rules: Pick<EmulatorRules, 'passiveReplies'>;
}

/** Reads a reply and throws with the reason when WeChat would show the fault notice instead (protocol F.6). */
export function readPassiveMessage(
  body: string,
  format: 'xml' | 'json',
  parties: ReplyParties,
): PassiveMessage {
  const root = format === 'json' ? fromJson(body) : readXml(body);
  if (childText(root, 'ToUserName') !== parties.to) throw new Error('ToUserName is not the person');
  if (childText(root, 'FromUserName') !== parties.from) throw new Error('FromUserName is not the account');
  if (parties.rules.passiveReplies === 'strict' && !/^\d+$/.test(childText(root, 'CreateTime')))
    throw new Error('CreateTime is no number');
  return content(root, childText(root, 'MsgType'));
}

/** The addresses that can be tapped in a text. */
export function linksIn(text: string): readonly string[] {
  return Array.from(text.matchAll(/<a\s[^>]*?href\s*=\s*(?:"([^"]*)"|'([^']*)')/gi), ([, double, single]) =>
    (double ?? single ?? '').replaceAll('&amp;', '&'),
  );
}

function content(root: XmlElement, type: string): PassiveMessage {
  if (type === 'news') return news(root);
  if (type === 'text') {
    const text = childText(root, 'Content');
    if (text === '') throw new Error('Content is empty');
    return { type, text, links: linksIn(text), articles: [] };
  }
  const parts: Readonly<Record<string, string>> = {
    image: 'Image',
    voice: 'Voice',
    video: 'Video',
    music: 'Music',
  };
  const part = root.children.find(({ name }) => name === parts[type]);
  if (part)
    return { type, text: childText(part, 'MediaId') || childText(part, 'Title'), links: [], articles: [] };
  if (type === 'transfer_customer_service') return { type, text: '', links: [], articles: [] };
  throw new Error(`no reply of type ${type}`);
}

function news(root: XmlElement): PassiveMessage {
  const items = root.children.find(({ name }) => name === 'Articles')?.children ?? [];
  const articles = items.map(toArticle);
  if (articles.length === 0 || childText(root, 'ArticleCount') !== String(articles.length)) {
    throw new Error('ArticleCount does not count the articles');
  }
  const links = articles.map(({ url }) => url).filter((url) => url !== '');
  return { type: 'news', text: articles[0]?.title ?? '', links, articles };
}

function toArticle(item: XmlElement): Article {
  const [title, description, picUrl, url] = ['Title', 'Description', 'PicUrl', 'Url'].map((name) =>
    childText(item, name),
  );
  return { title: title ?? '', description: description ?? '', picUrl: picUrl ?? '', url: url ?? '' };
}

/** The same tree out of JSON, so that both formats are judged by the same rules. */
function fromJson(body: string): XmlElement {
  const value: unknown = JSON.parse(body);
  return toElement('xml', value);
}

function toElement(name: string, value: unknown): XmlElement {
  if (typeof value !== 'object' || value === null) return { name, text: String(value), children: [] };
  const children = Object.entries(value).flatMap(([key, member]: readonly [string, unknown]) =>
    Array.isArray(member)
      ? [{ name: key, text: '', children: member.map((item: unknown) => toElement('item', item)) }]
      : [toElement(key, member)],
  );
  return { name, text: '', children };
}
