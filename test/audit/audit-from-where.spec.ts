import { randomUUID } from 'node:crypto';
import { NestFactory } from '@nestjs/core';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import type { Person } from '../../emulator/index.js';
import { auditActions } from '../../src/audit/audit-actions.js';
import { addApps, callMe, handIn, inApp, itemsOf, type Apps } from '../support/account.js';
import { AdminClient, adminOptions, signedInWithPermissions } from '../support/admin.js';
import { letPartnerIn } from '../support/consent.js';
import { cookieClient, signInWithCookies } from '../support/cookie-client.js';
import { askForQrCode, decideOnPhone, pollUntilSettled, scanAndFollow } from '../support/follow.js';
import { startWorld } from '../support/iam-app.js';
import { MembersModule } from '../support/members-module.js';
import { PcBrowser, userAgents } from '../support/pc-browser.js';
import { platforms, quietOptions, type Create } from '../support/platforms.js';
import { KnowsOneNumber, owner, signInWithNumber } from '../support/phone-sign-in.js';
import { rowsOf, valueOf } from '../support/rows.js';
import { tellOfSignOut } from '../support/single-sign-on.js';
import { outlastGrace, redeem, returnFromPc, toTokens } from '../support/sign-in.js';
import { inWechat, onPc, refresh, revoke, type SignedIn } from '../support/signed-in.js';
import { fewSessions, signInTooOften } from '../support/too-many-sessions.js';
import { until } from '../support/until.js';
import {
  eventFields,
  newOpenid,
  plain,
  post,
  startWebhookWorld,
  textFields,
  type WebhookWorld,
} from '../support/webhook.js';
import { toXml } from '../support/wechat-push.js';
import { expected } from './from-where.js';

describe.each(platforms)('every entry of the audit log that a request causes, on %s', (_name, create) => {
  let world: WebhookWorld;
  let apps: Apps;
  let chief: SignedIn;
  let admin: AdminClient;

  beforeAll(async () => {
    const options = { ...adminOptions, ...fewSessions, clients: [cookieClient()], hooks: KnowsOneNumber };
    world = await startWebhookWorld({}, { create, imports: [MembersModule], options });
    for (const app of [world.oa, world.site])
      app.configureServer({ url: world.webhook, ...world.server, mode: 'safe' });
    apps = await addApps(world);
    chief = await signedInWithPermissions(world, ['*']);
    admin = new AdminClient(world.url, chief.accessToken);
    await administrateProvidersAndKeys();
    await administrateUsers();
    await signInInEveryWay();
    await tellOfSignOut(world, person(), admin);
    await letPartnerIn(world, person(), admin);
    await signInTooOften(world);
    await joinAndPart();
    await follow();
    await flood();
    await ownAccount();
    await receivePushes();
  }, 120_000);
  afterAll(() => world.close());

  const person = (nickname = '甲'): Person => world.wechat.person({ nickname });

  async function administrateProvidersAndKeys(): Promise<void> {
    const { appid, secret } = world.account.websiteApp({ callbackDomain: 'localhost' });
    await admin.post('providers', { slug: 'other', name: 'o', open_app_id: appid, open_app_secret: secret });
    await admin.patch('providers/other', { name: 'renamed' });
    await admin.post('providers/other/rotate', { secret: 'mp_token' }, '*');
    await admin.delete('providers/other');
    await admin.post('clients', { id: 'tea', type: 'confidential', redirect_uris: ['https://tea.test/'] });
    await admin.patch('clients/tea', { name: 'renamed' });
    for (let times = 0; times < 2; times += 1) await admin.post('clients/tea/rotate', {}, '*');
    await admin.delete('clients/tea/previous_secret');
    await admin.delete('clients/tea');
    await world.dataSource.query(
      `INSERT INTO iam.identity_providers (slug, name, open_app_id, open_app_secret) VALUES ('sql', 's', $1, $2)`,
      [appid, `plain:${secret}`],
    );
    await admin.post('keys/rotate', { activate_in: 0 });
    const kid = await valueOf(world.dataSource, 'SELECT kid FROM iam.signing_keys WHERE generation = 1');
    await admin.post('keys/reseal');
    await admin.delete(`keys/${String(kid)}`);
    // The key that signed the administrator's token is gone.
    admin = new AdminClient(world.url, toTokens(await refresh(world.url, chief.refreshToken)).accessToken);
  }

  async function administrateUsers(): Promise<void> {
    await new PcBrowser().visit(`${world.url}/members`, {
      body: { externalId: `m-${randomUUID()}` },
      headers: { authorization: `Bearer ${chief.accessToken}` },
    });
    await admin.post('users', { nickname: '乙' });
    await admin.post('roles', { name: 'clerk', permissions: [] });
    await admin.patch('roles/clerk', { description: 'sells' });
    const lan = await onPc(world, person());
    const lin = await inApp(world, person(), apps, 'mini');
    const linId = String((await callMe(world, lin, '')).json()['id']);
    await admin.patch(`users/${lan.id}`, { nickname: '丙' });
    await admin.request('PUT', `users/${lan.id}/roles/clerk`);
    await admin.delete(`users/${lan.id}/roles/clerk`);
    await admin.delete('roles/clerk');
    for (const verb of ['disable', 'enable']) await admin.post(`users/${lan.id}/${verb}`);
    const [identity] = itemsOf(await callMe(world, lin, '/identities'));
    await admin.delete(`users/${linId}/identities/${String(identity?.['id'])}?force=true`);
    await admin.post(`users/${linId}/merge`, { other: lan.id });
    await admin.post(`users/${lan.id}/disable`);
    await admin.delete(`users/${lan.id}`);
    await admin.delete(`bans/${lan.id}`);
  }

  async function signInInEveryWay(): Promise<void> {
    const { url } = world;
    const lan = person();
    const returned = await returnFromPc(world, lan);
    toTokens(await redeem(url, returned));
    await outlastGrace(world);
    await redeem(url, returned);
    const again = await onPc(world, lan);
    await refresh(url, again.refreshToken);
    await world.dataSource.query(`UPDATE iam.sessions SET rotated_at = now() - interval '1 minute'`);
    await refresh(url, again.refreshToken);
    await revoke(url, (await onPc(world, lan)).refreshToken);
    const code = lan.wxLogin(apps.mini);
    for (let times = 0; times < 2; times += 1) await handIn(world, 'mini', code);
    await signInWithNumber({ url, apps }, owner(world, KnowsOneNumber.number));
    const browser = new PcBrowser();
    for (let times = 0; times < 2; times += 1) await signInWithCookies(world, lan, browser);
  }

  /** Learning a unionid late, linking by it, merging by it, and refusing to. */
  async function joinAndPart(): Promise<void> {
    const [late, two, torn] = [person(), person(), person()];
    await inWechat(world, person());
    world.account.unbind(world.oa);
    for (const each of [late, two, torn]) await inWechat(world, each);
    await onPc(world, two);
    const moved = world.wechat.openPlatformAccount();
    const site = moved.websiteApp({ callbackDomain: 'localhost' });
    await world.saveProvider({
      slug: 'moved',
      open_app_id: site.appid,
      open_app_secret: site.secret,
      union_scope: 'wechat',
    });
    world.account.bind(world.oa);
    for (const each of [late, two, torn]) await inWechat(world, each);
    await onPc(world, torn, { provider: 'moved' });
    moved.bind(world.oa);
    await inWechat(world, torn);
    world.account.bind(world.oa);
    const pc = person();
    await onPc(world, pc);
    await inWechat(world, pc);
  }

  async function follow(): Promise<void> {
    const scan = async (confirmation: 'tap' | 'number') => {
      await world.saveProvider({ qr_enabled: true, qr_confirmation: confirmation });
      const lan = person();
      const device = await askForQrCode(world.url);
      await scanAndFollow(world, lan, device.qr);
      return { lan, device };
    };
    const tap = await scan('tap');
    await decideOnPhone(world, tap.lan, 'confirm');
    await pollUntilSettled(world.url, tap.device);
    await decideOnPhone(world, (await scan('tap')).lan, 'deny');
    const typed = await scan('number');
    await typed.lan.say(world.oa, typed.device.userCode);
    const onPage = await scan('number');
    const wrong = (number: string) => (number === '0000' ? '1111' : '0000');
    await decideOnPhone(world, onPage.lan, 'confirm', { number: wrong(onPage.device.userCode) });
    await decideOnPhone(world, onPage.lan, 'confirm', { number: onPage.device.userCode });
    const denied = await scan('number');
    for (let tries = 0; tries < 3; tries += 1)
      await decideOnPhone(world, denied.lan, 'confirm', { number: wrong(denied.device.userCode) });
    await world.saveProvider({ qr_enabled: false });
  }

  async function ownAccount(): Promise<void> {
    const lan = person();
    lan.changeProfile({ phoneNumber: '13800138000' });
    const user = await inApp(world, lan, apps, 'mini');
    await onPc(world, lan);
    await onPc(world, person());
    const call = (path: string, method: 'GET' | 'POST' | 'DELETE' = 'GET', body?: unknown) =>
      callMe(world, user, path, { method, body });
    const link = (of: Person) => ({ provider: 'wechat', app: 'mobile', code: of.sendAuth(apps.mobile) });
    await call('/phone_number', 'POST', { provider: 'wechat', code: lan.phoneNumberCode(apps.mini) });
    await call('/phone_number', 'DELETE');
    await call('/identities', 'POST', link(lan));
    const stranger = person();
    await inApp(world, stranger, apps, 'mobile');
    await call('/identities', 'POST', link(stranger));
    const mobile = itemsOf(await call('/identities')).find(({ kind }) => kind === 'mobile');
    await call(`/identities/${String(mobile?.['id'])}`, 'DELETE');
    await call('/api_keys', 'POST', { name: 'script' });
    const [key] = itemsOf(await call('/api_keys'));
    await call(`/api_keys/${String(key?.['id'])}`, 'DELETE');
    await call('/sessions', 'DELETE');
    await call('/export');
    await call('/deletion', 'POST');
    await call('/deletion', 'DELETE');
  }

  async function receivePushes(): Promise<void> {
    const [lan, lin] = [person(), person()];
    await onPc(world, lan);
    await onPc(world, lin);
    await lan.revokeAuthorization(world.site);
    await lin.closeAccount();
    await until('the pushes are worked off', async () => {
      const open = `SELECT count(*)::int FROM iam.webhook_events WHERE status IN ('pending', 'processing')`;
      return (await valueOf(world.dataSource, open)) === 0;
    });
    const [event] = (await admin.get('events?status=done')).items();
    await admin.post(`events/${String(event?.['id'])}/replay`, { force: true });
    await world.saveProvider({ mp_message_mode: 'plain' });
    const push = plain(textFields('genuine'), world);
    await post(world.webhook, push);
    const forged = toXml(eventFields('SCAN', newOpenid(), { EventKey: 'anything', Ticket: 't' }));
    await post(world.webhook, { ...push, body: forged });
  }

  /** More made-up codes than one address may try in a minute. */
  async function flood(): Promise<void> {
    const grant = { grant_type: 'urn:wechat:grant:mobile_app', client_id: 'web', provider: 'wechat' };
    const codes = Array.from({ length: 125 }, (_, n) => ({ ...grant, code: `made-up-${n}` }));
    await Promise.all(codes.map((form) => new PcBrowser().visit(`${world.url}/iam/token`, { form })));
    await world.dataSource.query('DELETE FROM iam.rate_limits');
  }

  it('says who acted, from where and in which session', async () => {
    const rows = await rowsOf(
      world.dataSource,
      `SELECT DISTINCT action, concat_ws(', ',
         CASE WHEN actor = $1 THEN 'administrator' WHEN actor LIKE 'user:%' THEN 'person'
              WHEN actor = 'wechat' THEN 'WeChat' ELSE COALESCE(actor, 'stranger') END,
         CASE WHEN ip NOT LIKE '%127.0.0.1' OR ip IS NULL OR correlation_id IS NULL THEN 'nowhere'
              WHEN user_agent LIKE '%Windows NT%' THEN 'browser' WHEN user_agent LIKE '%MicroMessenger%' THEN 'phone'
              WHEN user_agent LIKE 'Mozilla/4.0%' THEN 'push' ELSE user_agent END,
         CASE WHEN session_id IS NOT NULL THEN 'session' END) AS "from"
       FROM iam.audit_log ORDER BY 2`,
      [`user:${chief.id}`],
    );

    const found = Object.fromEntries(
      Object.keys(auditActions).map((each) => [
        each,
        rows
          .filter(({ action }) => action === each)
          .map(({ from }) => String(from))
          .sort(),
      ]),
    );
    expect(found).toEqual(
      Object.fromEntries(Object.entries(expected).map(([action, from]) => [action, [...from].sort()])),
    );
    expect(rows.filter(({ action }) => !(String(action) in auditActions))).toEqual([]);
  });

  it('names the session that was ended, and in its detail the one that ended it', async () => {
    const lan = person();
    const [here, there] = [await onPc(world, lan), await onPc(world, lan)];
    const [own, other] = itemsOf(await callMe(world, here, '/sessions')).map(({ id }) => id);

    await callMe(world, here, `/sessions/${String(other)}`, { method: 'DELETE' });
    await callMe(world, here, `/sessions/${String(own)}`, { method: 'DELETE' });

    const entries = (await admin.get(`audit?user=${there.id}&action=session.ended`)).items();
    expect(entries.map(({ session_id, detail }) => ({ session_id, detail }))).toEqual([
      { session_id: own, detail: { reason: 'ended_by_user' } },
      { session_id: other, detail: { reason: 'ended_by_user', by_session: own } },
    ]);
  });

  it('is not told to the user where somebody else acted', async () => {
    const phone = person();
    const lan = await onPc(world, phone);
    const [session] = itemsOf(await callMe(world, lan, '/sessions'));
    const another = await onPc(world, phone);
    await admin.patch(`users/${lan.id}`, { nickname: '丁' });
    await admin.delete(`sessions/${String(session?.['id'])}`);

    const { audit } = (await callMe(world, another, '/export')).json();

    const [ended, updated, started] = Array.isArray(audit)
      ? audit.map((each: unknown) => Object(each) as Record<string, unknown>)
      : [];
    expect(
      [ended, updated].map((entry) => [entry?.['action'], entry?.['ip'], entry?.['user_agent']]),
    ).toEqual([
      ['session.ended', null, null],
      ['user.updated', null, null],
    ]);
    expect([ended?.['session_id'], updated?.['session_id']]).toEqual([session?.['id'], null]);
    expect(ended?.['detail']).toEqual({ reason: 'ended_by_admin' });
    expect([started?.['action'], started?.['user_agent']]).toEqual(['session.started', userAgents.pc]);
  });

  it('has WeChat as its cause, and no address, where a push is worked off later', async () => {
    const retry = `UPDATE iam.webhook_events SET status = 'pending', attempts = 0, result = NULL, lease_until = now()
      WHERE event = 'user_authorization_revoke' RETURNING id`;
    const later = `SELECT DISTINCT actor, ip, user_agent, correlation_id IS NOT NULL AS correlated FROM iam.audit_log
      WHERE action = 'identity.authorization_revoked' AND ip IS NULL`;

    await world.dataSource.query(retry);
    await until('it is worked off', async () => (await rowsOf(world.dataSource, later)).length > 0);

    expect(await rowsOf(world.dataSource, later)).toEqual([
      { actor: 'wechat', ip: null, user_agent: null, correlated: true },
    ]);
  });
});

const trusting: [string, Create][] = [
  [
    'Express',
    async (module) => {
      const app = await NestFactory.create<NestExpressApplication>(module, quietOptions);
      app.set('trust proxy', 'loopback');
      return app;
    },
  ],
  [
    'Fastify',
    (module) =>
      NestFactory.create<NestFastifyApplication>(
        module,
        new FastifyAdapter({ trustProxy: 'loopback' }),
        quietOptions,
      ),
  ],
];

describe.each(trusting)('behind a proxy that the host trusts, on %s', (_name, create) => {
  it('an entry has the address that the proxy reports, and no address that the client made up', async () => {
    const world = await startWorld({ create, options: adminOptions });
    const headers = { 'x-forwarded-for': '203.0.113.9, 198.51.100.7' };

    await new AdminClient(world.url).request('POST', 'roles', {
      body: { name: 'clerk', permissions: [] },
      headers,
    });

    expect(
      await rowsOf(world.dataSource, `SELECT ip FROM iam.audit_log WHERE action = 'role.created'`),
    ).toEqual([{ ip: '198.51.100.7' }]);
    await world.close();
  });
});
