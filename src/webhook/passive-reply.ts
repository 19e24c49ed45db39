import { z } from 'zod';
import type { EncryptedReply } from '../wechat/message-cipher.js';
import { illegible, type VerifiedEvent } from './message.js';
import type { MessageFormat } from './parse-message.js';

const text = z.object({ type: z.literal('text'), content: z.string().min(1) });
const image = z.object({ type: z.literal('image'), mediaId: z.string().min(1).max(256) });
const article = z.object({
  title: z.string().min(1),
  description: z.string().optional(),
  picUrl: z.string().optional(),
  url: z.string(),
});
const news = z.object({ type: z.literal('news'), articles: z.array(article).min(1).max(8) });
const passiveReply = z.discriminatedUnion('type', [text, image, news]);

/**
 * A reply that the chat shows (protocol F.6). `text` may contain `<a href>` links and is cut at 2048 bytes;
 * of several articles WeChat shows only the first after most events.
 */
export type PassiveReply = Readonly<z.infer<typeof passiveReply>>;

/** The value as a reply; null for any other value. */
export function toPassiveReply(value: unknown): PassiveReply | null {
  return passiveReply.safeParse(value).data ?? null;
}

const MAX_TEXT_BYTES = 2048;

/** A number, or untrusted text. */
type Value = string | number | Fields | Fields[];
interface Fields {
  readonly [name: string]: Value;
}

/** The reply to an event, from the account to the person; `now` is in milliseconds. */
export function renderReply(
  reply: PassiveReply,
  event: Pick<VerifiedEvent, 'FromUserName' | 'ToUserName'>,
  format: MessageFormat,
  now: number,
): string {
  return render(format, {
    ToUserName: event.FromUserName,
    FromUserName: event.ToUserName,
    CreateTime: Math.floor(now / 1000),
    MsgType: reply.type,
    ...contentOf(reply),
  });
}

/** The envelope of an encrypted reply. */
export function renderEnvelope(reply: EncryptedReply, format: MessageFormat): string {
  return render(format, { ...reply, TimeStamp: Number(reply.TimeStamp) });
}

function contentOf(reply: PassiveReply): Fields {
  switch (reply.type) {
    case 'text':
      return { Content: fit(reply.content, MAX_TEXT_BYTES) };
    case 'image':
      return { Image: { MediaId: reply.mediaId } };
    case 'news':
      return { ArticleCount: reply.articles.length, Articles: reply.articles.map(toItem) };
  }
}

function toItem(article: Extract<PassiveReply, { type: 'news' }>['articles'][number]): Fields {
  const { title, description = '', picUrl = '', url } = article;
  return { Title: title, Description: description, PicUrl: picUrl, Url: url };
}

function render(format: MessageFormat, fields: Fields): string {
  return format === 'json' ? JSON.stringify(fields, clean) : `<xml>${toXml(fields)}</xml>`;
}

function toXml(fields: Fields): string {
  return Object.entries(fields)
    .map(([name, value]) => `<${name}>${valueToXml(value)}</${name}>`)
    .join('');
}

function valueToXml(value: Value): string {
  if (typeof value === 'number') return String(value);
  if (typeof value === 'string') return cdata(cleanText(value));
  return Array.isArray(value) ? value.map((item) => `<item>${toXml(item)}</item>`).join('') : toXml(value);
}

/** `]]>` would end the section: it is split over two. */
function cdata(text: string): string {
  return `<![CDATA[${text.replaceAll(']]>', ']]]]><![CDATA[>')}]]>`;
}

function clean(_name: string, value: unknown): unknown {
  return typeof value === 'string' ? cleanText(value) : value;
}

/** XML can write neither control characters nor half a surrogate pair, in CDATA no more than elsewhere. */
function cleanText(text: string): string {
  return text.replace(illegible, '');
}

/** As many whole characters as fit into so many bytes of UTF-8. */
function fit(text: string, bytes: number): string {
  const encoded = new TextEncoder().encodeInto(text, new Uint8Array(bytes));
  return text.slice(0, encoded.read);
}
