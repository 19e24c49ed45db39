import { randomUUID } from 'node:crypto';
import type { MiniProgram } from '../../emulator/index.js';
import { poll, askForQrCode } from '../support/follow.js';
import { startWorld, type World } from '../support/iam-app.js';
import {
  approvalPage,
  askForMiniCode,
  linkedSceneOf,
  miniDeviceOf,
  miniToken,
  postApproval,
} from '../support/mini.js';
import { startOpenTelemetry, type MeasuredSeries, type OpenTelemetry } from '../support/open-telemetry.js';
import { PcBrowser } from '../support/pc-browser.js';
import { countQueries } from '../support/query-counter.js';
import { getWith, returnFromPc, signInOnPc } from '../support/sign-in.js';
import { inWechat, refresh } from '../support/signed-in.js';
import { oldIdToken } from '../support/single-sign-on.js';
import {
  eventFields,
  newOpenid,
  post,
  sealed,
  startWebhookWorld,
  type WebhookWorld,
} from '../support/webhook.js';

const by = (series: readonly MeasuredSeries[], ...names: string[]) =>
  Object.fromEntries(
    series.map(({ attributes, value }) => [
      names.map((name) => String(attributes[`iam.${name}`])).join(' '),
      value,
    ]),
  );

describe('what a host with OpenTelemetry sees', () => {
  let telemetry: OpenTelemetry;
  let world: WebhookWorld;
  let mini: MiniProgram;

  beforeAll(async () => {
    telemetry = startOpenTelemetry();
    world = await startWebhookWorld(
      { qr_enabled: true },
      { options: { rateLimits: { qrPerAddressAndMinute: 1 }, tokens: { refreshGrace: 1 } } },
    );
    mini = world.account.miniProgram();
    await world.saveProvider({ mini_app_id: mini.appid, mini_app_secret: mini.secret });
  });
  afterAll(async () => {
    await world.close();
    await telemetry.stop();
  });

  const person = () => world.wechat.person({ nickname: '量' });
  const spansNamed = (name: string) => telemetry.spans().filter((span) => span.name === name);
  const failAtWechat = () => {
    world.wechat.once('/sns/oauth2/access_token', { errcode: 40029, errmsg: 'invalid code, rid: 1-2-3' });
    return returnFromPc(world, person());
  };

  it('is how many signed in, by way and outcome', async () => {
    // The row has its QR code on: on a PC the Open Platform alone would ask for the follow first.
    await world.saveProvider({ qr_enabled: false });
    await signInOnPc(world, person());
    await inWechat(world, person());
    await failAtWechat();
    const form = { grant_type: 'urn:wechat:grant:mini_program', client_id: 'web', provider: 'wechat' };
    await new PcBrowser().visit(`${world.url}/iam/token`, {
      form: { ...form, code: person().wxLogin(mini) },
    });
    const id_token_hint = await oldIdToken(world, { sub: randomUUID(), aud: 'web' });
    await returnFromPc(world, person(), { id_token_hint });

    const signIns = by(await telemetry.metric('iam.sign_ins'), 'method', 'outcome', 'provider');

    expect(signIns).toEqual({
      'open session wechat': 1,
      'mp session wechat': 1,
      'mini session wechat': 1,
      'open wechat_code_invalid wechat': 1,
      'open login_required wechat': 1,
    });
  });

  it('is what became of refresh tokens', async () => {
    const { refreshToken } = await signInOnPc(world, person());

    await refresh(world.url, refreshToken);
    await refresh(world.url, refreshToken);
    await world.dataSource.query(`UPDATE iam.sessions SET rotated_at = rotated_at - interval '1 minute'`);
    await refresh(world.url, refreshToken);
    await refresh(world.url, refreshToken);

    expect(by(await telemetry.metric('iam.refreshes'), 'outcome')).toEqual({
      rotated: 1,
      repeated: 1,
      reused: 1,
      refused: 1,
    });
  });

  it('is how long each call to WeChat took and what it came to, in a span of its own below the callback’s', async () => {
    await failAtWechat();

    const calls = await telemetry.metric('iam.wechat.call.duration');
    const failed = calls.find(({ attributes }) => attributes['iam.wechat.errcode'] === 40029);
    const callback = spansNamed('iam.callback').at(-1);
    const call = spansNamed('wechat /sns/oauth2/access_token').at(-1);

    expect(failed).toEqual({
      attributes: {
        'iam.wechat.endpoint': '/sns/oauth2/access_token',
        'iam.outcome': 'wechat_code_invalid',
        'iam.wechat.errcode': 40029,
      },
      value: 2,
    });
    expect(callback?.attributes).toEqual({
      'iam.provider': 'wechat',
      'iam.method': 'open',
      'iam.outcome': 'wechat_code_invalid',
    });
    expect(call?.attributes).toEqual(failed?.attributes);
    expect(call?.parentSpanContext?.spanId).toBe(callback?.spanContext().spanId);
  });

  it('is each token request, by grant and error', async () => {
    await refresh(world.url, 'ffffffff.forged.0.tag');

    const span = spansNamed('iam.token').at(-1);

    expect(span?.attributes).toEqual({ 'oauth.grant_type': 'refresh_token', 'error.type': 'invalid_grant' });
  });

  it('is what became of pushes, forged ones too', async () => {
    const push = sealed(eventFields('CLICK', newOpenid(), { EventKey: 'k' }), world);

    await post(world.webhook, push);
    await post(world.webhook, { ...push, query: { ...push.query, msg_signature: 'f'.repeat(40) } });
    await post(`${world.url}/iam/webhook/nowhere`, push);

    expect(by(await telemetry.metric('iam.webhook.events'), 'provider', 'outcome')).toEqual({
      'wechat accepted': 1,
      'wechat refused': 1,
    });
  });

  it('is which limit refused', async () => {
    await world.saveProvider({ qr_enabled: true });
    const device = await askForQrCode(world.url);
    await askForQrCode(world.url);
    await poll(world.url, device);

    expect(by(await telemetry.metric('iam.rate_limited'), 'limit')).toEqual({ 'qr:address': 1 });
  });

  it('is a sign-in too that wrong numbers have denied', async () => {
    await world.dataSource.query('DELETE FROM iam.rate_limits');
    const way = { qr_with: 'mini', mini_approval_page: approvalPage, mini_link: 'scheme' } as const;
    await world.saveProvider({ ...way, qr_enabled: true, qr_confirmation: 'number' });
    const device = miniDeviceOf(await askForMiniCode(world.url));
    const token = await miniToken(world, person(), mini);
    const { id } = (await postApproval(world.url, token, { scene: linkedSceneOf(device) })).json();
    const wrong = String((Number(device.number) + 1) % 10_000).padStart(4, '0');

    for (let tries = 0; tries < 3; tries += 1)
      await postApproval(world.url, token, { decision: 'confirm', user_code: wrong }, String(id));

    const signIns = by(await telemetry.metric('iam.sign_ins'), 'method', 'outcome');
    expect(signIns).toMatchObject({ 'mini access_denied': 1 });
  });

  it('is the age of the oldest open event and the state of the pool, asked for when they are exported', async () => {
    await world.dataSource.query(
      `INSERT INTO iam.webhook_events (id, provider, dedupe_key, event, event_at, message, status, lease_until, received_at)
       VALUES (gen_random_uuid(), 'wechat', 'old', 'CLICK', now(), '{}', 'pending', now() + interval '1 hour', now() - interval '2 minutes')`,
    );

    const [age] = await telemetry.metric('iam.inbox.age');
    const pool = by(await telemetry.metric('iam.pool.connections'), 'state');
    const [waiting] = await telemetry.metric('iam.pool.waiting');

    expect(Number(age?.value)).toBeGreaterThan(119);
    expect(Number(age?.value)).toBeLessThan(180);
    expect(Object.keys(pool).sort()).toEqual(['idle', 'used']);
    expect(waiting?.value).toBe(0);
  });

  it('has few values, and none of a person', async () => {
    const told = await telemetry.dump();
    const openids = world.wechat.calls('/sns/userinfo').map(({ query }) => query['openid'] ?? '?');

    expect(openids.length).toBeGreaterThan(1);
    expect(openids.filter((openid) => told.includes(openid))).toEqual([]);
    expect(told).not.toMatch(/access_token=|secret=|code=|\?/);
  });
});

describe('a host without OpenTelemetry', () => {
  let world: World;

  beforeAll(async () => {
    world = await startWorld();
  });
  afterAll(() => world.close());

  it('pays no query for what nobody measures', async () => {
    const { accessToken } = await signInOnPc(world, world.wechat.person({ nickname: '无' }));
    const queries = countQueries(world.database.url);

    await getWith(`${world.url}/iam/me`, accessToken);
    const statements = queries.since(0);
    queries.stop();

    expect(statements).toHaveLength(1);
  });
});
