import { describeAgent } from './describe-agent.js';
import { el, link, tag } from './dom.js';
import { named, say, time } from './say.js';

const kinds = {
  active: 'good',
  disabled: 'bad',
  dead: 'bad',
  failed: 'bad',
  denied: 'bad',
  done: 'good',
  consumed: 'good',
  signing: 'good',
  live: 'good',
};

/** A state as a coloured label. */
export const state = (code) => tag(named('status', code), kinds[code] ?? 'quiet');

/** Columns that several lists have, by the member of the item that they show. */
export const column = {
  time: (member, label) => ({ label, cell: (item) => time(item[member]) }),
  text: (member, label) => ({ label, cell: (item) => item[member] }),
  code: (member, label) => ({ label, cell: (item) => item[member] && el('code', {}, item[member]) }),
  user: (member = 'user_id') => ({
    label: say('user'),
    cell: (item) => item[member] && link(item[member].slice(-8), 'users', item[member]),
  }),
  place: () => ({
    label: say('place'),
    cell: ({ ip, user_agent: agent }) =>
      [ip, agent && el('span', { class: 'soft', title: agent }, describeAgent(agent))].map(
        (part) => part && el('div', {}, part),
      ),
  }),
};
