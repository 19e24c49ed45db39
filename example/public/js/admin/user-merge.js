import { call, path } from './api.js';
import { ask } from './dialog.js';
import { card, el, field, hashOf } from './dom.js';
import { act } from './messages.js';
import { go, reload } from './navigation.js';
import { say } from './say.js';

const uuid = '[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}';

/** Two users who are one person: the older stays. */
export function mergeCard(user) {
  const other = el('input', { name: 'other', required: true, pattern: uuid, autocomplete: 'off' });
  const submit = (event) => {
    event.preventDefault();
    void act(() => merge(user, other.value.trim()), say('merged'));
  };
  return card(
    say('merge'),
    el(
      'form',
      { class: 'inline', on: { submit } },
      field(say('otherUser'), other, say('mergeHelp')),
      el('button', { type: 'submit', class: 'button quiet danger' }, say('merge')),
    ),
  );
}

async function merge(user, otherId) {
  const { body: other } = await call('GET', path('users', otherId));
  const [one, two] = [user, other].map(
    ({ nickname, id }) => `${nickname ?? say('nameless')} (${id.slice(-8)})`,
  );
  const question = { title: say('merge'), text: say('mergeText', { one, two }), action: say('merge') };
  if (!(await ask({ ...question, word: otherId.slice(-6) }))) return false;
  const { body } = await call('POST', path('users', user.id, 'merge'), { body: { other: otherId } });
  await (body.id === user.id ? reload() : go(hashOf(['users', body.id])));
}
