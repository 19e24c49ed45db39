import { randomUUID } from 'node:crypto';
import { decodeProtectedHeader } from 'jose';
import { callMe, inApp, itemsOf } from './account.js';
import { AdminClient } from './admin.js';
import type { Flow, FullHost } from './full-host.js';
import { PcBrowser } from './pc-browser.js';
import { onPc, refresh } from './signed-in.js';
import { tellOfSignOut } from './single-sign-on.js';

const newUser = (host: FullHost) => onPc(host, host.wechat.person({ nickname: '员' }));
const slugOf = (): string => `made-${randomUUID()}`.slice(0, 30);

/** What administrators do, from the first provider row to the last key. */
export const adminFlows: readonly Flow[] = [
  [
    'keep provider rows',
    async ({ admin, account }) => {
      const slug = slugOf();
      const site = account.websiteApp({ callbackDomain: 'localhost' });
      const row = { slug, name: 'Made', open_app_id: site.appid, open_app_secret: site.secret };
      const created = await admin.post('providers', row);
      const steps = [
        created,
        await admin.get('providers'),
        await admin.get(`providers/${slug}`),
        await admin.patch(`providers/${slug}`, { name: 'Renamed' }, created.etag),
        await admin.patch(`providers/${slug}`, { name: 'Late' }, created.etag),
        await admin.request('POST', `providers/${slug}/rotate`, { body: { secret: 'mp_token' }, etag: '*' }),
        await admin.post(`providers/${slug}/check`),
        await admin.delete(`providers/${slug}`),
      ];

      expect(steps.map(({ status }) => status)).toEqual([201, 200, 200, 200, 412, 200, 200, 204]);
      expect(steps[3]?.json()).toMatchObject({ name: 'Renamed' });
    },
  ],
  [
    'register applications, and keep their secrets',
    async ({ admin, url }) => {
      const id = slugOf();
      const path = `clients/${id}`;
      const row = { id, type: 'confidential', redirect_uris: [`${url}/back`] };
      const created = await admin.post('clients', row);
      const steps = [
        created,
        await admin.get('clients'),
        await admin.get(path),
        await admin.patch(path, { name: 'Renamed' }, created.etag),
        await admin.patch(path, { name: 'Late' }, created.etag),
        await admin.post(`${path}/rotate`, {}, '*'),
        await admin.post(`${path}/rotate`, {}, '*'),
        await admin.delete(`${path}/previous_secret`),
        await admin.delete(path),
      ];

      expect(steps.map(({ status }) => status)).toEqual([201, 200, 200, 200, 412, 200, 200, 200, 204]);
      expect(steps[7]?.json()).toMatchObject({
        name: 'Renamed',
        has_secret: true,
        has_previous_secret: false,
      });
    },
  ],
  [
    'register a service, which gets tokens, and keep its API keys',
    async ({ admin, url }) => {
      const id = slugOf();
      await admin.post('clients', { id, type: 'service' });
      const { secret } = (await admin.post(`clients/${id}/rotate`, {}, '*')).json();
      const tokens = await new PcBrowser().visit(`${url}/iam/token`, {
        form: { grant_type: 'client_credentials', client_id: id, client_secret: String(secret) },
      });
      const made = await admin.post('api_keys', { client_id: id, name: 'cron' });
      const [key] = (await admin.get(`api_keys?client=${id}`)).items();
      const ended = await admin.request('DELETE', `api_keys/${String(key?.['id'])}`);

      expect([tokens.status, made.status, key?.['name'], ended.status]).toEqual([200, 201, 'cron', 204]);
    },
  ],
  [
    'keep roles, and give and take them',
    async ({ admin }) => {
      expect((await admin.get('access')).status).toBe(200);
      expect((await admin.get('overview')).status).toBe(200);
      const role = slugOf();
      const { id } = (await admin.post('users', { nickname: '员' })).json();
      const held = `users/${String(id)}/roles`;
      const steps = [
        await admin.get('permissions'),
        await admin.post('roles', { name: role, permissions: ['orders:read'] }),
        await admin.get('roles'),
        await admin.get(`roles/${role}`),
        await admin.patch(`roles/${role}`, { description: 'x' }),
        await admin.request('PUT', `${held}/${role}`),
        await admin.get(held),
        await admin.request('DELETE', `${held}/${role}`),
        await admin.delete(`roles/${role}`),
      ];

      expect(steps.map(({ status }) => status)).toEqual([200, 201, 200, 200, 200, 204, 200, 204, 204]);
      expect(steps[6]?.json()).toMatchObject({ roles: [role] });
    },
  ],
  [
    'find, change, merge, disable and erase users, and lift a ban',
    async (host) => {
      const { admin } = host;
      const [lan, ming] = [await newUser(host), await newUser(host)];
      const [identity] = itemsOf(await callMe(host, ming, '/identities'));
      const user = `users/${lan.id}`;
      const steps = [
        await admin.get(`users?q=${lan.id}`),
        await admin.get(user),
        await admin.patch(user, { external_id: lan.id }),
        await admin.delete(`users/${ming.id}/identities/${String(identity?.['id'])}?force=true`),
        await admin.post(`${user}/merge`, { other: ming.id }),
        await admin.post(`${user}/disable`, { reason: 'x' }),
        await admin.post(`${user}/enable`),
        await admin.post(`${user}/disable`, {}),
        await admin.delete(user),
        await admin.get(`bans?openid=x&appid=x`),
        await admin.request('DELETE', `bans/${lan.id}`),
      ];

      expect(steps.map(({ status, code }) => [status, code])).toEqual(
        [200, 200, 200, 204, 200, 204, 204, 204, 204, 200, 204].map((status) => [status, undefined]),
      );
    },
  ],
  [
    'take a phone number from its user',
    async (host) => {
      const lan = host.wechat.person({ nickname: '小兰' });
      lan.changeProfile({ phoneNumber: '13800138001' });
      const user = await inApp(host, lan, host.apps, 'mini');
      const body = { provider: 'wechat', code: lan.phoneNumberCode(host.apps.mini) };
      const added = await callMe(host, user, '/phone_number', { method: 'POST', body });
      const { id } = (await callMe(host, user, '')).json();
      const taken = await host.admin.delete(`users/${String(id)}/phone_number`);

      expect([added.status, taken.status]).toEqual([200, 204]);
      expect((await callMe(host, user, '')).json()['phone_number']).toBeNull();
    },
  ],
  [
    'see sign-ins, sessions and the audit log, and end sessions',
    async (host) => {
      const { admin } = host;
      const lan = await newUser(host);
      const [session] = (await admin.get(`sessions?user=${lan.id}`)).items();
      const one = await admin.request('DELETE', `sessions/${String(session?.['id'])}`);
      const all = await admin.request('DELETE', `users/${lan.id}/sessions`);
      const logins = (await admin.get(`logins?user=${lan.id}`)).items();
      const audit = (await admin.get(`audit?user=${lan.id}`)).items();

      expect([one.status, all.status]).toEqual([204, 204]);
      expect((await refresh(host.url, lan.refreshToken)).json()['error']).toBe('invalid_grant');
      expect([logins.length, audit.some(({ action }) => action === 'user.signed_up')]).toEqual([1, true]);
    },
  ],
  [
    'look into the webhook’s inbox, and have a message worked on again',
    async (host) => {
      const { admin } = host;
      const lan = host.wechat.person({ nickname: '小兰' });
      await lan.follow(host.at('safe').oa);
      await lan.say(host.at('safe').oa, '你好');
      const openid = lan.openid(host.at('safe').oa);
      const [event] = (await admin.get(`events?openid=${openid}&event=text`)).items();
      const path = `events/${String(event?.['id'])}`;
      const shown = await admin.get(path);
      const replies = [await admin.get('events/summary'), await admin.post(`${path}/replay`)];
      const forced = await admin.post(`${path}/replay`, { force: true });

      expect(shown.json()).toMatchObject({ message: { Content: '你好' } });
      expect([...replies, forced].map(({ status }) => status)).toEqual([200, 409, 202]);
    },
  ],
  [
    'see what applications were not told of sign-outs, and have it sent again',
    async (host) => {
      const replies = await tellOfSignOut(host, host.wechat.person({ nickname: '小兰' }), host.admin);

      expect(replies.map(({ status }) => status)).toEqual([204, 202]);
    },
  ],
  [
    'rotate, seal anew and remove keys',
    async (host) => {
      const { admin } = host;
      const lan = await newUser(host);
      const rotated = await admin.post('keys/rotate', { activate_in: 0 });
      const listed = (await admin.get('keys')).json();
      const resealed = await admin.post('keys/reseal');
      const { kid = '' } = decodeProtectedHeader(lan.accessToken);
      const removed = await admin.request('DELETE', `keys/${kid}`);
      const refused = await callMe(host, lan, '');

      expect(listed).toMatchObject({ signing_keys: [{ kid: rotated.json()['kid'] }, { kid }] });
      expect([rotated, resealed, removed].map(({ status }) => status)).toEqual([200, 200, 204]);
      expect([refused.status, refused.json()['code']]).toEqual([401, 'invalid_token']);
      expect((await newUser(host)).id).not.toBe(lan.id);
    },
  ],
  [
    'are refused without the token',
    async ({ url }) => {
      expect((await new AdminClient(url, null).get('users')).code).toBe('authentication_required');
    },
  ],
];
