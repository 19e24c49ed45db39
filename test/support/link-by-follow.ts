import type { Person } from '../../emulator/index.js';
import { callMe } from './account.js';
import { decideOnPhone, scanAndFollow } from './follow.js';
import { codesOf, openLinkPage, startOnPage, type FollowPage } from './follow-page.js';
import { redirectUri, type World } from './iam-app.js';
import { PcBrowser } from './pc-browser.js';
import { rowsOf, valueOf } from './rows.js';
import { inWechat, type SignedIn } from './signed-in.js';

/** The parameters that a browser returned with. */
export const returned = ({ searchParams }: URL): Record<string, string> => Object.fromEntries(searchParams);

/** What a test does with a world: start to link by following, and look at what became of it. */
export function linksIn(world: () => World) {
  const start = (user: SignedIn, browser: PcBrowser, changes: Readonly<Record<string, unknown>> = {}) =>
    callMe(world(), user, '/identities/authorize', {
      method: 'POST',
      browser,
      body: { provider: 'wechat', redirect_uri: redirectUri(world().url), state: 'mine', ...changes },
    });
  async function openPage(user: SignedIn, browser = new PcBrowser()): Promise<FollowPage> {
    return openLinkPage(world().url, browser, await start(user, browser));
  }
  async function showCode(user: SignedIn) {
    const page = await openPage(user);
    const started = await startOnPage(page);
    const { number: userCode, confirmation } = started.json();
    return { page, userCode: String(userCode), confirmation, ...codesOf(started) };
  }
  /** Somebody has scanned the page's code, followed and confirmed. */
  async function confirmed(user: SignedIn, by: Person) {
    const shown = await showCode(user);
    await scanAndFollow(world(), by, shown.qr);
    await decideOnPhone(world(), by, 'confirm');
    return shown;
  }
  return {
    start,
    openPage,
    showCode,
    confirmed,
    person: (nickname: string) => world().wechat.person({ nickname }),
    newUser: (nickname: string) => inWechat(world(), world().wechat.person({ nickname })),
    ownerOf: (other: Person) =>
      valueOf(world().dataSource, 'SELECT user_id FROM iam.identities WHERE openid = $1', [
        other.openid(world().oa),
      ]),
    audited: (userId: string, action: string) =>
      rowsOf(
        world().dataSource,
        'SELECT actor, session_id, detail FROM iam.audit_log WHERE action = $1 AND user_id = $2',
        [action, userId],
      ),
  };
}
