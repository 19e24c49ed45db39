import type { Person } from '../../emulator/index.js';
import { codesOf, openFollowPage, startOnPage } from './follow-page.js';
import { startWorld, type IamAppOptions, type World } from './iam-app.js';
import { fieldOf, type PcBrowser } from './pc-browser.js';

/** A page of the phone's web view. */
type PhonePage = Awaited<ReturnType<Person['openInWechat']>>;

/** A `World` whose row has QR codes that open a page of ours; nobody pushes anything. */
export function startPageWorld(settings: Partial<IamAppOptions> = {}): Promise<World> {
  return startWorld({ ...settings, provider: { qr_enabled: true, qr_with: 'page' } });
}

/** The PC's page and its QR code, by the method that the row recommends. */
export async function showPageCode(base: string, browser?: PcBrowser) {
  const page = await openFollowPage(base, { method: undefined }, browser);
  const started = (await startOnPage(page)).json();
  return { page, started, ...codesOf({ json: () => started }) };
}

/** Scans in WeChat and goes as far as WeChat lets the phone: to the question, or to why there is none. */
export async function scanPageCode(person: Person, qr: string): Promise<PhonePage> {
  const scanned = await person.scan(qr);
  if (scanned.kind !== 'page') throw new Error(`the QR code is no page: ${scanned.kind}`);
  const goOn = /<a class="button yes" href="([^"]+)"/.exec(scanned.page.body)?.[1];
  const page =
    goOn === undefined
      ? scanned.page
      : await person.openInWechat(new URL(goOn.replaceAll('&#38;', '&'), scanned.page.url).href);
  return person.phone.asks ? person.confirm() : page;
}

/** Presses a button of the question. */
export function answerQuestion(
  person: Person,
  page: PhonePage,
  decision: 'confirm' | 'deny',
  fields: Readonly<Record<string, string>> = {},
): Promise<PhonePage> {
  const action = new URL(/<form method="post" action="([^"]+)"/.exec(page.body)?.[1] ?? '', page.url).href;
  return person.post(action, {
    login: fieldOf(page.body, 'login'),
    csrf: fieldOf(page.body, 'csrf'),
    decision,
    ...fields,
  });
}
