import { speak } from '../language.js';
import { finishSignIn, OAuthError } from '../oauth.js';
import { accessView } from './access.js';
import { auditView } from './audit.js';
import { forgetAdminToken, isSignedIn } from './credentials.js';
import { el, hashOf } from './dom.js';
import { eventsView } from './events.js';
import { keysView } from './keys.js';
import { loginsView } from './logins.js';
import { hush, problemPanel } from './messages.js';
import { currentRoute, reload, startNavigation } from './navigation.js';
import { providersView } from './providers.js';
import { rolesView } from './roles.js';
import { say } from './say.js';
import { sessionsView } from './sessions.js';
import { usersView } from './users.js';

const views = {
  providers: providersView,
  users: usersView,
  roles: rolesView,
  sessions: sessionsView,
  logins: loginsView,
  audit: auditView,
  events: eventsView,
  keys: keysView,
  access: accessView,
};
const [view, sections, main] = ['view', 'sections', 'main'].map((id) => document.getElementById(id));

/** Counts what was asked for, so that an answer that comes late does not replace a newer view. */
let asked = 0;
let failedSignIn = null;

void begin();

async function begin() {
  await finishSignIn().catch((error) => (failedSignIn = error instanceof OAuthError ? error.code : 'other'));
  startNavigation(show);
  speak(() => void reload());
}

async function show({ isNew }) {
  const mine = ++asked;
  const { segments } = currentRoute();
  const name = isSignedIn() && segments[0] in views ? segments[0] : isSignedIn() ? 'providers' : 'access';
  document.title = `${say(name)} · ${say('administration')}`;
  showSections(name);
  view.ariaBusy = 'true';
  if (isNew) hush();
  const shown = await render(views[name], segments.slice(1));
  if (mine !== asked) return;
  sections.hidden = !isSignedIn();
  const hadFocus = view.contains(document.activeElement);
  view.replaceChildren(el('h1', {}, say(name)), ...shown.filter((part) => part !== null));
  view.ariaBusy = 'false';
  if (isNew || hadFocus) main.focus({ preventScroll: !isNew });
}

async function render(build, segments) {
  try {
    return await build(segments, { failedSignIn });
  } catch (error) {
    if (error.status !== 401) return [problemPanel(error)];
    forgetAdminToken();
    return [problemPanel(error), ...(await accessView([], {}))];
  }
}

function showSections(current) {
  sections.hidden = !isSignedIn();
  sections.ariaLabel = say('administration');
  const links = Object.keys(views).map((name) =>
    el('a', { href: hashOf([name]), 'aria-current': name === current ? 'page' : undefined }, say(name)),
  );
  sections.replaceChildren(...links);
  sections.querySelector('[aria-current]').scrollIntoView({ block: 'nearest', inline: 'center' });
}
