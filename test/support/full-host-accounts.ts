import { randomUUID } from 'node:crypto';
import { callMe, handIn, inApp, itemsOf } from './account.js';
import { decide, openConsent } from './consent.js';
import type { Flow, FullHost } from './full-host.js';
import { decideOnPhone, scanAndFollow } from './follow.js';
import { codesOf, leavePage, openLinkPage, startOnPage } from './follow-page.js';
import { redirectUri } from './iam-app.js';
import { PcBrowser } from './pc-browser.js';
import { callbackAfterScan, redeem, returnFromPc } from './sign-in.js';
import { inWechat, onPc, refresh, type SignedIn } from './signed-in.js';

const newUser = (host: FullHost) => onPc(host, host.wechat.person({ nickname: '小兰' }));
const isSignedIn = async ({ url }: FullHost, { refreshToken }: SignedIn) =>
  (await refresh(url, refreshToken)).status === 200;

/** Starts to link another identity at a row, by redirect. */
const startLink = (host: FullHost, user: SignedIn, browser: PcBrowser, provider: string) =>
  callMe(host, user, '/identities/authorize', {
    method: 'POST',
    browser,
    body: { provider, redirect_uri: redirectUri(host.url), state: 'mine' },
  });

/** Unlinks the newest identity, and says what came of it. */
async function unlinkNewest(host: FullHost, user: SignedIn) {
  const newest = itemsOf(await callMe(host, user, '/identities')).at(-1);
  const reply = await callMe(host, user, `/identities/${String(newest?.['id'])}`, { method: 'DELETE' });
  const left = itemsOf(await callMe(host, user, '/identities')).length;
  return { linked: newest?.['id'], status: reply.status, rejoins: reply.json()['rejoins'], left };
}

/** What signed-in people do with their accounts. */
export const accountFlows: readonly Flow[] = [
  [
    'read their profile, change their nickname, and take their data along',
    async (host) => {
      const user = await newUser(host);
      const changed = await callMe(host, user, '', { method: 'PATCH', body: { nickname: '自己' } });
      const me = await callMe(host, user, '');
      const held = await callMe(host, user, '/export');

      expect(changed.status).toBe(200);
      expect(me.json()).toMatchObject({ id: user.id, nickname: '自己' });
      expect(held.json()).toMatchObject({ profile: { id: user.id, nickname: '自己' } });
      expect(held.headers.get('content-disposition')).toBe('attachment; filename="account.json"');
    },
  ],
  [
    'make an API key, see it in the list, and end it',
    async (host) => {
      const user = await newUser(host);
      const made = await callMe(host, user, '/api_keys', { method: 'POST', body: { name: '脚本' } });
      const [listed] = itemsOf(await callMe(host, user, '/api_keys'));
      const ended = await callMe(host, user, `/api_keys/${String(listed?.['id'])}`, { method: 'DELETE' });

      expect([made.status, listed?.['name'], ended.status]).toEqual([201, '脚本', 204]);
      expect(itemsOf(await callMe(host, user, '/api_keys'))).toEqual([]);
    },
  ],
  [
    'see their sessions, end one, and all others',
    async (host) => {
      const lan = host.wechat.person({ nickname: '小兰' });
      const [first, second, third] = [
        await inWechat(host, lan),
        await onPc(host, lan),
        await onPc(host, lan),
      ];
      const [, other] = itemsOf(await callMe(host, third, '/sessions'));
      const one = await callMe(host, third, `/sessions/${String(other?.['id'])}`, { method: 'DELETE' });
      const rest = await callMe(host, third, '/sessions', { method: 'DELETE' });

      expect([one.status, rest.json()]).toEqual([204, { ended: 1 }]);
      const live = [];
      for (const session of [first, second, third]) live.push(await isSignedIn(host, session));
      expect(live).toEqual([false, false, true]);
    },
  ],
  [
    'let an application of a third party in, see it among theirs, and withdraw, as an administrator does for them',
    async (host) => {
      const lan = host.wechat.person({ nickname: '小兰' });
      const user = await onPc(host, lan);
      const id = `partner-${randomUUID()}`;
      await host.admin.post('clients', { id, first_party: false, redirect_uris: [redirectUri(host.url)] });
      const letIn = async () => {
        const signIn = await returnFromPc(host, lan, { client_id: id });
        const page = await openConsent(signIn);
        const agreed = await decide(signIn, page, 'confirm');
        const granted = await redeem(host.url, { ...signIn, returned: agreed }, { client_id: id });
        return [page.status, agreed.status, granted.status];
      };
      const ours = `users/${user.id}/consents`;
      const first = await letIn();
      const listed = itemsOf(await callMe(host, user, '/consents'));
      const withdrawn = await callMe(host, user, `/consents/${id}`, { method: 'DELETE' });
      const second = await letIn();
      const seen = (await host.admin.get(ours)).items();
      const ended = await host.admin.request('DELETE', `${ours}/${id}`);

      expect([first, withdrawn.status, second, ended.status]).toEqual([
        [200, 303, 200],
        204,
        [200, 303, 200],
        204,
      ]);
      for (const items of [listed, seen]) expect(items).toMatchObject([{ client_id: id, scopes: [] }]);
    },
  ],
  [
    'link another WeChat by redirect, and unlink it',
    async (host) => {
      const user = await newUser(host);
      const browser = new PcBrowser();
      const second = host.wechat.person({ nickname: '二' });
      const started = await startLink(host, user, browser, 'wechat');
      const back = await browser.visit(
        await callbackAfterScan(host.wechat, String(started.json()['authorize_uri']), second),
      );
      const later = await onPc(host, second);
      const { linked, ...unlinked } = await unlinkNewest(host, user);

      expect(Object.fromEntries(back.location?.searchParams ?? [])).toMatchObject({ linked, state: 'mine' });
      expect(later.id).toBe(user.id);
      expect(unlinked).toEqual({ status: 200, rejoins: false, left: 1 });
    },
  ],
  [
    'link another WeChat by following, and unlink it',
    async (host) => {
      const user = await newUser(host);
      const browser = new PcBrowser();
      const second = host.wechat.person({ nickname: '二' });
      const page = await openLinkPage(host.url, browser, await startLink(host, user, browser, 'safe'));
      const { deviceCode, qr } = codesOf(await startOnPage(page));
      await scanAndFollow(host.at('safe'), second, qr);
      await decideOnPhone(host.at('safe'), second, 'confirm');
      const back = await leavePage(page, deviceCode);
      const later = await inWechat(host, second, { provider: 'safe' });
      const { linked, ...unlinked } = await unlinkNewest(host, user);

      expect(Object.fromEntries(back.searchParams)).toMatchObject({ linked, state: 'mine' });
      expect(later.id).toBe(user.id);
      expect(unlinked).toEqual({ status: 200, rejoins: false, left: 1 });
    },
  ],
  [
    'link another WeChat by the code of an app, and are refused somebody else’s',
    async (host) => {
      const { mini } = host.apps;
      const user = await newUser(host);
      const second = host.wechat.person({ nickname: '二' });
      const linkBy = (code: string) =>
        callMe(host, user, '/identities', {
          method: 'POST',
          body: { provider: 'wechat', app: 'mini', code },
        });
      const linked = await linkBy(second.wxLogin(mini));
      const other = host.wechat.person({ nickname: '别人' });
      await handIn(host, 'mini', other.wxLogin(mini));
      const refused = await linkBy(other.wxLogin(mini));

      expect([linked.status, refused.status, refused.json()['code']]).toEqual([
        201,
        409,
        'identity_conflict',
      ]);
    },
  ],
  [
    'add their phone number in the mini program, and take it back',
    async (host) => {
      const lan = host.wechat.person({ nickname: '小兰' });
      lan.changeProfile({ phoneNumber: '13800138000' });
      const user = await inApp(host, lan, host.apps, 'mini');
      const body = { provider: 'wechat', code: lan.phoneNumberCode(host.apps.mini) };
      const added = await callMe(host, user, '/phone_number', { method: 'POST', body });
      const removed = await callMe(host, user, '/phone_number', { method: 'DELETE' });

      expect(added.json()).toMatchObject({ phone_number: '+8613800138000' });
      expect(removed.status).toBe(204);
      expect((await callMe(host, user, '')).json()['phone_number']).toBeNull();
    },
  ],
  [
    'ask to be deleted, and take that back',
    async (host) => {
      const user = await newUser(host);
      const asked = await callMe(host, user, '/deletion', { method: 'POST' });
      const waiting = (await callMe(host, user, '')).json()['deletion_at'];
      const withdrawn = await callMe(host, user, '/deletion', { method: 'DELETE' });

      expect([asked.status, withdrawn.status]).toEqual([200, 204]);
      expect(asked.json()).toMatchObject({ deletion_at: waiting });
      expect((await callMe(host, user, '')).json()['deletion_at']).toBeNull();
    },
  ],
];
