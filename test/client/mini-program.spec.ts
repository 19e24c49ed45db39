import { createRequire } from 'node:module';
import type { MiniProgram, Person } from '../../emulator/index.js';
import {
  IamClientError,
  MiniProgramClient,
  type MiniProgramClientOptions,
} from '../../mini-program/index.js';
import type { WechatApi, WechatRequest } from '../../mini-program/index.js';
import { FakeClock } from '../support/fake-clock.js';
import { startWorld, type World } from '../support/iam-app.js';
import { rowsOf } from '../support/rows.js';

/** `wx` of a mini program on one person's phone, with what a test needs to see and to break. */
class Phone implements WechatApi {
  readonly storage = new Map<string, unknown>();
  readonly requests: WechatRequest[] = [];
  logins = 0;
  isOffline = false;
  /** The next response is lost on its way. */
  losesNext = false;

  constructor(
    private readonly person: Person,
    private readonly mini: MiniProgram,
  ) {}

  login({ success, fail }: Parameters<WechatApi['login']>[0]): void {
    if (this.isOffline) {
      fail?.({ errMsg: 'login:fail network', errno: 600000 });
      return;
    }
    this.logins += 1;
    success?.({ code: this.person.wxLogin(this.mini) });
  }

  request(options: Parameters<WechatApi['request']>[0]): void {
    this.requests.push(options);
    void this.send(options).catch(() => options.fail?.({ errMsg: 'request:fail' }));
  }

  getStorageSync(key: string): unknown {
    return this.storage.get(key) ?? '';
  }

  setStorageSync(key: string, value: unknown): void {
    this.storage.set(key, structuredClone(value));
  }

  removeStorageSync(key: string): void {
    this.storage.delete(key);
  }

  /** What was posted to `/token`. */
  get grants(): unknown[] {
    const tokens = this.requests.filter(({ url }) => url.endsWith('/token'));
    return tokens.map(({ data }) =>
      typeof data === 'object' && 'grant_type' in data ? data['grant_type'] : null,
    );
  }

  private async send({ url, method = 'GET', data, header, success }: Parameters<WechatApi['request']>[0]) {
    if (this.isOffline) throw new Error('offline');
    const response = await fetch(url, {
      method,
      headers: { 'content-type': 'application/json', ...header },
      ...(method !== 'GET' && { body: JSON.stringify(data ?? {}) }),
    });
    const text = await response.text();
    if (this.losesNext) {
      this.losesNext = false;
      throw new Error('lost');
    }
    const body: unknown = text === '' ? '' : JSON.parse(text);
    const { status: statusCode, headers } = response;
    if (isAnything(body)) success?.({ data: body, statusCode, header: Object.fromEntries(headers) });
  }
}

/** `wx.request` says nothing of what it got; who asked knows. */
function isAnything(body: unknown): body is never {
  return body !== undefined;
}

const MINI_GRANT = 'urn:wechat:grant:mini_program';

describe('the client of a mini program', () => {
  let world: World;
  let mini: MiniProgram;
  const clock = new FakeClock();

  beforeAll(async () => {
    const clients = [{ id: 'mini', redirectUris: [] }];
    world = await startWorld({ clock, options: { rateLimits: 'off', clients } });
    mini = world.account.miniProgram();
    await world.saveProvider({ mini_app_id: mini.appid, mini_app_secret: mini.secret });
  });
  afterAll(() => world.close());
  afterEach(() => world.saveProvider({ sign_up: 'auto' }));

  const open = (changes: Partial<MiniProgramClientOptions> = {}) => {
    const person = world.wechat.person({ nickname: '小兰' });
    const phone = new Phone(person, mini);
    const options = { server: `${world.url}/iam/`, clientId: 'mini', provider: 'wechat', wx: phone };
    return { person, phone, options, iam: new MiniProgramClient({ ...options, ...changes }) };
  };
  const me = () => ({ url: `${world.url}/iam/me` });

  it('signs in once for all who ask at once, and keeps no code', async () => {
    const { phone, iam } = open({ keepTokensIn: 'storage' });
    const changes: boolean[] = [];
    iam.onChange((isSignedIn) => changes.push(isSignedIn));
    expect(await iam.getUser()).toBeNull();

    const users = await Promise.all([iam.signIn(), iam.signIn()]);

    expect(users.map(({ identities }) => identities.map(({ kind }) => kind))).toEqual([['mini'], ['mini']]);
    expect([phone.logins, phone.grants, changes]).toEqual([1, [MINI_GRANT], [true]]);
    const sent = JSON.stringify(phone.requests[0]?.data);
    const code = /"code":"([^"]+)"/.exec(sent)?.[1] ?? '';
    expect(code).not.toBe('');
    expect(JSON.stringify([...phone.storage])).not.toContain(code);
  });

  it('sends what is asked beside a sign-in as the person who signs in', async () => {
    const { iam } = open();

    const signingIn = iam.signIn();
    const [user, { statusCode }, token] = await Promise.all([
      iam.getUser(),
      iam.request(me()),
      iam.getAccessToken(),
    ]);

    expect([user, statusCode]).toEqual([await signingIn, 200]);
    expect(token).toMatch(/^eyJ/);
  });

  it('goes on with the tokens in its storage after a cold start, and without storage signs in again', async () => {
    const stored = open({ keepTokensIn: 'storage' });
    await stored.iam.signIn();
    const fresh = open();
    await fresh.iam.signIn();

    const again = new MiniProgramClient({ ...stored.options, keepTokensIn: 'storage' });

    expect(await again.getUser()).toMatchObject({ identities: [{ kind: 'mini' }] });
    expect(await again.getAccessToken()).toMatch(/^eyJ/);
    expect(fresh.phone.storage.size).toBe(0);
    expect(await new MiniProgramClient(fresh.options).getUser()).toBeNull();
  });

  it('refreshes once for many requests, also when a response is lost', async () => {
    const { phone, iam } = open();
    await iam.signIn();
    clock.advance(1_000);

    const statuses = await Promise.all([1, 2, 3].map(async () => (await iam.request(me())).statusCode));
    phone.losesNext = true;
    await iam.refresh();

    expect(statuses).toEqual([200, 200, 200]);
    expect(phone.grants).toEqual([MINI_GRANT, 'refresh_token', 'refresh_token', 'refresh_token']);
    expect((await iam.request(me())).statusCode).toBe(200);
  });

  it('keeps its session while the phone is offline, and says what failed', async () => {
    const { phone, iam } = open();
    phone.isOffline = true;
    await expect(iam.signIn()).rejects.toMatchObject({
      name: 'IamClientError',
      code: 'wechat_login_failed',
      details: { errno: 600000 },
    });
    phone.isOffline = false;
    await iam.signIn();
    phone.isOffline = true;

    await expect(iam.refresh()).rejects.toMatchObject({ code: 'network_error', status: 0 });
    phone.isOffline = false;

    expect(await iam.getUser()).not.toBeNull();
  });

  it('never sends a code twice: a lost response is answered by another sign-in', async () => {
    const { phone, iam } = open();
    phone.losesNext = true;

    await expect(iam.signIn()).rejects.toMatchObject({ code: 'network_error' });
    await iam.signIn();

    const codes = phone.requests
      .filter(({ url }) => url.endsWith('/token'))
      .map(({ data }) => JSON.stringify(data));
    expect(new Set(codes).size).toBe(2);
    expect(codes).toHaveLength(2);
  });

  it('gives the host what connects an account, and then signs in anew', async () => {
    await world.saveProvider({ sign_up: 'bind' });
    const { iam } = open();

    const refused = await iam.signIn().catch((error: unknown) => error);

    expect(refused).toBeInstanceOf(IamClientError);
    expect(refused).toMatchObject({ code: 'binding_required', details: { error: 'binding_required' } });
    expect(refused instanceof IamClientError && refused.bindingToken).toMatch(/.+/);
  });

  it('ends the session here and at the server', async () => {
    const { iam } = open();
    const user = await iam.signIn();

    await iam.signOut();

    const rows = await rowsOf(world.dataSource, 'SELECT end_reason FROM iam.sessions WHERE user_id = $1', [
      user.id,
    ]);
    expect(rows).toEqual([{ end_reason: 'revoked' }]);
    expect([await iam.getUser(), await iam.getAccessToken()]).toEqual([null, null]);
    expect((await iam.request(me())).statusCode).toBe(401);
  });

  it('signs in with a phone number, after a sign-in without one that is under way', async () => {
    const { person, phone, iam } = open();
    world.wechat.clock.set(new Date(clock.now()));

    const [without, withNumber] = await Promise.all([
      iam.signIn(),
      iam.signIn({ phoneCode: person.phoneNumberCode(mini) }),
    ]);

    expect([without.phone_number, withNumber.id]).toEqual([null, without.id]);
    expect(withNumber.phone_number).toMatch(/^\+86\d{11}$/);
    expect(phone.grants).toEqual([MINI_GRANT, MINI_GRANT]);
    await expect(iam.signIn({ phoneCode: 'wrong' })).rejects.toMatchObject({ code: 'phone_code_invalid' });
  });

  it('adds a phone number by the code of its button', async () => {
    const { person, iam } = open();
    world.wechat.clock.set(new Date(clock.now()));
    await iam.signIn();

    const number = await iam.verifyPhoneNumber(person.phoneNumberCode(mini));

    expect(number).toMatch(/^\+86\d{11}$/);
    expect(await iam.getUser()).toMatchObject({ phone_number: number });
    await expect(iam.verifyPhoneNumber('wrong')).rejects.toMatchObject({ code: 'phone_code_invalid' });
  });

  it.each([
    'https://evil.example/me',
    'http://localhost:1/me',
    'HTTP://localhost.evil.example/',
    '//evil.example',
  ])('sends its token to no origin that nobody has named (%s)', async (url) => {
    const { phone, iam } = open();
    await iam.signIn();
    const before = phone.requests.length;

    await expect(iam.request({ url })).rejects.toMatchObject({ code: 'origin_not_allowed' });

    expect(phone.requests).toHaveLength(before);
  });

  it.each([{ server: '/iam' }, { origins: ['api.example.com'] }, { origins: [''] }])(
    'is not made for an address without an origin, which would admit any other (%j)',
    (changes) => {
      expect(() => open(changes)).toThrow(TypeError);
    },
  );

  it('needs an object of the kind of wx, and is there for require', () => {
    const options = { server: 'https://app.example.com/iam', clientId: 'web', provider: 'wechat' };
    const required: unknown = createRequire(import.meta.url)('../../dist/commonjs/mini-program/index.js');

    expect(() => new MiniProgramClient(options)).toThrow(TypeError);
    expect(required).toHaveProperty('MiniProgramClient');
  });
});
