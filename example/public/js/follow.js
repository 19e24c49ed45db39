import { errorText, text } from './language.js';
import { authorizeDevice, continueUrl, OAuthError, pollDevice } from './oauth.js';

const element = (id) => document.getElementById(`follow-${id}`);
const panel = document.getElementById('follow');
const [qr, wait, mark, status, number, again] = ['qr', 'wait', 'mark', 'status', 'number', 'again'].map(
  element,
);
/** States that nothing follows: only a new QR code helps. */
const endings = ['denied', 'expired', 'limited', 'failed'];
const waiting = ['authorization_pending', 'slow_down'];
const stateOfError = { access_denied: 'denied', expired_token: 'expired', rate_limited: 'limited' };

/** The QR code on the screen: `{ provider, device, state, problem, isLost, interval, timer, events }`; null when closed. */
let current = null;

again.addEventListener('click', () => openFollow(current.provider));

/** Asks for a QR code, shows it and what becomes of it, and ends in the signed-in page. */
export async function openFollow(provider) {
  stop();
  const attempt = { provider, device: null, state: 'loading', problem: null, isLost: false };
  current = attempt;
  show();
  try {
    const device = await authorizeDevice(provider);
    if (current !== attempt) return;
    Object.assign(attempt, { device, state: 'pending', interval: device.interval });
    listen(attempt);
    schedule(attempt);
    show();
  } catch (error) {
    fail(attempt, error);
  }
}

/** Hides the QR code and forgets it. */
export function closeFollow() {
  stop();
  current = null;
  panel.hidden = true;
}

function stop() {
  clearTimeout(current?.timer);
  current?.events?.close();
}

/** Server-sent events are quicker than polls; without them the polls are enough. */
function listen(attempt) {
  attempt.events = new EventSource(attempt.device.events_uri);
  for (const state of ['scanned', 'confirmed', 'denied', 'expired', 'failed'])
    attempt.events.addEventListener(state, () => enter(attempt, state));
}

function enter(attempt, state) {
  if (attempt !== current || endings.includes(attempt.state)) return;
  Object.assign(attempt, { state, isLost: false });
  if (endings.includes(state)) stop();
  if (state === 'confirmed') void poll(attempt);
  show();
}

function schedule(attempt) {
  clearTimeout(attempt.timer);
  const seconds = attempt.state === 'confirmed' ? 1 : attempt.interval;
  attempt.timer = setTimeout(() => poll(attempt), seconds * 1_000);
}

async function poll(attempt) {
  if (attempt !== current || attempt.isPolling) return;
  attempt.isPolling = true;
  try {
    await pollDevice(attempt.device.device_code);
    stop();
    location.assign('/signed-in');
  } catch (error) {
    if (attempt === current) await answer(attempt, error);
  } finally {
    attempt.isPolling = false;
  }
}

async function answer(attempt, error) {
  const isLost = !(error instanceof OAuthError);
  if (isLost || waiting.includes(error.code)) {
    if (error.code === 'slow_down') attempt.interval += 5;
    attempt.isLost = isLost;
    schedule(attempt);
    return show();
  }
  if (error.code === 'binding_required') return location.assign('/members');
  if (error.code === 'interaction_required') return goOn(attempt, error.answer.authorize_uri);
  fail(attempt, error);
}

/** The row asks for the Open Platform's QR code after the follow. */
async function goOn(attempt, authorizeUri) {
  stop();
  attempt.state = 'open';
  show();
  location.assign(await continueUrl(authorizeUri));
}

function fail(attempt, error) {
  if (attempt !== current) return;
  stop();
  attempt.state = stateOfError[error.code] ?? 'failed';
  attempt.problem = error instanceof OAuthError ? error.code : 'temporarily_unavailable';
  show();
}

function show() {
  if (current === null) return;
  const { device, state } = current;
  const isOver = endings.includes(state);
  const isScanned = state === 'scanned' && device.confirmation !== 'none';
  panel.hidden = false;
  panel.dataset.state = state;
  qr.hidden = device === null;
  qr.alt = text('followQr');
  if (device !== null) qr.src = device.qr_image;
  wait.hidden = state !== 'loading';
  mark.hidden = ['loading', 'pending'].includes(state);
  mark.textContent = isOver ? '!' : '✓';
  status.textContent = statusText();
  number.hidden = !isScanned;
  number.textContent = isScanned ? (device.confirmation === 'number' ? device.number : device.user_code) : '';
  again.hidden = !isOver;
}

function statusText() {
  const { device, state, problem, isLost } = current;
  if (isLost) return text('follow_lost');
  if (state === 'failed') return errorText(problem);
  if (state === 'scanned')
    return text(`follow_scanned_${device.confirmation === 'number' ? 'number' : 'tap'}`);
  return text(`follow_${state}`);
}
