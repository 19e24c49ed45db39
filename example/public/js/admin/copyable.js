import { button, el } from './dom.js';
import { say } from './say.js';

/** A value with a button that copies it. */
export function copyable(value) {
  const press = button(say('copy'), 'small', async () => {
    await navigator.clipboard.writeText(value).catch(() => undefined);
    press.textContent = say('copied');
  });
  press.setAttribute('aria-label', `${say('copy')}: ${value}`);
  return el('span', { class: 'copyable' }, el('code', {}, value), press);
}
