import type { MiniProgram, MobileApp, Person } from '../../emulator/index.js';
import { IamUsers } from '../../src/index.js';
import { AdminClient, adminToken } from '../support/admin.js';
import { Canaries, recordReplies } from '../support/canaries.js';
import {
  askForQrCode,
  confirmLink,
  decideOnPhone,
  pollUntilSettled,
  scanAndFollow,
  startFollowWorld,
} from '../support/follow.js';
import type { World } from '../support/iam-app.js';
import { LogCapture } from '../support/log-capture.js';
import { startOpenTelemetry, type OpenTelemetry } from '../support/open-telemetry.js';
import { PcBrowser, type Reply } from '../support/pc-browser.js';
import { rowsOf } from '../support/rows.js';
import {
  approveOnPc,
  authorizeUrl,
  getWith,
  pkce,
  redeem,
  toTokens,
  type Tokens,
} from '../support/sign-in.js';
import { approveInWechat, refresh, revoke } from '../support/signed-in.js';
import { StatementLog } from '../support/statement-log.js';
import { eventFields, newOpenid, post } from '../support/webhook.js';
import { safePush, toXml } from '../support/wechat-push.js';

const planted = 'planted+secret/0f9e8d7c6b5a';
const plantedToken = 'PlantedWebhookToken0123456789';
const plantedAesKey = 'PlantedEncodingAESKey0123456789abcdefghijkl';
const exchangePath = '/sns/oauth2/access_token';
const nickname = '金丝雀-nickname-77e1';
const chatText = 'canary chat text 5f2d 金丝雀';

describe('secrets, codes, tokens and people', () => {
  let telemetry: OpenTelemetry;
  let world: World;
  let mini: MiniProgram;
  let mobile: MobileApp;
  let told: string;
  let audit: string;
  let recorded: ReturnType<typeof recordReplies>;
  const logger = new LogCapture();
  const statements = new StatementLog();
  const canaries = new Canaries();

  const person = () => world.wechat.person({ nickname });
  const noteSearch = (url: string | URL, names: Readonly<Record<string, string>>) => {
    const { searchParams } = new URL(url);
    for (const [parameter, name] of Object.entries(names))
      canaries.note('issued', name, searchParams.get(parameter));
  };
  const noteTokens = (reply: Reply): Tokens => {
    const tokens = toTokens(reply);
    canaries.note('issued', 'access token', tokens.accessToken);
    canaries.note('issued', 'refresh token', tokens.refreshToken);
    return tokens;
  };
  const approve = async (by = approveOnPc) => {
    const approved = await by(world, person());
    noteSearch(approved.callback, { code: 'code of WeChat', state: 'state' });
    canaries.note('issued', 'code verifier', approved.verifier);
    for (const { value } of await approved.browser.jar.getCookies(world.url))
      canaries.note('issued', 'cookie', value);
    return approved;
  };
  const signIn = async (by = approveOnPc) => {
    const approved = await approve(by);
    const returned = await approved.browser.visit(approved.callback);
    if (returned.location !== null) noteSearch(returned.location, { code: 'code' });
    return { ...approved, returned };
  };
  const handIn = (form: Readonly<Record<string, string>>) =>
    new PcBrowser().visit(`${world.url}/iam/token`, {
      form: { client_id: 'web', provider: 'wechat', ...form },
      headers: { accept: 'application/json' },
    });

  beforeAll(async () => {
    telemetry = startOpenTelemetry();
    const server = { mp_token: plantedToken, mp_encoding_aes_key: plantedAesKey };
    const options = { admin: { token: adminToken }, wechat: { timeout: 1_500 } };
    world = await startFollowWorld({ ...server, qr_enabled: false }, { logger, options });
    recorded = recordReplies(world.url);
    await plant();

    await useEveryWayIn();
    await followToLogin();
    await bindAndAdminister();
    await failEverywhere();

    noteWhatReachedWechat();
    told = await telemetry.dump();
    const lines = await rowsOf(world.dataSource, 'SELECT a::text AS line FROM iam.audit_log a');
    audit = lines.map(({ line }) => line).join('\n');
  }, 120_000);
  afterAll(async () => {
    recorded.stop();
    await world.close();
    await telemetry.stop();
  });

  async function plant(): Promise<void> {
    const site = world.account.websiteApp({ callbackDomain: 'localhost', secret: planted });
    mini = world.account.miniProgram();
    mobile = world.account.mobileApp();
    world.oa.configureServer({
      url: `${world.url}/iam/webhook/wechat`,
      token: plantedToken,
      encodingAesKey: plantedAesKey,
      mode: 'safe',
    });
    await world.saveProvider({
      open_app_id: site.appid,
      open_app_secret: planted,
      mini_app_id: mini.appid,
      mini_app_secret: mini.secret,
      mini_session_keys: true,
      mobile_app_id: mobile.appid,
      mobile_app_secret: mobile.secret,
    });
    await world.dataSource.query('UPDATE iam.identity_providers SET mp_app_secret = $1', [
      `plain:${world.oa.secret}`,
    ]);
    world.dataSource.logger = statements;
    for (const secret of [planted, world.oa.secret, mini.secret, mobile.secret])
      canaries.note('secret', 'AppSecret', secret);
    canaries.note('secret', 'Token', plantedToken);
    canaries.note('secret', 'EncodingAESKey', plantedAesKey);
    canaries.note('secret', 'sealing key', world.key);
    canaries.note('secret', 'admin token', adminToken);
  }

  async function useEveryWayIn(): Promise<void> {
    const complete = await signIn();
    const tokens = noteTokens(await redeem(world.url, complete));
    for (const path of ['me', 'me/sessions', 'me/identities', 'providers', 'jwks'])
      await getWith(`${world.url}/iam/${path}`, tokens.accessToken);
    const next = noteTokens(await refresh(world.url, tokens.refreshToken));
    await redeem(world.url, complete);
    await redeem(world.url, { ...(await signIn()), verifier: pkce().verifier });
    await refresh(world.url, tokens.refreshToken);
    await revoke(world.url, next.refreshToken);
    noteTokens(await redeem(world.url, await signIn(approveInWechat)));
    await useApps(person());
  }

  async function useApps(someone: Person): Promise<void> {
    const sessionKey = 'PlantedSessionKey012345==';
    canaries.note('secret', 'session_key', sessionKey);
    world.wechat.once('/sns/jscode2session', { patch: { session_key: sessionKey } });
    const codes = { mini_program: someone.wxLogin(mini), mobile_app: someone.sendAuth(mobile) };
    for (const [grant, code] of Object.entries(codes)) {
      canaries.note('issued', 'code of WeChat', code);
      const form = { grant_type: `urn:wechat:grant:${grant}`, code };
      noteTokens(await handIn(form));
      await handIn(form);
    }
  }

  async function followToLogin(): Promise<void> {
    await world.saveProvider({ qr_enabled: true });
    const follower = person();
    const device = await askForQrCode(world.url);
    canaries.note('issued', 'device code', device.deviceCode);
    await scanAndFollow(world, follower, device.qr);
    noteSearch(confirmLink(world, follower), { login: 'confirm link' });
    await decideOnPhone(world, follower, 'confirm');
    await follower.say(world.oa, chatText);
    noteTokens(await pollUntilSettled(world.url, device));
    await pollUntilSettled(world.url, device);
    const denied = await askForQrCode(world.url);
    await scanAndFollow(world, person(), denied.qr);
    await scanWithoutEffect();
    await world.saveProvider({ qr_enabled: false });
  }

  /** Scans that are stored though no sign-in takes them: of another app, and in a push that cannot be read. */
  async function scanWithoutEffect(): Promise<void> {
    for (const { body } of world.wechat.calls('/cgi-bin/qrcode/create'))
      canaries.note('secret', 'scene', /"scene_str":"([^"]+)"/.exec(body)?.[1]);
    for (const { fields } of world.oa.deliveries)
      canaries.note('secret', 'ticket', String(fields['Ticket'] ?? ''));
    await askForQrCode(world.url);
    const [, scene = ''] =
      /"scene_str":"([^"]+)"/.exec(world.wechat.calls('/cgi-bin/qrcode/create').at(-1)?.body ?? '') ?? [];
    const ticket = 'gQ-planted-ticket-0123456789abcdef';
    canaries.note('secret', 'scene', scene);
    canaries.note('secret', 'ticket', ticket);
    const server = { appid: world.oa.appid, token: plantedToken, encodingAesKey: plantedAesKey };
    const webhook = `${world.url}/iam/webhook/wechat`;
    const scan = toXml(eventFields('SCAN', newOpenid(), { EventKey: scene, Ticket: ticket }));
    const answers = [
      await post(webhook, safePush(scan, { ...server, appid: mini.appid })),
      await post(webhook, safePush(scan.replace('<xml>', 'unreadable'), server)),
    ];
    expect(answers.map(({ text }) => text)).toEqual(['success', 'success']);
  }

  async function bindAndAdminister(): Promise<void> {
    await world.saveProvider({ sign_up: 'bind' });
    const bindingToken = String((await redeem(world.url, await signIn())).json()['binding_token']);
    canaries.note('issued', 'binding token', bindingToken);
    await world.app.get(IamUsers).bind(bindingToken, { externalId: 'bound' });
    await world.app
      .get(IamUsers)
      .bind(bindingToken, { externalId: 'bound' })
      .catch(() => undefined);
    await world.saveProvider({ sign_up: 'auto' });
    const admin = new AdminClient(world.url);
    const rotated = 'planted+rotated/secret-42';
    canaries.note('secret', 'AppSecret', rotated);
    await admin.post('providers', { slug: 'other', open_app_id: 'wxother', open_app_secret: planted });
    await admin.post('providers/other/rotate', { secret: 'open_app_secret', value: rotated }, '*');
    await admin.post('providers', {
      slug: 'other',
      open_app_id: planted,
      open_app_secret: `no\u0000${planted}`,
    });
    for (const path of ['providers', 'providers/wechat', 'keys']) await admin.get(path);
    for (const { id } of (await admin.get('events')).items()) await admin.get(`events/${String(id)}`);
    await admin.post('providers/wechat/check');
    await admin.post('keys/rotate');
    await admin.post('keys/reseal');
    const wrong = `${adminToken}-wrong`;
    await new AdminClient(world.url, wrong).get('keys');
    await new AdminClient(world.url, `${adminToken}\u0001`.slice(1, -1)).get('providers');
  }

  async function failEverywhere(): Promise<void> {
    for (const path of [exchangePath, '/sns/userinfo']) {
      await failAt(path, { errcode: 40001, errmsg: `invalid credential ${planted}` });
      await failAt(path, { status: 502, body: `<html>${planted}</html>` });
      await failAt(path, { body: `not JSON ${planted}` });
      await failAt(path, { patch: { openid: [planted] } });
      await failAt(path, { drop: true });
      await failAt(path, { delay: 60_000 });
    }
    await failAt(exchangePath, { errcode: 40125, errmsg: `invalid appsecret ${planted}` });
    await failInTheDatabase();
    await failAtTheEdges();
  }
  const failAt = async (path: string, fault: Parameters<World['wechat']['once']>[1]) => {
    world.wechat.always(path, fault);
    await signIn();
    world.wechat.clearFaults();
  };

  /** An error of the driver carries its statement and all parameters. */
  async function failInTheDatabase(): Promise<void> {
    await world.dataSource.query('ALTER TABLE iam.identities RENAME TO hidden_identities');
    await signIn();
    await world.dataSource.query('ALTER TABLE iam.hidden_identities RENAME TO identities');
    const early = await approve();
    const tokens = noteTokens(await redeem(world.url, await signIn()));
    await world.dataSource.query('ALTER TABLE iam.logins RENAME TO hidden_logins');
    await early.browser.visit(early.callback);
    await world.dataSource.query('ALTER TABLE iam.hidden_logins RENAME TO logins');
    await world.dataSource.query(`
      CREATE FUNCTION iam.fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'a trigger of the host'; END $$;
      CREATE TRIGGER fail BEFORE UPDATE ON iam.sessions FOR EACH ROW EXECUTE FUNCTION iam.fail()`);
    await refresh(world.url, tokens.refreshToken);
    await world.dataSource.query('DROP FUNCTION iam.fail CASCADE');
  }

  async function failAtTheEdges(): Promise<void> {
    const browser = new PcBrowser();
    const { challenge } = pkce();
    const state = 'StateOfNobodyStateOfNobodyStateOfNobody';
    canaries.note('issued', 'state', state);
    await browser.visit(authorizeUrl(world.url, challenge, { client_id: planted }));
    await browser.visit(authorizeUrl(world.url, challenge, { provider: 'nowhere' }));
    await browser.visit(`${world.url}/iam/callback/wechat?code=nobodys-code&state=${state}`);
    await browser.visit(`${world.url}/iam/webhook/wechat?signature=0&timestamp=1&nonce=2`, {
      method: 'POST',
      body: { planted },
      headers: { accept: 'application/json' },
    });
    await handIn({ grant_type: 'authorization_code', code: planted, code_verifier: planted });
    await getWith(
      `${world.url}/iam/me`,
      `eyJhbGciOiJub25lIn0.${Buffer.from(planted).toString('base64url')}.`,
    );
  }

  /** What WeChat gave us, and by which ids it knows people. */
  function noteWhatReachedWechat(): void {
    for (const { query } of world.wechat.calls()) {
      canaries.note('secret', 'token of WeChat', query['access_token']);
      canaries.note('person', 'openid', query['openid']);
    }
    canaries.note('person', 'nickname', nickname);
    canaries.note('person', 'chat text', chatText);
  }

  it('were all used, and every kind of failure was logged', async () => {
    const ids = await rowsOf(world.dataSource, 'SELECT openid, unionid FROM iam.identities');
    for (const { openid, unionid } of ids) {
      canaries.note('person', 'openid', String(openid));
      canaries.note('person', 'unionid', String(unionid));
    }

    expect(canaries.names.toSorted()).toEqual(
      [
        ...[
          'AppSecret',
          'Token',
          'EncodingAESKey',
          'sealing key',
          'admin token',
          'session_key',
          'token of WeChat',
        ],
        ...['code of WeChat', 'state', 'code verifier', 'cookie', 'code', 'access token', 'refresh token'],
        ...['scene', 'ticket'],
        ...['device code', 'confirm link', 'binding token', 'openid', 'unionid', 'nickname', 'chat text'],
      ].toSorted(),
    );
    expect(canaries.size).toBeGreaterThan(150);
    expect(recorded.replies.length).toBeGreaterThan(75);
    for (const code of [
      'state_mismatch',
      'client_unknown',
      'wechat_credentials_rejected',
      'wechat_unavailable',
      'wechat_answer_invalid',
      'internal_error',
      'invalid_grant',
      'invalid_token',
      'webhook_signature_invalid',
      'code_already_used',
    ])
      expect(`${code}: ${logger.with(code).length > 0}`).toBe(`${code}: true`);
    expect(logger.text).toContain('iam.logins');
    expect(audit.split('\n').length).toBeGreaterThan(40);
    expect(told).toContain('iam.callback');
  });

  it('appear in no line of the log, in no disguise', () => {
    expect(canaries.in(logger.text, 'secret', 'issued', 'person')).toEqual([]);
  });

  it('appear in no span and no metric', () => {
    expect(canaries.in(told, 'secret', 'issued', 'person')).toEqual([]);
  });

  it('appear in no audit entry; people do, by their ids alone', () => {
    expect(canaries.in(audit, 'secret', 'issued')).toEqual([]);
    expect(audit).not.toContain(nickname);
  });

  it('of ours and of WeChat are stored in no row, in no disguise', async () => {
    const tables = await rowsOf(
      world.dataSource,
      `SELECT format('%I.%I', schemaname, tablename) AS name FROM pg_tables WHERE schemaname IN ('iam', 'public')`,
    );
    const found = [];
    for (const { name } of tables) {
      const rows = await rowsOf(world.dataSource, `SELECT t::text AS line FROM ${String(name)} t`);
      found.push(...canaries.in(rows.map(({ line }) => line).join('\n'), 'secret'));
    }

    expect(tables.length).toBeGreaterThan(10);
    expect(found).toEqual([]);
  });

  it('appear in no statement that TypeORM may be told to log', () => {
    expect(statements.text).toContain('UPDATE iam.identity_providers SET');
    expect(canaries.in(statements.text, 'secret', 'issued')).toEqual([]);
  });

  it('of ours and of WeChat reach no browser, in body or header', () => {
    const found = recorded.replies.flatMap(({ url, text, headers }) =>
      canaries.in(`${text}\n${JSON.stringify([...headers])}`, 'secret').map((name) => `${name} from ${url}`),
    );

    expect(found).toEqual([]);
  });

  it('that name people at WeChat reach no browser but an administrator’s', () => {
    const others = recorded.replies.filter(({ url }) => !url.includes('/iam/admin/events'));
    const found = others.flatMap(({ url, text, headers }) =>
      canaries
        .in(`${text}\n${JSON.stringify([...headers])}`, 'person')
        .filter((name) => name === 'openid' || name === 'unionid')
        .map((name) => `${name} from ${url}`),
    );

    expect(found).toEqual([]);
  });

  it('that are tokens stand in no URL', () => {
    const urls = recorded.replies
      .flatMap(({ url, headers }) => [url, headers.get('location') ?? ''])
      .join('\n');

    const shown = canaries.in(urls, 'issued');

    expect(
      new Set(shown.filter((name) => !['code', 'code of WeChat', 'state', 'confirm link'].includes(name))),
    ).toEqual(new Set());
    expect(urls).not.toMatch(/eyJ[\w-]+\.|refresh_token|access_token/);
  });

  it('of the failed statements are not logged with them', () => {
    expect(logger.text).not.toContain('redirect_uri');
    expect(logger.text).not.toContain('INSERT INTO');
    expect(logger.text).not.toContain('/signed-in');
  });

  it('cannot be hidden behind forged lines: what a request brings stays on one line', async () => {
    logger.clear();
    const forged = 'x\n2026-01-01 ERROR forged\u2028line\u001b[31m';
    const browser = new PcBrowser();
    const { challenge } = pkce();

    await browser.visit(authorizeUrl(world.url, challenge, { client_id: forged }));
    await browser.visit(authorizeUrl(world.url, challenge, { provider: forged }));
    await browser.visit(authorizeUrl(world.url, challenge, { method: forged }));
    await browser.visit(`${world.url}/iam/callback/${encodeURIComponent(forged)}?code=c&state=${forged}`);
    await handIn({
      grant_type: 'authorization_code',
      client_id: forged,
      code: forged,
      code_verifier: forged,
    });
    await handIn({ grant_type: 'refresh_token', client_id: forged, refresh_token: forged });
    await browser.visit(`${world.url}/iam/revoke`, { form: { client_id: forged, token: forged } });

    const warnings = logger.lines.filter(({ level }) => level === 'warn');
    expect(warnings).toHaveLength(7);
    for (const { text } of warnings) expect(text).toMatch(/^[^\p{Cc}\u2028\u2029]*$/u);
  });
});
