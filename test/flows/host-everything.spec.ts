import { callMe, itemsOf } from '../support/account.js';
import { AdminClient, adminOptions } from '../support/admin.js';
import { cookieClient, refreshByCookie, signInWithCookies, signOut } from '../support/cookie-client.js';
import type { CrowdedHost } from '../support/crowded-host.js';
import { openEvents } from '../support/event-stream.js';
import { askForQrCode, decideOnPhone, pollUntilSettled, scanAndFollow } from '../support/follow.js';
import { startWorld, type World } from '../support/iam-app.js';
import { PcBrowser } from '../support/pc-browser.js';
import { startCrowdedHost, type ReplicaProcess } from '../support/replica-process.js';
import { authorizeUrl, getWith, pkce, toTokens } from '../support/sign-in.js';
import { onPc, refresh, revoke } from '../support/signed-in.js';

const modes = ['safe', 'compatible', 'plain'] as const;
const options = { ...adminOptions, rateLimits: 'off', clients: [cookieClient()] } as const;

describe.each<CrowdedHost>(['Express', 'Fastify'])(
  'in a host on %s with caches, envelopes, CSRF check, throttlers, helmet and compression',
  (crowded) => {
    let world: World;
    let host: ReplicaProcess;
    /** The world as it is at the host's address; each row of follow-to-login has its own Official Account. */
    const followed = new Map<string, World>();

    beforeAll(async () => {
      world = await startWorld({ options });
      for (const mode of modes) {
        const oa = world.account.officialAccount({ oauthDomain: 'localhost' });
        await world.saveProvider({
          slug: mode,
          name: mode,
          mp_app_id: oa.appid,
          mp_app_secret: oa.secret,
          mp_token: 'tokenOfTheTests',
          mp_encoding_aes_key: 'a'.repeat(43),
          mp_message_mode: mode,
          qr_enabled: true,
        });
        followed.set(mode, { ...world, oa });
      }
      host = await startCrowdedHost(world, { crowded, options });
      world = { ...world, url: host.url };
      for (const [mode, { oa }] of followed) {
        const url = `${host.url}/iam/webhook/${mode}`;
        const keys = { token: 'tokenOfTheTests', encodingAesKey: 'a'.repeat(43) };
        oa.configureServer({ url, ...keys, mode: modes.find((each) => each === mode) ?? 'safe' });
      }
    });
    afterAll(async () => {
      await host.stop();
      await world.close();
    });

    it('a person signs in by redirect, refreshes, reads their account and signs out', async () => {
      const lan = await onPc(world, world.wechat.person({ nickname: '小兰' }));
      const ming = await onPc(world, world.wechat.person({ nickname: '小明' }));
      const renewed = toTokens(await refresh(host.url, lan.refreshToken));
      const me = await getWith(`${host.url}/iam/me`, renewed.accessToken);
      const ended = await revoke(host.url, renewed.refreshToken);
      const over = await refresh(host.url, renewed.refreshToken);

      expect(lan.id).not.toBe(ming.id);
      expect(me.json()).toMatchObject({ id: lan.id, nickname: '小兰' });
      expect(me.headers.get('content-type')).toBe('application/json; charset=utf-8');
      expect(me.headers.get('x-content-type-options')).toBe('nosniff');
      expect([ended.status, over.json()['error']]).toEqual([200, 'invalid_grant']);
    });

    it.each(modes)('a person follows, with pushes in mode %s, and the chat answers', async (mode) => {
      const at = { ...world, ...followed.get(mode), url: host.url };
      const lan = world.wechat.person({ nickname: '小兰' });
      const device = await askForQrCode(host.url, undefined, mode);
      const events = await openEvents(device.eventsUri);

      await scanAndFollow(at, lan, device.qr);
      await events.until('scanned');
      await decideOnPhone(at, lan, 'confirm');
      await events.until('confirmed');
      events.close();
      const tokens = toTokens(await pollUntilSettled(host.url, device));

      expect((await getWith(`${host.url}/iam/me`, tokens.accessToken)).status).toBe(200);
    });

    it('the module’s own page shows a QR code', async () => {
      const browser = new PcBrowser();
      const page = await browser.visit(authorizeUrl(host.url, pkce().challenge, { provider: 'safe' }));
      const state = /data-attempt="(\w+)"/.exec(page.text)?.[1];

      const started = await browser.visit(`${host.url}/iam/follow`, { body: { state } });

      expect(page.headers.get('content-type')).toBe('text/html; charset=utf-8');
      expect(page.headers.get('content-security-policy')).toContain("default-src 'none'");
      expect(started.json()).toMatchObject({ expires_in: expect.any(Number) as number });
    });

    it('a person starts to link, and sees their identities', async () => {
      const lan = await onPc(world, world.wechat.person({ nickname: '小兰' }));
      const started = await callMe(world, lan, '/identities/authorize', {
        method: 'POST',
        body: { provider: 'wechat', redirect_uri: `${host.url}/signed-in`, state: 'mine' },
      });

      expect(started.json()).toMatchObject({ authorize_uri: expect.any(String) as string });
      expect(itemsOf(await callMe(world, lan, '/identities'))).toHaveLength(1);
    });

    it('administrators read and write', async () => {
      const admin = new AdminClient(host.url);
      const created = await admin.post('roles', { name: 'clerk', permissions: [] });
      const listed = await admin.get('users');
      const changed = await admin.patch('roles/clerk', { description: 'x' }, created.etag);

      expect([created.status, listed.status, changed.status]).toEqual([201, 200, 200]);
    });

    it('a cookie client signs in, refreshes and signs out', async () => {
      const browser = new PcBrowser();
      const signedIn = await signInWithCookies(world, world.wechat.person({ nickname: '小兰' }), browser);
      const renewed = await refreshByCookie(host.url, browser);
      const ended = await signOut(host.url, browser);

      expect([signedIn.status, renewed.status, ended.status]).toEqual([200, 200, 200]);
    });
  },
);
