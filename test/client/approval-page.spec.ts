import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { runInNewContext } from 'node:vm';
import type { MiniProgram, MiniVisit, Person } from '../../emulator/index.js';
import { MiniProgramClient, type WechatApi } from '../../mini-program/index.js';
import { pollUntilSettled } from '../support/follow.js';
import {
  askForMiniCode,
  linkedSceneOf,
  type MiniDevice,
  miniDeviceOf,
  miniToken,
  type MiniWorld,
  postApproval,
  startMiniWorld,
} from '../support/mini.js';
import { PcBrowser } from '../support/pc-browser.js';
import { valueOf } from '../support/rows.js';
import { until } from '../support/until.js';

const folder = new URL('../../example/mini-program/', import.meta.url).pathname;

type Handler = (this: PageInstance, event?: unknown) => unknown;

/** What `Page({…})` gets, and what WeChat makes of it. */
interface PageInstance {
  data: Record<string, unknown>;
  setData(changes: Record<string, unknown>): void;
  readonly [name: string]: unknown;
}

/** The mini program's files on one person's phone: `wx` is a stub over the emulator's logins and real requests. */
class Program {
  readonly sent: string[] = [];
  isOffline = false;
  private readonly modules = new Map<string, unknown>();
  private app: unknown;
  private page: PageInstance | undefined;
  private entry: { path: string; query: object; scene: number } = { path: '', query: {}, scene: 1001 };

  constructor(
    private readonly person: Person,
    private readonly mini: MiniProgram,
    private readonly server: string,
    private readonly language = 'zh_CN',
  ) {
    this.run('app.js');
  }

  /** A code or link opens the page. */
  async enter({ page, query, entry }: Pick<MiniVisit, 'page' | 'query' | 'entry'>): Promise<void> {
    const isHot = this.page !== undefined;
    this.entry = { path: page, query, scene: entry };
    if (!isHot) this.run(`${page}.js`);
    await (isHot ? this.call('onShow') : this.call('onLoad', query));
    await until('the page has opened', () => this.data['state'] !== 'opening');
  }

  get data(): Record<string, unknown> {
    if (this.page === undefined) throw new Error('no page is open');
    return this.page.data;
  }

  /** A tap on a button, or another event of the page. */
  async call(handler: string, event?: unknown): Promise<void> {
    const found = this.page?.[handler];
    if (this.page === undefined || typeof found !== 'function') throw new Error(`the page has no ${handler}`);
    await (found as Handler).call(this.page, event);
  }

  private run(path: string): unknown {
    const known = this.modules.get(path);
    if (known !== undefined) return known;
    const module = { exports: {} as unknown };
    const context = {
      module,
      wx: this.wx(),
      App: (app: unknown) => (this.app = app),
      getApp: () => this.app,
      Page: (page: Record<string, unknown>) => this.open(page),
      require: (name: string) => this.require(join(path, '..', name)),
    };
    runInNewContext(readFileSync(join(folder, path), 'utf8'), context, { filename: path });
    this.modules.set(path, module.exports);
    return module.exports;
  }

  /** The client is that of this repository, and the configuration that of the test. */
  private require(path: string): unknown {
    if (path === 'iam') return { MiniProgramClient: this.client() };
    if (path === 'config') return { server: this.server, clientId: 'web', provider: 'wechat' };
    return this.run(`${path}.js`);
  }

  private client() {
    const wx = this.wx();
    return class extends MiniProgramClient {
      constructor(options: ConstructorParameters<typeof MiniProgramClient>[0]) {
        super({ ...options, wx });
      }
    };
  }

  private open(page: Record<string, unknown>): void {
    const data = structuredClone(page['data']) as Record<string, unknown>;
    const instance = { ...page, data, setData: (changes: object) => Object.assign(data, changes) };
    this.page = instance;
  }

  private wx() {
    const storage = new Map<string, unknown>();
    return {
      getAppBaseInfo: () => ({ language: this.language }),
      getEnterOptionsSync: () => this.entry,
      getStorageSync: (key: string) => storage.get(key) ?? '',
      setStorageSync: (key: string, value: unknown) => void storage.set(key, value),
      removeStorageSync: (key: string) => void storage.delete(key),
      login: ({ success }: Parameters<WechatApi['login']>[0]) =>
        success?.({ code: this.person.wxLogin(this.mini) }),
      request: (options: WxRequest) => void this.request(options),
    };
  }

  private async request({ url, method = 'GET', data, header: own, success, fail }: WxRequest): Promise<void> {
    this.sent.push(new URL(url).pathname);
    if (this.isOffline) {
      fail?.({ errMsg: 'request:fail' });
      return;
    }
    const response = await fetch(url, {
      method,
      headers: { 'content-type': 'application/json', ...own },
      ...(method !== 'GET' && { body: JSON.stringify(data ?? {}) }),
    });
    const text = await response.text();
    const body: unknown = text === '' ? '' : JSON.parse(text);
    const header = Object.fromEntries(response.headers);
    if (isAnything(body)) success?.({ data: body, statusCode: response.status, header });
  }
}

type WxRequest = Parameters<WechatApi['request']>[0];

/** `wx.request` says nothing of what it got; who asked knows. */
function isAnything(body: unknown): body is never {
  return body !== undefined;
}

describe('the approval page to copy', () => {
  let world: MiniWorld;

  beforeAll(async () => {
    const clients = [{ id: 'orders', name: '订单', redirectUris: [] }];
    world = await startMiniWorld({}, { options: { rateLimits: 'off', clients } });
  });
  afterAll(() => world.close());
  afterEach(() => world.saveProvider({ qr_confirmation: 'tap', sign_up: 'auto' }));

  const ask = async (): Promise<MiniDevice> => miniDeviceOf(await askForMiniCode(world.url));
  const phoneOf = (language?: string) => {
    const person = world.wechat.person({ nickname: '小兰' });
    return { person, program: new Program(person, world.mini, `${world.url}/iam`, language) };
  };
  /** How the phone enters, without the emulator's own page. */
  const entryOf = (device: MiniDevice, entry = 1047) => {
    const scheme = new URLSearchParams(device.openLink.replace(/^.*\?/, ''));
    const scene = encodeURIComponent((scheme.get('query') ?? '').replace('scene=', ''));
    return { page: scheme.get('path') ?? '', query: { scene }, entry };
  };

  it('asks, and confirms by a tap', async () => {
    const { program } = phoneOf();
    const device = await ask();

    await program.enter(entryOf(device));
    expect(program.data).toMatchObject({
      state: 'asking',
      title: '确认登录？',
      approval: { user_code: device.typedCode },
      facts: [
        { name: '网站', value: new URL(world.url).host },
        { name: '浏览器' },
        { name: '网络地址', value: '127.0.0.1' },
        { name: '时间' },
      ],
    });
    await Promise.all([program.call('confirm'), program.call('confirm')]);

    expect(program.data['state']).toBe('confirmed');
    expect((await pollUntilSettled(world.url, device)).status).toBe(200);
    expect(program.sent.filter((path) => path.includes('/approvals/'))).toHaveLength(1);
  });

  it('names the application that the device signs in to', async () => {
    const { program } = phoneOf();
    const device = miniDeviceOf(await askForMiniCode(world.url, new PcBrowser(), 'orders'));

    await program.enter(entryOf(device));

    expect(program.data).toMatchObject({
      title: '登录「订单」？',
      facts: [{ name: '网站' }, { name: '应用', value: '订单' }, { name: '浏览器' }, {}, {}],
    });
  });

  it('signs in once again where the session has ended since, to ask and to confirm', async () => {
    const { program } = phoneOf();
    const endAll = () => world.dataSource.query('UPDATE iam.sessions SET ended_at = now()');
    await program.enter(entryOf(await ask()));
    await endAll();
    const device = await ask();

    await program.enter(entryOf(device));
    expect(program.data['state']).toBe('asking');
    await endAll();
    await program.call('confirm');

    expect(program.data['state']).toBe('confirmed');
    expect((await pollUntilSettled(world.url, device)).status).toBe(200);
    expect(program.sent.filter((path) => path === '/iam/token')).toHaveLength(3);
  });

  it('asks anew for a second code that is scanned while it is open, and denies in English', async () => {
    const { program } = phoneOf('en');
    const first = await ask();
    await program.enter(entryOf(first));
    const second = await ask();
    await program.enter(entryOf(second));

    expect(program.data).toMatchObject({ title: 'Sign in?', approval: { user_code: second.typedCode } });
    await program.call('deny');
    expect(program.data['state']).toBe('denied');
    expect((await pollUntilSettled(world.url, second)).json()['error']).toBe('access_denied');
  });

  it.each([1129, 1154])('sends nothing when nobody is there (entry %i)', async (entry) => {
    const { program } = phoneOf();

    await program.enter(entryOf(await ask(), entry));

    expect([program.data['state'], program.sent]).toEqual(['stopped', []]);
  });

  it('takes the number again after a wrong one, where it is to be typed', async () => {
    await world.saveProvider({ qr_confirmation: 'number' });
    const { program } = phoneOf();
    const device = await ask();
    await program.enter(entryOf(device));

    await program.call('confirm');
    expect(program.data).toMatchObject({ state: 'asking', problem: '数字不正确，请重新输入' });
    await program.call('type', { detail: { value: device.number } });
    await program.call('confirm');

    expect(program.data['state']).toBe('confirmed');
  });

  it('says what is wrong, and offers another try where that can help', async () => {
    const { program } = phoneOf();
    program.isOffline = true;
    const device = await ask();

    await program.enter(entryOf(device));
    expect(program.data).toMatchObject({ state: 'stopped', canRetry: true, notice: '网络不可用，请重试' });
    program.isOffline = false;
    await program.call('retry');
    expect(program.data['state']).toBe('asking');

    const used = phoneOf().program;
    await used.enter(entryOf(device));
    expect(used.data).toMatchObject({ state: 'stopped', canRetry: false });
    await used.enter({ page: 'pages/approve/approve', query: { scene: '%' }, entry: 1047 });
    expect(used.data['state']).toBe('stopped');
  });

  it('spends the code of a phone number once, on the right number alone, also after a confirmation without one', async () => {
    await world.saveProvider({ qr_confirmation: 'number' });
    const calls = () => world.wechat.calls('/wxa/business/getuserphonenumber').length;
    for (const first of ['wrong', 'without']) {
      const { person } = phoneOf();
      const token = await miniToken(world, person, world.mini);
      const device = await ask();
      const { id } = (await postApproval(world.url, token, { scene: linkedSceneOf(device) })).json();
      const phone_code = person.phoneNumberCode(world.mini);
      const wrong = String((Number(device.number) + 1) % 10_000).padStart(4, '0');
      const confirm = (answer: object) => {
        const body = { decision: 'confirm', user_code: device.number, ...answer };
        return postApproval(world.url, token, body, String(id));
      };
      world.wechat.clearCalls();

      const before = await confirm(first === 'wrong' ? { user_code: wrong, phone_code } : {});
      const spent = calls();
      const replies = [await confirm({ phone_code }), await confirm({ phone_code })];

      expect([before.status, spent]).toEqual([first === 'wrong' ? 400 : 200, 0]);
      expect([...replies.map(({ status }) => status), calls()]).toEqual([200, 200, 1]);
      const numbers = `SELECT count(phone_number)::int FROM iam.users u JOIN iam.identities i ON i.user_id = u.id WHERE openid = $1`;
      expect(await valueOf(world.dataSource, numbers, [person.openid(world.mini)])).toBe(1);
    }
  });

  it('gives the number with the confirmation, or nothing where the person refuses it', async () => {
    const { program } = phoneOf();
    await program.enter(entryOf(await ask()));

    await program.call('confirmWithPhone', { detail: { errMsg: 'getPhoneNumber:fail user deny' } });
    expect(program.data['state']).toBe('asking');
  });
});
