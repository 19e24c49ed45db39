import { call, path } from './api.js';
import { state } from './columns.js';
import { button, card, el, facts, hashOf, link } from './dom.js';
import { listView } from './list.js';
import { sessionColumns } from './sessions.js';
import { named, say, time } from './say.js';
import { disable, enable, endSessions, erase, unlink } from './user-actions.js';
import { mergeCard } from './user-merge.js';
import { rolesCard } from './user-roles.js';

/** One person: who they are, how they sign in, what they may do, where they are signed in. */
export async function userView(id) {
  const { body: user, etag } = await call('GET', path('users', id));
  const sessions = await listView({ path: 'sessions', columns: sessionColumns(), fixed: { user: id } }).catch(
    () => [el('p', { class: 'hint' }, say('sessionsHidden'))],
  );
  return [
    el('p', {}, link(`← ${say('users')}`, 'users')),
    profile(user),
    user.status === 'merged' ? null : await rolesCard(user),
    card(say('identities'), identities(user)),
    card(say('sessions'), ...sessions.filter((part) => part !== null)),
    user.status === 'merged' ? null : mergeCard(user),
    user.status === 'merged' ? null : actions(user, etag),
  ];
}

function profile(user) {
  const { merged_into: target } = user;
  return card(
    user.nickname ?? say('nameless'),
    facts([
      [say('userId'), el('code', {}, user.id)],
      [say('externalId'), user.external_id],
      [say('state'), state(user.status)],
      [say('mergedInto'), target && link(target, 'users', target)],
      [say('phone'), user.phone_number],
      [say('created'), time(user.created_at)],
      [say('deletionAt'), time(user.deletion_at)],
      [say('liveSessions'), String(user.live_sessions)],
    ]),
    el('p', {}, el('a', { href: hashOf(['audit'], { user: user.id }) }, say('auditOfUser'))),
  );
}

function identities(user) {
  if (user.identities.length === 0) return el('p', { class: 'hint' }, say('nothing'));
  return el(
    'ul',
    { class: 'blocks' },
    ...user.identities.map((identity) =>
      el(
        'li',
        {},
        el('strong', {}, `${named('kind', identity.kind)} · ${identity.provider}`),
        facts([
          ['appid', el('code', {}, identity.appid)],
          ['openid', el('code', {}, identity.openid)],
          ['unionid', identity.unionid && el('code', {}, identity.unionid)],
          [say('follows'), identity.follows === null ? null : say(identity.follows ? 'yes' : 'no')],
          [say('linked'), time(identity.linked_at)],
        ]),
        button(say('unlink'), 'small danger', () => unlink(user, identity)),
      ),
    ),
  );
}

const actions = (user, etag) =>
  card(
    say('actions'),
    el(
      'div',
      { class: 'row' },
      user.status === 'disabled'
        ? button(say('enable'), 'quiet', () => enable(user))
        : button(say('disable'), 'quiet danger', () => disable(user)),
      button(say('endSessions'), 'quiet danger', () => endSessions(user)),
      button(say('erase'), 'quiet danger', () => erase(user, etag)),
    ),
  );
