import { createLocalJWKSet, jwtVerify } from 'jose';
import { IamUsers } from '../../src/index.js';
import type { Person } from '../../emulator/index.js';
import { handIn, inApp } from './account.js';
import { refreshByCookie, signInWithCookies, signOut } from './cookie-client.js';
import { Visitor } from './device-page.js';
import { openEvents } from './event-stream.js';
import { askForQrCode, decideOnPhone, poll, pollUntilSettled, scanAndFollow } from './follow.js';
import { codesOf, leavePage, openFollowPage, redeemFromPage, startOnPage } from './follow-page.js';
import { followSlugs, type Flow, type FullHost, rowCount } from './full-host.js';
import { redirectUri } from './iam-app.js';
import { miniDeviceOf, miniToken, postApproval, sceneOf } from './mini.js';
import { answerQuestion, scanPageCode } from './page-qr.js';
import { fieldOf, PcBrowser } from './pc-browser.js';
import { addServer, post, proof, serverKey } from './server-client.js';
import { approveOnPc, authorizeUrl, callbackAfterScan, getWith, pkce, redeem, toTokens } from './sign-in.js';
import { refreshOf, registerSso, signIn, start, tokensOf } from './single-sign-on.js';
import { inWechat, onPc, refresh, revoke } from './signed-in.js';

const json = { headers: { accept: 'application/json' } };
const nicknameAt = async ({ url }: FullHost, accessToken: string) =>
  (await getWith(`${url}/iam/me`, accessToken)).json()['nickname'];

/** The phone's part of a scan, as the row of follow-to-login asks for it. */
const confirm: Readonly<Record<string, (host: FullHost, lan: Person, userCode: string) => Promise<unknown>>> =
  {
    safe: (host, lan) => decideOnPhone(host.at('safe'), lan, 'confirm'),
    compatible: (host, lan, userCode) => lan.say(host.at('compatible').oa, userCode),
    plain: () => Promise.resolve(),
  };

const byFollowing = ([slug, act]: [string, (typeof confirm)[string]]): Flow => [
  `follow to sign in at the row "${slug}", and read each step in the event stream`,
  async (host) => {
    const lan = host.wechat.person({ nickname: '小兰' });
    const handshake = await host.at(slug).oa.verifyServer();
    const device = await askForQrCode(host.url, undefined, slug);
    const waiting = await poll(host.url, device);
    const events = await openEvents(device.eventsUri);

    await scanAndFollow(host.at(slug), lan, device.qr);
    if (slug !== 'plain') await events.until('scanned');
    await act(host, lan, device.userCode);
    await events.until('confirmed');
    const tokens = toTokens(await pollUntilSettled(host.url, device));
    events.close();

    expect(handshake).toMatchObject({ ok: true });
    expect(waiting.json()['error']).toBe('authorization_pending');
    expect((await getWith(`${host.url}/iam/me`, tokens.accessToken)).json()).toMatchObject({
      identities: [{ kind: 'mp', provider: slug }],
    });
  },
];

/** Every way of signing in, and out. */
export const signInFlows: readonly Flow[] = [
  [
    'are told what they can use, and get WeChat’s QR code embedded too',
    async ({ url }) => {
      const listed = await new PcBrowser().visit(`${url}/iam/providers`, json);
      const widget = await new PcBrowser().visit(
        authorizeUrl(url, pkce().challenge, { display: 'widget' }),
        json,
      );

      const { providers } = listed.json();
      expect(providers).toHaveLength(rowCount);
      expect(widget.json()).toMatchObject({ expires_in: expect.any(Number) as number });
    },
  ],
  [
    'come to a second application without WeChat, and sign out of both',
    async (host) => {
      const { url } = host;
      const [shop, blog] = [await registerSso(host), await registerSso(host)];
      const browser = new PcBrowser();
      const shopTokens = await tokensOf(
        host,
        await signIn(host, browser, host.wechat.person({ nickname: '小兰' }), shop),
        shop,
      );
      const blogTokens = await tokensOf(host, await start(host, browser, blog), blog);
      const asked = await browser.visit(`${url}/iam/end_session`, { form: { client_id: shop } });
      const page = await browser.visit(asked.location ?? '');
      const confirmation = fieldOf(page.text, 'confirmation');
      const ended = await browser.visit(`${url}/iam/end_session/decision`, {
        form: { confirmation, decision: 'sign_out' },
        from: url,
      });

      expect([blogTokens, ended].map(({ status }) => status)).toEqual([200, 200]);
      expect((await refreshOf(host, shopTokens, shop)).json()['error']).toBe('invalid_grant');
      expect((await start(host, browser, blog)).isBack).toBe(false);
    },
  ],
  [
    'sign in by redirect on a PC and inside WeChat as one user, refresh, and sign out',
    async (host) => {
      const lan = host.wechat.person({ nickname: '小兰' });
      const ming = await onPc(host, host.wechat.person({ nickname: '小明' }));
      const pc = await onPc(host, lan);
      const phone = await inWechat(host, lan);
      const renewed = toTokens(await refresh(host.url, pc.refreshToken));
      const again = toTokens(await refresh(host.url, pc.refreshToken));
      const ended = await revoke(host.url, renewed.refreshToken);
      const over = await refresh(host.url, renewed.refreshToken);

      expect([pc.id === ming.id, pc.id === phone.id]).toEqual([false, true]);
      expect(again.refreshToken).toBe(renewed.refreshToken);
      expect(await nicknameAt(host, renewed.accessToken)).toBe('小兰');
      expect([ended.status, over.json()['error']]).toEqual([200, 'invalid_grant']);
    },
  ],
  [
    'decline in WeChat, and return with the error',
    async (host) => {
      const { browser, callback } = await approveOnPc(host, host.wechat.person({ nickname: '小兰' }));
      callback.searchParams.delete('code');
      const returned = await browser.visit(callback);

      expect(returned.location?.searchParams.get('error')).toBe('access_denied');
      expect(returned.location?.href.startsWith(redirectUri(host.url))).toBe(true);
    },
  ],
  ...Object.entries(confirm).map(byFollowing),
  [
    'follow to sign in on the module’s own page',
    async (host) => {
      const lan = host.wechat.person({ nickname: '小兰' });
      const page = await openFollowPage(host.url, { provider: 'safe', method: 'auto' });
      const { deviceCode, qr, eventsUri } = codesOf(await startOnPage(page));
      const events = await openEvents(eventsUri);

      await scanAndFollow(host.at('safe'), lan, qr);
      await decideOnPhone(host.at('safe'), lan, 'confirm');
      await events.until('confirmed');
      events.close();
      const tokens = toTokens(await redeemFromPage(page, await leavePage(page, deviceCode)));

      expect(page.reply.headers.get('content-security-policy')).toContain("default-src 'none'");
      expect((await getWith(`${host.url}/iam/me`, tokens.accessToken)).status).toBe(200);
    },
  ],
  [
    'type the code of a device on its page, sign in there, and let the device in',
    async (host) => {
      const device = await askForQrCode(host.url, undefined, 'safe');
      const visitor = new Visitor(host.at('safe'));
      await visitor.browser.visit(`${host.url}/iam/device`);
      await visitor.type(device.typedCode);
      await visitor.signIn(host.wechat.person({ nickname: '小兰' }));
      await visitor.decide('confirm');
      const tokens = toTokens(await pollUntilSettled(host.url, device));

      expect((await getWith(`${host.url}/iam/me`, tokens.accessToken)).status).toBe(200);
    },
  ],
  [
    'follow first and sign in by WeChat’s QR code then, where the row says so',
    async (host) => {
      const lan = host.wechat.person({ nickname: '小兰' });
      const device = await askForQrCode(host.url, undefined, 'then-open');
      await scanAndFollow(host.at('then-open'), lan, device.qr);
      const answer = (await pollUntilSettled(host.url, device)).json();
      const browser = new PcBrowser();
      const { verifier, challenge } = pkce();
      const next = new URL(String(answer['authorize_uri']));
      const own = { redirect_uri: redirectUri(host.url), state: 'client-state', code_challenge: challenge };
      for (const [name, value] of Object.entries(own)) next.searchParams.set(name, value);
      const start = await browser.visit(next);
      const returned = await browser.visit(await callbackAfterScan(host.wechat, start.location ?? '', lan));
      const tokens = toTokens(await redeem(host.url, { browser, returned, verifier }));

      expect(answer['error']).toBe('interaction_required');
      expect(await nicknameAt(host, tokens.accessToken)).toBe('小兰');
    },
  ],
  [
    'deny on the phone, and the PC is told',
    async (host) => {
      const lan = host.wechat.person({ nickname: '小兰' });
      const device = await askForQrCode(host.url, undefined, 'safe');
      await scanAndFollow(host.at('safe'), lan, device.qr);
      await decideOnPhone(host.at('safe'), lan, 'deny');

      expect((await pollUntilSettled(host.url, device)).json()['error']).toBe('access_denied');
    },
  ],
  [
    'sign in at a server that pushes its request and proves itself by a key of its own',
    async (host) => {
      const key = await serverKey();
      const own = { redirect_uris: [redirectUri(host.url)], jwks: { keys: [key.jwk] } };
      const { id: client_id } = await addServer(host.admin, own);
      const send = async (path: string, form: Readonly<Record<string, string>>) =>
        post(`${host.url}/iam/${path}`, { ...form, ...(await proof(client_id, host.url, key)) });
      const { verifier, challenge } = pkce();
      const request = authorizeUrl(host.url, challenge, { client_id });
      const pushed = await send('par', Object.fromEntries(new URL(request).searchParams));
      const browser = new PcBrowser();
      const query = new URLSearchParams({
        client_id,
        request_uri: String(pushed.json()['request_uri']),
      });
      const start = await browser.visit(`${host.url}/iam/authorize?${query.toString()}`);
      const lan = host.wechat.person({ nickname: '小兰' });
      const returned = await browser.visit(await callbackAfterScan(host.wechat, start.location ?? '', lan));
      const tokens = await send('token', {
        grant_type: 'authorization_code',
        code: returned.location?.searchParams.get('code') ?? '',
        redirect_uri: redirectUri(host.url),
        code_verifier: verifier,
      });

      const { access_token } = tokens.json();
      const told = await send('introspect', { token: String(access_token) });

      expect([pushed.status, start.status, tokens.status]).toEqual([201, 302, 200]);
      expect(told.json()).toMatchObject({ active: true, client_id });
      expect(await nicknameAt(host, toTokens(tokens).accessToken)).toBe('小兰');
    },
  ],
  [
    'scan a QR code that opens a page, and confirm there',
    async (host) => {
      const lan = host.wechat.person({ nickname: '小兰' });
      const device = await askForQrCode(host.url, undefined, 'page');
      await answerQuestion(lan, await scanPageCode(lan, device.qr), 'confirm');
      const tokens = toTokens(await pollUntilSettled(host.url, device));

      expect(await nicknameAt(host, tokens.accessToken)).toBe('小兰');
    },
  ],
  [
    'scan a mini program code, and confirm in the mini program',
    async (host) => {
      const lan = host.wechat.person({ nickname: '小兰' });
      const form = { client_id: 'web', provider: 'mini', method: 'mini' };
      const started = await new PcBrowser().visit(`${host.url}/iam/device_authorization`, { form });
      const device = miniDeviceOf(started);
      const visit = await lan.scanMini(device.image);
      const token = await miniToken(host, lan, host.approving, 'mini');
      const asked = await postApproval(host.url, token, { scene: sceneOf(visit) });
      const { id } = asked.json();
      const confirmed = await postApproval(host.url, token, { decision: 'confirm' }, String(id));
      const tokens = toTokens(await pollUntilSettled(host.url, device));

      expect([asked.status, confirmed.status]).toEqual([200, 200]);
      expect((await getWith(`${host.url}/iam/me`, tokens.accessToken)).json()).toMatchObject({
        identities: [{ kind: 'mini', provider: 'mini' }],
      });
    },
  ],
  [
    'sign in in a mini program and in a mobile app, each code once',
    async (host) => {
      const lan = host.wechat.person({ nickname: '小兰' });
      const code = lan.wxLogin(host.apps.mini);
      const inMini = toTokens(await handIn(host, 'mini', code));
      const again = await handIn(host, 'mini', code);
      const inMobile = await inApp(host, lan, host.apps, 'mobile');
      const ids = [inMini, inMobile].map(async ({ accessToken }) =>
        (await getWith(`${host.url}/iam/me`, accessToken)).json(),
      );
      const [first, second] = await Promise.all(ids);

      expect(first?.['id']).toBe(second?.['id']);
      expect(again.json()['error']).toBe('invalid_grant');
    },
  ],
  [
    'sign in with tokens in cookies, refresh, and sign out',
    async (host) => {
      const browser = new PcBrowser();
      const signedIn = await signInWithCookies(host, host.wechat.person({ nickname: '小兰' }), browser);
      const me = await browser.visit(`${host.url}/iam/me`, { from: host.url });
      const renewed = await refreshByCookie(host.url, browser);
      const ended = await signOut(host.url, browser);
      const over = await browser.visit(`${host.url}/iam/me`, { from: host.url });

      expect([signedIn, me, renewed, ended, over].map(({ status }) => status)).toEqual([
        200, 200, 200, 200, 401,
      ]);
      expect([signedIn.json(), me.json()['nickname']]).toMatchObject([{ token_type: 'N_A' }, '小兰']);
      expect(signedIn.json()).not.toHaveProperty('access_token');
    },
  ],
  [
    'are connected to the account that the host has of them',
    async (host) => {
      const lan = host.wechat.person({ nickname: '小兰' });
      const { browser, callback, verifier } = await approveOnPc(host, lan, { provider: 'bind' });
      const signIn = { browser, returned: await browser.visit(callback), verifier };
      const asked = (await redeem(host.url, signIn)).json();
      const bound = await host.app
        .get(IamUsers)
        .bind(String(asked['binding_token']), { externalId: host.url });
      const tokens = toTokens(await redeem(host.url, signIn));

      expect(asked['error']).toBe('binding_required');
      expect((await getWith(`${host.url}/iam/me`, tokens.accessToken)).json()).toMatchObject({
        id: bound.id,
        external_id: host.url,
      });
    },
  ],
  [
    'write to the Official Account, and the host’s handler answers in the chat',
    async (host) => {
      const lan = host.wechat.person({ nickname: '小兰' });
      for (const slug of followSlugs) {
        const { oa } = host.at(slug);
        await lan.follow(oa);
        await lan.say(oa, `你好 ${slug}`);
      }

      expect(followSlugs.map((slug) => lan.chat(host.at(slug).oa).at(-1)?.text)).toEqual(
        followSlugs.map((slug) => `收到：你好 ${slug}`),
      );
    },
  ],
  [
    'are told about to an application that asks for openid, by a form, an ID token and userinfo',
    async (host) => {
      const lan = host.wechat.person({ nickname: '小兰' });
      const asking = new URL(authorizeUrl(host.url, pkce().challenge, { scope: 'openid profile' }));
      const form = { form: asking.searchParams };
      const navigation = await new PcBrowser().visit(`${host.url}/iam/authorize`, form);
      const { id, accessToken } = await onPc(host, lan, { scope: 'openid profile' });
      const userinfo = `${host.url}/iam/userinfo`;
      const told = await getWith(userinfo, accessToken);
      const toldAgain = await new PcBrowser().visit(userinfo, { form: { access_token: accessToken } });

      expect(navigation.location?.href).toBe(asking.href);
      expect(told.json()).toMatchObject({ sub: id, name: '小兰' });
      expect(toldAgain.json()).toEqual(told.json());
    },
  ],
  [
    'are known to other services by the published keys',
    async (host) => {
      const lan = await onPc(host, host.wechat.person({ nickname: '小兰' }));
      const names = ['oauth-authorization-server', 'openid-configuration'];
      const paths = ['/iam', ''].flatMap((root) => names.map((name) => `${root}/.well-known/${name}`));
      const [metadata, ...others] = await Promise.all(
        paths.map(async (path) => (await new PcBrowser().visit(`${host.url}${path}`)).json()),
      );
      const jwks: unknown = (await new PcBrowser().visit(String(metadata?.['jwks_uri']))).json();
      const { payload } = await jwtVerify(lan.accessToken, createLocalJWKSet(jwks as never), {
        issuer: String(metadata?.['issuer']),
      });

      expect(others).toEqual([metadata, metadata, metadata]);
      expect([payload.sub, payload.iss]).toEqual([lan.id, host.url]);
      expect((await new PcBrowser().visit(`${host.url}/health`)).status).toBe(200);
    },
  ],
];
