import { call, path } from './api.js';
import { column, state } from './columns.js';
import { ask } from './dialog.js';
import { button, card, el, facts, link, tag } from './dom.js';
import { listView } from './list.js';
import { change } from './messages.js';
import { named, say, time } from './say.js';

const states = ['pending', 'processing', 'done', 'dead'];

/** What WeChat has pushed, and what became of it. */
export const eventsView = ([id]) => (id === undefined ? inbox() : one(id));

async function inbox() {
  const { body } = await call('GET', 'events/summary');
  const list = await listView({
    path: 'events',
    filters: [
      { name: 'status', label: say('state'), options: states.map((code) => [code, named('status', code)]) },
      { name: 'provider', label: say('provider') },
      { name: 'event', label: say('event') },
      { name: 'openid', label: 'openid' },
    ],
    columns: [
      { label: say('when'), cell: (item) => link(time(item.received_at), 'events', item.id) },
      column.text('event', say('event')),
      { label: say('state'), cell: ({ status }) => state(status) },
      column.text('provider', say('provider')),
      column.code('openid', 'openid'),
      column.text('attempts', say('attempts')),
      column.text('last_error', say('error')),
      { label: say('actions'), cell: (item) => replayButton(item, 'small') },
    ],
  });
  const counts = states.map((code) => tag(`${named('status', code)} ${body.counts[code]}`));
  const waits = body.counts.pending + body.counts.processing > 0;
  const oldest = waits ? body.oldest_unprocessed_seconds : null;
  return [
    el('p', { class: 'tags-line' }, ...counts),
    oldest === null ? null : el('p', { class: 'hint' }, say('oldestEvent', { seconds: oldest })),
    ...list,
  ];
}

async function one(id) {
  const { body: event } = await call('GET', path('events', id));
  return [
    el('p', {}, link(`← ${say('events')}`, 'events')),
    card(
      event.event,
      facts([
        [say('state'), state(event.status)],
        [say('provider'), event.provider],
        ['openid', event.openid],
        [say('received'), time(event.received_at)],
        [say('attempts'), String(event.attempts)],
        [say('nextAttempt'), time(event.next_attempt_at)],
        [say('error'), event.last_error],
      ]),
      replayButton(event, 'quiet'),
    ),
    card(say('message'), el('pre', { tabindex: '0' }, JSON.stringify(event.message, null, 2))),
    event.result === null
      ? null
      : card(say('result'), el('pre', { tabindex: '0' }, JSON.stringify(event.result, null, 2))),
  ];
}

/** An event that was worked off needs `force`: its handlers run again. */
function replayButton({ id, status }, kind) {
  if (status !== 'dead' && status !== 'done') return null;
  const isDone = status === 'done';
  return button(say('replay'), kind, () =>
    change(async () => {
      const question = { title: say('replay'), text: say('replayDoneText'), action: say('replay') };
      if (isDone && !(await ask(question))) return false;
      await call('POST', `${path('events', id)}/replay`, { body: isDone ? { force: true } : {} });
    }, say('replayed')),
  );
}
