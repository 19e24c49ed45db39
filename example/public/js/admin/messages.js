import { Problem } from './api.js';
import { el } from './dom.js';
import { reload } from './navigation.js';
import { say } from './say.js';

const done = document.getElementById('done');
const failure = document.getElementById('failure');

/** Says what has been done, for eyes and screen readers. */
export function announce(message) {
  failure.replaceChildren();
  done.textContent = message;
}

/** Takes back what was said of the view before. */
export function hush() {
  done.textContent = '';
  failure.replaceChildren();
}

/** Shows why something was not done, where the eye is. */
export function complain(error) {
  done.textContent = '';
  failure.replaceChildren(problemPanel(error));
  failure.scrollIntoView({ block: 'nearest' });
}

/** Does what a button is for: says that it is done, or why not. `false` means that the person changed their mind. */
export async function act(work, message) {
  hush();
  try {
    if ((await work()) === false) return;
    announce(message);
  } catch (error) {
    if (error.status === 401) await reload();
    complain(error);
  }
}

/** As `act`, and shows the view anew. */
export const change = (work, message) =>
  act(async () => {
    if ((await work()) === false) return false;
    await reload();
  }, message);

/** A refusal in words, with what leads to the log. */
export function problemPanel(error) {
  if (!(error instanceof Problem)) console.error(error);
  const { status, body = {}, permission } = error;
  const lines = [
    status === 403 ? say('needsPermission', { permission }) : null,
    body.secret ? say('unfinishedRotation', { secret: body.secret }) : null,
    body.used_by ? say('usedBy', { tables: body.used_by }) : null,
    status === 403 ? say('getPermission') : null,
  ];
  return el(
    'div',
    { class: 'problem', 'data-code': body.code ?? 'offline' },
    el('strong', {}, body.title ?? say(status === 0 ? 'offline' : 'broken')),
    ...lines.map((line) => line && el('p', {}, line)),
    body.code
      ? el('p', { class: 'code' }, el('code', {}, [body.code, body.correlation_id].join(' · ')))
      : null,
  );
}
