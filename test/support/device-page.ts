import type { Person } from '../../emulator/index.js';
import { decideOnPhone, scanAndFollow } from './follow.js';
import { codesOf, leavePage, startOnPage } from './follow-page.js';
import type { World } from './iam-app.js';
import { fieldOf, PcBrowser, type Reply, userAgents } from './pc-browser.js';

const english = { 'accept-language': 'en' };

/** A browser on the page for the code of a device. */
export class Visitor {
  readonly browser: PcBrowser;
  page = '';

  constructor(
    private readonly world: World,
    agent: string = userAgents.pc,
    private readonly base = world.url,
  ) {
    this.browser = new PcBrowser(agent);
  }

  async type(code: string): Promise<Reply> {
    const form = { user_code: code };
    return this.follow(
      await this.browser.visit(`${this.base}/iam/device`, { form, from: this.world.url, headers: english }),
    );
  }

  /** Signs in by the module's page, which shows a QR code of its own. */
  async signIn(person: Person): Promise<Reply> {
    const link = /class="button yes" href="([^"]+)"/.exec(this.page)?.[1] ?? '';
    const reply = await this.browser.visit(`${this.base}${link}`, { headers: english });
    const state = /data-attempt="([^"]+)"/.exec(reply.text)?.[1] ?? '';
    const page = { base: this.base, browser: this.browser, reply, verifier: '', state };
    const { deviceCode, qr } = codesOf(await startOnPage(page));
    await scanAndFollow(this.world, person, qr);
    await decideOnPhone(this.world, person, 'confirm');
    return this.follow(await this.browser.visit(await leavePage(page, deviceCode), { headers: english }));
  }

  async decide(decision: 'confirm' | 'deny', html = this.page): Promise<Reply> {
    const form = { device: fieldOf(html, 'device'), csrf: fieldOf(html, 'csrf'), decision };
    return this.follow(
      await this.browser.visit(`${this.base}/iam/device/decision`, {
        form,
        from: this.world.url,
        headers: english,
      }),
    );
  }

  async follow(reply: Reply): Promise<Reply> {
    if (reply.location === null) {
      this.page = reply.text;
      return reply;
    }
    return this.follow(await this.browser.visit(reply.location, { headers: english }));
  }
}
