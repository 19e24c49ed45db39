import { text } from '../http/answers.js';
import type { Answer, Incoming } from '../http/exchange.js';
import type { QrLogin, QrLoginStatus } from '../world/qr-logins.js';
import type { World } from '../world/world.js';

/** What the PC page's long poll says (protocol A.4). */
const errcodes: Record<QrLoginStatus, number> = {
  waiting: 408,
  scanned: 404,
  denied: 403,
  expired: 402,
  confirmed: 405,
};

/** Hangs until the phone does something that the page does not know yet, or the poll's time is over. */
export async function waitForPhone(world: World, incoming: Incoming): Promise<Answer> {
  const uuid = incoming.query.get('uuid') ?? '';
  const last = Number(incoming.query.get('last') ?? 408);
  const deadline = Date.now() + world.rules.longPoll;
  let login = world.qrLogins.find(uuid);
  if (login) world.qrLogins.see(login);
  while (login && errcodes[login.status] === last && Date.now() < deadline && !incoming.signal.aborted) {
    await nextChange(world, login, deadline, incoming.signal);
    login = world.qrLogins.find(uuid);
  }
  if (!login) return script(402, '');
  const errcode = errcodes[login.status];
  return script(errcode === last ? 408 : errcode, login.code ?? '');
}

function script(errcode: number, code: string): Answer {
  return text(`window.wx_errcode=${errcode};window.wx_code='${code}';`, 'text/javascript; charset=utf-8');
}

async function nextChange(
  world: World,
  login: QrLogin,
  deadline: number,
  signal: AbortSignal,
): Promise<void> {
  const wait = Math.min(deadline - Date.now(), Math.max(login.expiresAt - world.clock.now(), 1));
  await new Promise<void>((resolve) => {
    const done = (): void => {
      stopListening();
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    };
    const stopListening = world.qrLogins.onChange(login.uuid, done);
    const timer = setTimeout(done, wait);
    signal.addEventListener('abort', done);
  });
}
