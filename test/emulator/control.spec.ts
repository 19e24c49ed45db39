import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { qrconnectUrl, textLike, useStage, type Stage } from './support/stage.js';

interface IamResponse {
  readonly status: number;
  readonly body: Record<string, unknown>;
}

async function control(
  { wechat }: Pick<Stage, 'wechat'>,
  method: string,
  path: string,
  input?: unknown,
): Promise<IamResponse> {
  const init = { method, ...(input === undefined ? {} : { body: JSON.stringify(input) }) };
  const response = await fetch(`${wechat.endpoints.api}/_emulator${path}`, init);
  const body: unknown = await response.json();
  if (typeof body !== 'object' || body === null) throw new Error('no object');
  return { status: response.status, body: Object.fromEntries(Object.entries(body)) };
}

describe('the control API', () => {
  const stage = useStage();

  it('builds a world: accounts, apps of every kind, people with their ids', async () => {
    const account = await control(stage(), 'POST', '/accounts');
    const { id } = account.body;
    const site = await control(stage(), 'POST', '/apps', {
      kind: 'website',
      account: id,
      callbackDomain: 'localhost',
    });
    const oa = await control(stage(), 'POST', '/apps', {
      kind: 'official',
      oauthDomain: 'localhost',
      appid: 'wx1',
      secret: 's',
    });
    const mini = await control(stage(), 'POST', '/apps', { kind: 'mini', account: id });
    const mobile = await control(stage(), 'POST', '/apps', { kind: 'mobile', account: id });
    const ming = await control(stage(), 'POST', '/people', { nickname: '小明', id: 'ming' });

    expect(site.body).toMatchObject({
      kind: 'website',
      appid: textLike(/^wx[0-9a-f]{16}$/),
      secret: textLike(/^[0-9a-f]{32}$/),
      accountId: id,
    });
    expect(oa.body).toMatchObject({
      kind: 'official',
      appid: 'wx1',
      secret: 's',
      originalId: textLike(/^gh_/),
    });
    expect(oa.body).not.toHaveProperty('accountId');
    expect([mini.body['kind'], mobile.body['kind']]).toEqual(['mini', 'mobile']);
    expect(ming.body).toMatchObject({
      id: 'ming',
      nickname: '小明',
      openids: { wx1: textLike(/^o[\w-]{27}$/) },
      unionids: { [String(id)]: textLike(/^o/) },
    });
    const { body: whole } = await control(stage(), 'GET', '');
    expect(whole).toMatchObject({ endpoints: stage().wechat.endpoints, rules: { deny: 'no-redirect' } });
  });

  it('scans, confirms and refuses as a person', async () => {
    const { wechat, lan } = stage();
    const screen = await wechat.showQrCode(qrconnectUrl(stage()));
    const listed = await control(stage(), 'GET', '/qr-codes');

    const scanned = await control(stage(), 'POST', `/people/${lan.id}/scan`, { content: screen.content });
    const confirmed = await control(stage(), 'POST', `/people/${lan.id}/confirm`);
    const nothing = await control(stage(), 'POST', `/people/${lan.id}/deny`);

    expect(listed.body['qrCodes']).toMatchObject([
      { kind: 'login', content: screen.content, onScreen: true },
    ]);
    expect(scanned.body['kind']).toBe('login');
    expect(confirmed.body).toMatchObject({ status: 200, body: textLike(/登录成功/) });
    expect(nothing).toMatchObject({ status: 400, body: { error: textLike(/^nothing on the phone/) } });
    expect((await screen.finish()).errcode).toBe(405);
  });

  it('follows, writes and reads chats, and shows deliveries with their long ids', async () => {
    const { lan, oa, app } = stage();
    const at = `/people/${lan.id}`;
    await control(stage(), 'POST', `${at}/follow`, { appid: oa.appid });
    const said = await control(stage(), 'POST', `${at}/say`, { appid: oa.appid, text: 'hello' });
    const chat = await control(stage(), 'GET', `${at}/chats/${oa.appid}`);
    const deliveries = await control(stage(), 'GET', `/apps/${oa.appid}/deliveries`);

    expect(said.body).toMatchObject({
      outcome: 'answered',
      fields: { Content: 'hello', MsgId: textLike(/^\d{19}$/) },
    });
    expect(chat.body['messages']).toMatchObject([{ from: 'person', text: 'hello' }]);
    expect(deliveries.body['deliveries']).toHaveLength(2);
    expect(app.heard).toHaveLength(2);
  });

  it('opens links, posts forms and hands out codes of mini programs and mobile apps', async () => {
    const { lan, app, account } = stage();
    const at = `/people/${lan.id}`;
    const opened = await control(stage(), 'POST', `${at}/open`, { url: app.origin, client: 'ios' });
    await control(stage(), 'POST', `${at}/post`, { url: app.origin, form: { a: '1' } });
    const mini = await control(stage(), 'POST', `${at}/wx-login`, { appid: account.miniProgram().appid });
    const mobile = await control(stage(), 'POST', `${at}/send-auth`, { appid: account.mobileApp().appid });
    const wrong = await control(stage(), 'POST', `${at}/wx-login`, { appid: stage().oa.appid });

    expect(opened.body).toMatchObject({ status: 200, body: 'success' });
    expect(app.heard.map(({ method, body }) => method + body)).toEqual(['GET', 'POSTa=1']);
    expect(app.heard[0]?.headers['user-agent']).toContain('iPhone');
    expect([mini.body['code'], mobile.body['code']]).toEqual([textLike(/^0\w{31}$/), textLike(/^0\w{31}$/)]);
    expect(wrong.status).toBe(400);
  });

  it('changes and verifies an app, and sends pushes of one’s own making', async () => {
    const { oa, app } = stage();
    const changed = await control(stage(), 'POST', `/apps/${oa.appid}`, {
      accountId: null,
      server: { mode: 'plain', token: 'new' },
    });
    const pushed = await control(stage(), 'POST', `/apps/${oa.appid}/push`, {
      fields: { FromUserName: 'oX', MsgType: 'event', Event: 'SCAN' },
      timestamp: 1,
    });
    const verified = await control(stage(), 'POST', `/apps/${oa.appid}/verify`);

    expect(changed.body).toMatchObject({
      server: { mode: 'plain', token: 'new', url: `${app.origin}/wechat` },
    });
    expect(changed.body).not.toHaveProperty('accountId');
    expect(Object.values(pushed.body)).toMatchObject([{ status: 200 }]);
    expect(app.heard[0]?.url.searchParams.get('timestamp')).toBe('1');
    expect(verified.body['ok']).toBe(false);
  });

  it('moves faults, calls, clock and rules', async () => {
    const { wechat } = stage();
    await control(stage(), 'POST', '/faults', { path: '/sns/auth', fault: { status: 502, body: 'bad' } });
    await control(stage(), 'POST', '/faults', { path: '/sns/*', always: true, fault: { errcode: 45011 } });
    const first = await fetch(`${wechat.endpoints.api}/sns/auth`);
    const second = await (await fetch(`${wechat.endpoints.api}/sns/auth`)).text();
    await control(stage(), 'DELETE', '/faults');
    const calls = await control(stage(), 'GET', '/calls?path=/sns/auth');
    const clock = await control(stage(), 'POST', '/clock', { set: '2030-01-01T00:00:00Z' });
    const later = await control(stage(), 'POST', '/clock', { advance: 3600 });
    const rules = await control(stage(), 'POST', '/rules', { deny: 'state-only' });

    expect([first.status, second]).toEqual([502, textLike(/45011/)]);
    expect(calls.body['calls']).toHaveLength(2);
    expect(clock.body['now']).toMatch(/^2030-01-01T00:00:00/);
    expect(later.body['now']).toMatch(/^2030-01-01T01:00:0/);
    expect(rules.body['deny']).toBe('state-only');
    expect(wechat.rules.deny).toBe('state-only');
  });

  it('starts over', async () => {
    const { wechat, lan } = stage();
    await control(stage(), 'POST', '/rules', { deny: 'state-only' });
    wechat.clock.advance(86_400);

    await control(stage(), 'POST', '/reset');

    expect((await control(stage(), 'GET', `/people/${lan.id}`)).status).toBe(404);
    expect(wechat.people()).toEqual([]);
    expect(wechat.rules.deny).toBe('no-redirect');
    expect(Math.abs(wechat.clock.now() - Date.now())).toBeLessThan(1000);
  });

  it('names the mistake in what it is sent, and leaves itself out of the call log', async () => {
    const { wechat, oa } = stage();

    expect(await control(stage(), 'POST', '/people', { nick: 'x' })).toMatchObject({
      status: 400,
      body: { error: textLike(/nickname/) },
    });
    expect((await control(stage(), 'POST', '/apps', { kind: 'website' })).body['error']).toBe(
      'a website app needs a callbackDomain',
    );
    expect((await control(stage(), 'POST', '/apps', { kind: 'mini', account: 'open-9' })).status).toBe(404);
    expect((await control(stage(), 'POST', '/rules', { nonsense: 1 })).body['error']).toMatch(/nonsense/);
    expect(
      (await control(stage(), 'POST', '/people/nobody/say', { appid: oa.appid, text: 'x' })).status,
    ).toBe(404);
    expect(wechat.calls()).toEqual([]);
  });

  it.each([
    [{ origin: 'https://evil.example' }],
    [{ origin: 'null' }],
    [{ host: 'evil.example' }],
    [{ host: 'evil.example:3001', origin: 'http://evil.example:3001' }],
  ])('is closed to pages of others: %j', async (headers) => {
    const { port } = new URL(stage().wechat.endpoints.api);
    const lines = Object.entries({ host: `127.0.0.1:${port}`, ...headers }).map(
      ([name, value]) => `${name}: ${value}`,
    );

    const answer = await rawRequest(
      Number(port),
      ['GET /_emulator/ HTTP/1.0', ...lines, '', ''].join('\r\n'),
    );

    expect(answer).toMatch(/^HTTP\/1\.1 403 /);
    expect(answer).not.toContain(stage().oa.secret);
  });

  it.each(['localhost', 'phone.localhost', '[::1]', 'emulator', 'api.weixin.qq.com'])(
    'answers under the name %s, also to its own page',
    async (name) => {
      const { port } = new URL(stage().wechat.endpoints.api);
      const head = [
        'GET /_emulator/ HTTP/1.0',
        `host: ${name}:${port}`,
        `origin: http://${name}:${port}`,
        '',
        '',
      ];

      expect(await rawRequest(Number(port), head.join('\r\n'))).toMatch(/^HTTP\/1\.1 200 /);
    },
  );

  it('encrypts a profile as a mini program does', async () => {
    const { account, lan } = stage();
    const mini = account.miniProgram();
    const login = await control(stage(), 'POST', `/people/${lan.id}/wx-login`, { appid: mini.appid });

    const profile = await control(stage(), 'POST', `/people/${lan.id}/encrypted-profile`, {
      appid: mini.appid,
    });

    expect(login.status).toBe(200);
    expect(profile.body).toEqual({
      rawData: textLike(/小兰/),
      signature: textLike(/^[0-9a-f]{40}$/),
      encryptedData: textLike(/^[A-Za-z0-9+/=]+$/),
      iv: textLike(/==$/),
    });
  });
});

/** What a server answers to these very bytes. */
async function rawRequest(port: number, request: string): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  socket.write(request);
  return text(socket);
}
