import { header, type Incoming } from '../http/exchange.js';

/** Chooses between a Chinese and an English text. */
export type Speak = (zh: string, en: string) => string;

/** The reader's language: `lang` in the URL, else `Accept-Language`, else Chinese. */
export function languageOf(incoming: Pick<Incoming, 'query' | 'headers'>): 'zh' | 'en' {
  const asked = incoming.query.get('lang') ?? header(incoming, 'accept-language');
  return /^\s*en/i.test(asked) ? 'en' : 'zh';
}

export function speakTo(incoming: Pick<Incoming, 'query' | 'headers'>): Speak {
  const language = languageOf(incoming);
  return (zh, en) => (language === 'en' ? en : zh);
}
