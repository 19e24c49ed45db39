import type { Person, WechatEmulator } from '../../emulator/index.js';
import { callMe } from './account.js';
import { AdminClient } from './admin.js';
import { redirectUri } from './iam-app.js';
import { fieldOf, PcBrowser, type Reply } from './pc-browser.js';
import { onPc } from './signed-in.js';
import { redeem, returnFromPc, type PcSignIn } from './sign-in.js';

/** What the applications ask for unless told. */
export const offline = 'openid profile offline_access';

/** The page that asks for consent, as the browser is led to it. */
export async function openConsent({ browser, returned }: PcSignIn): Promise<Reply> {
  if (returned.location === null) throw new Error(`the callback answered ${returned.status}`);
  return browser.visit(returned.location);
}

/** Presses a button of the page. */
export function decide(
  { browser, returned }: { readonly browser: PcBrowser; readonly returned: Pick<Reply, 'location'> },
  page: Pick<Reply, 'text'>,
  decision: 'confirm' | 'deny',
  from = returned.location?.origin ?? '',
): Promise<Reply> {
  const form = { login: fieldOf(page.text, 'login'), csrf: fieldOf(page.text, 'csrf'), decision };
  return browser.visit(new URL('/iam/consent', returned.location ?? ''), { form, from });
}

/** Applications of third parties at a host whose admin API takes `adminToken`. */
export class ThirdParties {
  private registered = 0;

  constructor(
    private readonly world: { readonly url: string; readonly wechat: WechatEmulator },
    private readonly admin = new AdminClient(world.url),
  ) {}

  /** Its `client_id`. */
  async register(members: Readonly<Record<string, unknown>> = {}): Promise<string> {
    this.registered += 1;
    const id = `partner-${this.registered}`;
    const row = { id, first_party: false, redirect_uris: [redirectUri(this.world.url)], ...members };
    const reply = await this.admin.post('clients', row);
    if (reply.status !== 201) throw new Error(reply.text);
    return id;
  }

  /** A sign-in on a PC, with no scope for null, up to the page of consent, or to the application where nothing is asked. */
  come(client_id: string, person: Person, scope: string | null = offline): Promise<PcSignIn> {
    return returnFromPc(this.world, person, { client_id, scope: scope ?? undefined });
  }

  /** As `come`, and whatever is asked is agreed to. */
  async agree(client_id: string, person: Person, scope: string | null = offline): Promise<PcSignIn> {
    const signIn = await this.come(client_id, person, scope);
    if (signIn.returned.location?.pathname !== '/iam/consent') return signIn;
    const returned = await decide(signIn, await openConsent(signIn), 'confirm');
    return { ...signIn, returned };
  }

  tokens(client_id: string, signIn: PcSignIn): Promise<Reply> {
    return redeem(this.world.url, signIn, { client_id });
  }

  refresh(client_id: string, token: unknown, scope?: string): Promise<Reply> {
    const asked = scope === undefined ? {} : { scope };
    const form = { grant_type: 'refresh_token', client_id, refresh_token: String(token), ...asked };
    return new PcBrowser().visit(`${this.world.url}/iam/token`, { form });
  }
}

/** Somebody declines what an application asks for, agrees to it, and withdraws. */
export async function letPartnerIn(
  world: { readonly url: string; readonly wechat: WechatEmulator },
  person: Person,
  admin: AdminClient,
): Promise<void> {
  const parties = new ThirdParties(world, admin);
  const id = await parties.register();
  for (const decision of ['deny', 'confirm'] as const) {
    const signIn = await parties.come(id, person, null);
    await decide(signIn, await openConsent(signIn), decision);
  }
  await callMe(world, await onPc(world, person), `/consents/${id}`, { method: 'DELETE' });
}
