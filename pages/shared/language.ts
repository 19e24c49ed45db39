import { computed, ref, watchEffect } from 'vue';
import { settings } from './settings';

export const languages = ['zh-CN', 'en'] as const;
export type Language = (typeof languages)[number];

const STORED = 'iam-language';
const isLanguage = (text: unknown): text is Language => languages.some((each) => each === text);

/** The person's choice, else the first language of the browser that we have, else Chinese. */
function initial(): Language {
  const chosen = localStorage.getItem(STORED);
  if (isLanguage(chosen)) return chosen;
  const known = navigator.languages.find((tag) => /^(zh|en)\b/i.test(tag));
  return known !== undefined && /^en\b/i.test(known) ? 'en' : 'zh-CN';
}

/** The language of the page; texts follow it at once. */
export const language = ref<Language>(initial());

watchEffect(() => {
  document.documentElement.lang = language.value;
});

/** Changes the language, also for the next visit. */
export function chooseLanguage(chosen: Language): void {
  language.value = chosen;
  localStorage.setItem(STORED, chosen);
}

export const siteName = computed(() => settings.siteName[language.value]);

type Values = Readonly<Record<string, string | number>>;

/** A word in both languages: Chinese, English. `{name}` is filled in. */
export type Word = readonly [zh: string, en: string];

/** The words of one component: `const say = words({ save: ['保存', 'Save'] })`, then `say('save')`. */
export function words<Key extends string>(entries: Readonly<Record<Key, Word>>) {
  return (key: Key, values: Values = {}): string => fill(entries[key], values);
}

/** Words for codes of the API, which may be newer than this page: an unknown code is shown as it is. */
export function codeWords(entries: Readonly<Record<string, Word>>) {
  return (code: string): string => {
    const word = Object.hasOwn(entries, code) ? entries[code] : undefined;
    return word === undefined ? code : fill(word, {});
  };
}

function fill([zh, en]: Word, values: Values): string {
  const text = language.value === 'en' ? en : zh;
  return text.replace(/\{(\w+)\}/g, (whole, name: string) => String(values[name] ?? whole));
}
