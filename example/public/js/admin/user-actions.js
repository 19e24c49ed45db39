import { call, path } from './api.js';
import { ask } from './dialog.js';
import { act, change } from './messages.js';
import { go } from './navigation.js';
import { say } from './say.js';

const nameOf = ({ nickname }) => nickname ?? say('nameless');

/** Shuts a user out; their sessions end with it. */
export const disable = (user) =>
  change(async () => {
    const question = { title: say('disable'), action: say('disable') };
    if (!(await ask({ ...question, text: say('disableText', { name: nameOf(user) }) }))) return false;
    await call('POST', path('users', user.id, 'disable'), { body: {} });
  }, say('disabled'));

/** Lets a user in again. */
export const enable = (user) =>
  change(() => call('POST', path('users', user.id, 'enable'), { body: {} }), say('enabled'));

/** Signs a user out everywhere. */
export const endSessions = (user) =>
  change(async () => {
    const question = { title: say('endSessions'), action: say('endSessions') };
    if (!(await ask({ ...question, text: say('endSessionsText', { name: nameOf(user) }) }))) return false;
    await call('DELETE', path('users', user.id, 'sessions'));
  }, say('sessionsEnded'));

/** Takes an identity from a user; the last one only when that was understood. */
export const unlink = (user, { id, kind }) =>
  change(async () => {
    const isLast = user.identities.length === 1;
    const text = say(isLast ? 'unlinkLastText' : 'unlinkText', { name: nameOf(user), kind });
    if (!(await ask({ title: say('unlink'), text, action: say('unlink') }))) return false;
    const query = isLast ? { force: 'true' } : {};
    await call('DELETE', path('users', user.id, 'identities', id), { query });
  }, say('unlinked'));

/** Erases a user and all that is held about them; the end of their id has to be typed. */
export const erase = (user, etag) =>
  act(async () => {
    const question = { title: say('erase'), action: say('erase'), word: user.id.slice(-6) };
    if (!(await ask({ ...question, text: say('eraseText', { name: nameOf(user) }) }))) return false;
    await call('DELETE', path('users', user.id), { etag });
    await go('#/users');
  }, say('erased'));
