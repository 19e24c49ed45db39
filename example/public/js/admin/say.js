import { currentLanguage } from '../language.js';
import { codesEn, codesZh } from './code-words.js';
import { providerEn } from './provider-words-en.js';
import { providerZh } from './provider-words-zh.js';
import { wordsEn } from './words-en.js';
import { wordsZh } from './words-zh.js';

const words = {
  'zh-CN': { ...wordsZh, ...providerZh, ...codesZh },
  en: { ...wordsEn, ...providerEn, ...codesEn },
};

/** A text of the admin page in the reader's language, with `{name}` filled in; a word it does not know stays as it is. */
export const say = (key, values = {}) =>
  (words[currentLanguage()][key] ?? key).replace(/\{(\w+)\}/g, (_, name) => values[name]);

/** What a code of the API is called, e.g. `status` `dead`; one that is new here is shown as it is. */
export const named = (kind, code) => words[currentLanguage()][`${kind}_${code}`] ?? code;

/** A time of the API for a person. */
export function time(iso) {
  if (iso === null) return null;
  const element = document.createElement('time');
  element.dateTime = iso;
  element.textContent = new Date(iso).toLocaleString(currentLanguage(), {
    dateStyle: 'short',
    timeStyle: 'medium',
  });
  return element;
}
