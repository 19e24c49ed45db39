import { setTimeout as delay } from 'node:timers/promises';
import { cookieClient, cookiesOf } from '../support/cookie-client.js';
import { scanAndFollow, startFollowWorld } from '../support/follow.js';
import type { World } from '../support/iam-app.js';
import { PcBrowser } from '../support/pc-browser.js';

describe('follow-to-login of a cookie client', () => {
  let world: World;

  beforeAll(async () => {
    world = await startFollowWorld({ qr_confirmation: 'none' }, { options: { clients: [cookieClient()] } });
  });
  afterAll(() => world.close());

  it('is polled as ever and ends in cookies', async () => {
    const browser = new PcBrowser();
    const person = world.wechat.person({ nickname: '扫' });
    const asked = await browser.visit(`${world.url}/iam/device_authorization`, {
      form: { client_id: 'shop', provider: 'wechat' },
      from: world.url,
    });
    const { device_code, verification_uri_complete: qr } = asked.json();
    const form = {
      grant_type: 'urn:ietf:params:oauth:grant-type:device_code',
      client_id: 'shop',
      device_code: String(device_code),
    };
    const poll = () => browser.visit(`${world.url}/iam/token`, { form, from: world.url });

    const pending = await poll();
    await scanAndFollow(world, person, String(qr));
    const forced = await browser.visit(`${world.url}/iam/token`, { form, from: 'https://evil.example' });
    let settled = await poll();
    for (let tries = 0; tries < 50 && settled.status !== 200; tries += 1) {
      await delay(100);
      settled = await poll();
    }

    expect([pending.json()['error'], cookiesOf(pending)]).toEqual(['authorization_pending', []]);
    expect([forced.status, cookiesOf(forced)]).toEqual([403, []]);
    expect(settled.json()).toEqual({ token_type: 'N_A', expires_in: 900 });
    expect((await browser.visit(`${world.url}/iam/me`, { from: world.url })).status).toBe(200);
  });
});
