import { redirectUri, startWorld, type World } from '../support/iam-app.js';
import { PcBrowser } from '../support/pc-browser.js';
import { authorizeUrl, pkce } from '../support/sign-in.js';

describe('follow-to-login without a scan', () => {
  let world: World;

  beforeAll(async () => {
    world = await startWorld({ provider: { qr_enabled: true } });
  });
  afterAll(() => world.close());

  it('answers a device authorization with a QR code', async () => {
    const reply = await new PcBrowser().visit(`${world.url}/iam/device_authorization`, {
      form: { client_id: 'web', provider: 'wechat' },
    });

    expect(reply.json()).toMatchObject({ expires_in: 300, user_code: expect.stringMatching(/^\d{4}$/) });
  });

  it('shows its own page on a PC', async () => {
    const browser = new PcBrowser();
    const page = await browser.visit(authorizeUrl(world.url, pkce().challenge));

    expect(page.status).toBe(200);
    expect(page.text).toContain('id="follow"');
    expect(redirectUri(world.url)).toContain('signed-in');
  });
});
