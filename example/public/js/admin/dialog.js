import { button, el, field } from './dom.js';
import { say } from './say.js';

const dialog = document.getElementById('dialog');

/** Asks before something is done; with `word` it has to be typed. Resolves to whether to go on. */
export function ask({ title, text, action, word }) {
  const typed = el('input', { autocomplete: 'off', spellcheck: 'false', required: true });
  const go = el(
    'button',
    { type: 'submit', class: 'button danger solid', disabled: word !== undefined },
    action,
  );
  typed.addEventListener('input', () => (go.disabled = typed.value.trim() !== word));
  return open(title, [
    el('p', {}, text),
    word === undefined ? null : field(say('typeToGoOn', { word }), typed),
    el(
      'div',
      { class: 'row' },
      button(say('cancel'), 'quiet', () => dialog.close()),
      go,
    ),
  ]);
}

/** Shows something that is to be read. */
export const tell = (title, ...children) =>
  open(title, [
    ...children,
    el('div', { class: 'row' }, el('button', { type: 'submit', class: 'button quiet' }, say('close'))),
  ]);

function open(title, children) {
  const { promise, resolve } = deferred();
  const submit = (event) => {
    event.preventDefault();
    dialog.close('yes');
  };
  const form = el('form', { on: { submit } }, el('h2', { id: 'dialog-title' }, title), ...children);
  dialog.replaceChildren(form);
  dialog.returnValue = '';
  dialog.addEventListener('close', () => resolve(dialog.returnValue === 'yes'), { once: true });
  dialog.showModal();
  return promise.finally(() => dialog.replaceChildren());
}

function deferred() {
  const parts = {};
  parts.promise = new Promise((resolve) => (parts.resolve = resolve));
  return parts;
}
