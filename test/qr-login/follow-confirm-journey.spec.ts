import { type IncomingMessage, Server } from 'node:http';
import { askForQrCode, confirmLink, scanAndFollow, startFollowWorld } from '../support/follow.js';
import { startReplica, type World } from '../support/iam-app.js';
import { PcBrowser, userAgents } from '../support/pc-browser.js';
import { authorizeUrl, pkce } from '../support/sign-in.js';

/** The code that WeChat gave to the address in which `path` occurs. */
function codeOf(redirects: readonly string[], path: string): string {
  const callback = redirects.find((url) => url.includes(path) && url.includes('code=')) ?? '';
  return new URL(callback).searchParams.get('code') ?? '';
}

describe('the phone’s way to the page', () => {
  let world: World;

  beforeAll(async () => {
    world = await startFollowWorld({ qr_confirmation: 'tap' }, { options: { rateLimits: 'off' } });
  });
  afterAll(() => world.close());
  afterEach(() => world.wechat.clearFaults());

  async function scanned(nickname: string) {
    const person = world.wechat.person({ nickname });
    const device = await askForQrCode(world.url);
    await scanAndFollow(world, person, device.qr);
    return { person, device, link: confirmLink(world, person) };
  }

  /** Settles when so many requests with a code have come. */
  const arrivals = (count: number) =>
    new Promise<void>((resolve) => {
      let seen = 0;
      const server: unknown = world.app.getHttpServer();
      if (!(server instanceof Server)) throw new TypeError('expected a server of node:http');
      server.on('request', ({ url = '' }: IncomingMessage) => {
        if (!url.includes('code=')) return;
        seen += 1;
        if (seen === count) resolve();
      });
    });

  it('survives WeChat’s redirect that comes twice, and exchanges the code once', async () => {
    const { person, link } = await scanned('双重');
    world.wechat.clearCalls();
    world.wechat.once('/sns/oauth2/access_token', { until: arrivals(2) });

    const page = await person.openInWechat(link, { duplicateCallback: 'same-phone' });

    expect(page.status).toBe(200);
    expect(page.body).toContain('name="decision"');
    expect(page.duplicate?.status).toBe(200);
    expect(world.wechat.calls('/sns/oauth2/access_token')).toHaveLength(1);
  });

  it('survives the second redirect when it comes after the first was answered, or to another replica', async () => {
    const { person, link } = await scanned('重来');
    const replica = await startReplica(world);
    const first = await person.openInWechat(link);
    const callback = first.redirects.find((url) => url.includes('code=')) ?? '';

    const repeated = await person.openInWechat(callback);
    const elsewhere = await person.openInWechat(callback.replace(world.url, replica.url));
    await replica.close();

    expect([repeated.status, elsewhere.status]).toEqual([200, 200]);
    expect(repeated.body).toContain('name="decision"');
  });

  it('asks WeChat once more when another replica was first with the code', async () => {
    const { person, link } = await scanned('两台');
    world.wechat.once('/sns/oauth2/access_token', { errcode: 40163 });

    const page = await person.openInWechat(link);

    expect(page.body).toContain('name="decision"');
    expect(page.redirects.filter((url) => url.includes('/connect/oauth2/authorize'))).toHaveLength(2);
  });

  it.each(['authdeny', ''])(
    'takes `code=%s` for a refusal, and the person may open the link again',
    async (code) => {
      const { person, link } = await scanned('不愿');
      const first = await person.openInWechat(link);
      const callback = new URL(first.redirects.find((url) => url.includes('code=')) ?? '');
      const { person: other, link: otherLink } = await scanned('又一位');
      const start = await other.openInWechat(otherLink);
      const state = new URL(start.redirects.find((url) => url.includes('state=')) ?? '').searchParams.get(
        'state',
      );
      callback.searchParams.set('code', code);
      callback.searchParams.set('state', state ?? '');
      world.wechat.clearCalls();

      const refused = await other.openInWechat(callback.href);

      expect(refused.status).toBe(403);
      expect(world.wechat.calls('/sns/oauth2/access_token')).toEqual([]);
      expect((await other.openInWechat(otherLink)).body).toContain('name="decision"');
    },
  );

  it('goes on when the code was used for a sign-in, whose callback refuses a code of the page', async () => {
    const { person, link } = await scanned('借用');
    const { challenge } = pkce();
    let signedIn = await person.openInWechat(authorizeUrl(world.url, challenge));
    if (!signedIn.redirects.some((url) => url.includes('/iam/callback/'))) signedIn = await person.confirm();
    const used = codeOf(signedIn.redirects, '/iam/callback/');
    const phone = new PcBrowser(userAgents.wechat);
    const started = await phone.visit(link);
    const callback = new URL(`${world.url}/iam/confirm/wechat`);
    callback.searchParams.set('state', started.location?.searchParams.get('state') ?? '');
    callback.searchParams.set('code', used);
    world.wechat.clearCalls();

    const confirm = await phone.visit(callback);
    const asked = await phone.visit(confirm.location ?? '');

    expect([confirm.status, confirm.location?.pathname]).toEqual([303, '/iam/confirm/wechat']);
    expect(world.wechat.calls('/sns/oauth2/access_token')).toHaveLength(0);
    expect([asked.status, asked.location?.pathname]).toEqual([302, '/connect/oauth2/authorize']);
  });

  it('gives a sign-in nothing for a code that the page has used', async () => {
    const { person, link } = await scanned('反过来');
    const used = codeOf((await person.openInWechat(link)).redirects, '/iam/confirm/');
    const browser = new PcBrowser(userAgents.wechat);
    const started = await browser.visit(authorizeUrl(world.url, pkce().challenge));
    const callback = new URL(`${world.url}/iam/callback/wechat`);
    callback.searchParams.set('state', started.location?.searchParams.get('state') ?? '');
    callback.searchParams.set('code', used);
    world.wechat.clearCalls();

    const returned = await browser.visit(callback);

    expect(returned.status).toBe(303);
    expect(returned.location?.searchParams.get('error')).toBe('invalid_grant');
    expect(world.wechat.calls('/sns/oauth2/access_token')).toHaveLength(0);
  });

  it('gives a stranger who sends WeChat’s redirect again no proof', async () => {
    const { person, link } = await scanned('陌生');

    const page = await person.openInWechat(link, { duplicateCallback: 'stranger' });

    expect(page.body).toContain('name="decision"');
    expect(page.duplicate?.headers['set-cookie']).toBeUndefined();
    expect(page.duplicate?.status).not.toBe(303);
  });

  it('ends for a snapshot user, without a decision', async () => {
    const { person, link } = await scanned('快照');
    world.wechat.once('/sns/oauth2/access_token', { patch: { is_snapshotuser: 1 } });

    const page = await person.openInWechat(link);

    expect(page.status).toBe(403);
    expect(page.body).not.toContain('name="decision"');
  });

  it.each([
    [40029, 400],
    [40164, 502],
    [40125, 502],
    [-1, 503],
  ])('answers errcode %i with a page of status %i, and the link works again', async (errcode, status) => {
    const { person, link } = await scanned('错误');
    world.wechat.once('/sns/oauth2/access_token', { errcode });

    const failed = await person.openInWechat(link);
    const again = await person.openInWechat(link);

    expect(failed.status).toBe(status);
    expect(failed.body).toContain('<html');
    expect(again.body).toContain('name="decision"');
  });

  it('shows a scanner’s page to nobody else, and their journey decides nothing', async () => {
    const { link, device } = await scanned('主人');
    const other = world.wechat.person({ nickname: '路人' });

    const page = await other.openInWechat(link);

    expect(page.status).toBe(403);
    expect(page.body).not.toContain('name="decision"');
    expect(page.body).not.toContain(device.userCode);
  });
});
