import { z } from 'zod';

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
 * What an answered push shows in the chat (protocol F.6). `text` may contain `<a href>` links and is cut at 2048 bytes;
 * of several articles WeChat shows only the first after most events.
 */
export type PassiveReply = Readonly<z.infer<typeof passiveReply>>;

/** The reply in what a handler returned or a row kept; null for anything else. */
export function toPassiveReply(value: unknown): PassiveReply | null {
  return passiveReply.safeParse(value).data ?? null;
}
