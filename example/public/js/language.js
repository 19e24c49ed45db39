import { texts } from './texts.js';

const remembered = localStorage.getItem('language');
let language = texts[remembered] ? remembered : navigator.language.startsWith('zh') ? 'zh-CN' : 'en';
const listeners = [];

/** The language of the page: `zh-CN` or `en`. */
export const currentLanguage = () => language;

/** A text in the language of the page, with `{name}` filled in. */
export const text = (key, values = {}) =>
  texts[language][key].replace(/\{(\w+)\}/g, (_, name) => values[name]);

/** A failed sign-in in plain words. What an URL says of itself is never shown: anybody can write a link. */
export const errorText = (code) => texts[language].errors[code] ?? texts[language].errors.other;

/** Fills the page's texts, now and whenever the language changes; `then` does the rest. */
export function speak(then) {
  listeners.push(then);
  document.getElementById('language').addEventListener('click', () => {
    language = language === 'en' ? 'zh-CN' : 'en';
    localStorage.setItem('language', language);
    render();
  });
  render();
}

function render() {
  document.documentElement.lang = language;
  for (const element of document.querySelectorAll('[data-text]'))
    element.textContent = text(element.dataset.text);
  const button = document.getElementById('language');
  button.textContent = text('otherLanguage');
  button.lang = language === 'en' ? 'zh-CN' : 'en';
  for (const then of listeners) then();
}
