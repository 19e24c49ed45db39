import { openEvents } from '../support/event-stream.js';
import {
  askForQrCode,
  decideOnPhone,
  pollUntilSettled,
  scanAndFollow,
  startFollowWorld,
} from '../support/follow.js';
import type { World } from '../support/iam-app.js';
import { onFastify } from '../support/platforms.js';
import { PcBrowser } from '../support/pc-browser.js';
import { authorizeUrl, getWith, pkce, toTokens } from '../support/sign-in.js';

describe('following on a Fastify host', () => {
  let world: World;

  beforeAll(async () => {
    world = await startFollowWorld({ qr_confirmation: 'tap' }, { create: onFastify });
  });
  afterAll(() => world.close());

  it('signs in by scan, confirmation and poll, and tells the events on the way', async () => {
    const lan = world.wechat.person({ nickname: '小兰' });
    const device = await askForQrCode(world.url);
    const events = await openEvents(device.eventsUri);

    await scanAndFollow(world, lan, device.qr);
    await events.until('scanned');
    await decideOnPhone(world, lan, 'confirm');
    await events.until('confirmed');
    const tokens = toTokens(await pollUntilSettled(world.url, device));
    const me = await getWith(`${world.url}/iam/me`, tokens.accessToken);
    events.close();

    expect(events.headers.get('content-type')).toContain('text/event-stream');
    expect(me.status).toBe(200);
  });

  it('shows the module’s own page and starts it by POST', async () => {
    const browser = new PcBrowser();
    const page = await browser.visit(authorizeUrl(world.url, pkce().challenge));
    const state = /data-attempt="(\w+)"/.exec(page.text)?.[1];

    const started = await browser.visit(`${world.url}/iam/follow`, { body: { state } });

    expect(page.status).toBe(200);
    expect(started.json()).toMatchObject({ expires_in: 300 });
  });

  it('ends an event stream that has nothing to tell with a problem', async () => {
    const reply = await new PcBrowser().visit(`${world.url}/iam/device_authorization/events?watch=x`, {
      headers: { accept: 'text/event-stream' },
    });

    expect([reply.status, reply.json()['code']]).toEqual([404, 'not_found']);
  });
});
