import { call, path } from './api.js';
import { button, card, el } from './dom.js';
import { act } from './messages.js';
import { say } from './say.js';

const areas = ['row', 'server', 'open', 'mp', 'mini', 'mobile'];
const marks = { ok: '✓', warning: '!', error: '✕', unknown: '?' };
/** What needs a hand comes first. */
const urgency = ['error', 'warning', 'unknown', 'ok'];

/** Runs the check of a provider and shows what it finds, and where to mend it. */
export function checkCard(slug) {
  const result = el('div', { id: 'check', role: 'status' });
  const run = () =>
    act(async () => {
      result.replaceChildren(el('p', { class: 'hint' }, say('checking')));
      const { body } = await call('POST', path('providers', slug, 'check')).catch((error) => {
        result.replaceChildren();
        throw error;
      });
      result.replaceChildren(...findings(body));
    }, '');
  return card(
    say('check'),
    el('p', { class: 'hint' }, say('checkHint')),
    button(say('runCheck'), 'quiet', run),
    result,
  );
}

function findings({ ok, items }) {
  const counts = urgency.map((status) => [status, items.filter((item) => item.status === status).length]);
  const summary = counts
    .filter(([, count]) => count > 0)
    .map(([status, count]) => say(`check_${status}`, { count }));
  return [
    el(
      'p',
      { class: ok ? 'verdict good' : 'verdict bad' },
      `${say(ok ? 'checkOk' : 'checkBad')} ${summary.join(' · ')}`,
    ),
    ...areas.flatMap((area) => {
      const own = items.filter((item) => item.area === area);
      if (own.length === 0) return [];
      own.sort((a, b) => urgency.indexOf(a.status) - urgency.indexOf(b.status));
      return [el('h4', {}, say(`area_${area}`)), el('ul', { class: 'findings' }, ...own.map(finding))];
    }),
  ];
}

const finding = ({ id, status, title, detail, remedy, where }) =>
  el(
    'li',
    { class: status, 'data-item': id, 'data-status': status },
    el(
      'span',
      { class: 'mark-of', role: 'img', 'aria-label': say(`check_one_${status}`) },
      marks[status] ?? '·',
    ),
    el(
      'div',
      {},
      el('strong', {}, title),
      el('p', {}, detail),
      remedy === null ? null : el('p', {}, el('b', {}, `${say('remedy')} `), remedy),
      where === null ? null : el('p', { class: 'where' }, el('b', {}, `${say('where')} `), where),
    ),
  );
