import {
  Controller,
  type DynamicModule,
  ForbiddenException,
  Get,
  Module,
  Req,
  type Type,
  UnauthorizedException,
  UseGuards,
} from '@nestjs/common';
import { z } from 'zod';
import type { Person } from '../../emulator/index.js';
import { type IamHooks, IamUsers } from '../../src/index.js';
import { startWorld, type World } from '../support/iam-app.js';
import { PcBrowser } from '../support/pc-browser.js';
import { rowsOf } from '../support/rows.js';
import { onPc } from '../support/signed-in.js';
import { getWith, redeem, returnFromPc } from '../support/sign-in.js';
import { BrowserTab, loadModule } from './browser-tab.js';
import { loadExample } from './load-example.js';
import { exampleOf, type Example } from './pages.js';

const example = (name: string): Example => exampleOf('docs/existing-users.md', name);
const isType = z.custom<Type<unknown>>((value) => typeof value === 'function');
const isHooks = z.custom<Type<IamHooks>>((value) => typeof value === 'function');
type AsyncFunction = (...input: unknown[]) => Promise<unknown>;
const asyncFunction = z.custom<AsyncFunction>((value) => typeof value === 'function');
const tokens = z.object({ access_token: z.string() });

/** The accounts of a host in a test: `afang` is a member, `xiaohe` was one. */
class TestMembers {
  readonly rows = new Map([
    ['m-1', '阿芳'],
    ['m-2', '小何'],
  ]);

  async getByPassword(login: string, password: string): Promise<{ id: string }> {
    const id = { afang: 'm-1', xiaohe: 'm-2' }[login];
    if (id === undefined || password !== 'right') throw new UnauthorizedException();
    if (login === 'xiaohe') throw new ForbiddenException();
    return { id };
  }

  async create(name: string): Promise<{ id: string }> {
    const id = `m-${this.rows.size + 1}`;
    this.rows.set(id, name);
    return { id };
  }

  async remove(id: string): Promise<void> {
    this.rows.delete(id);
  }
}

/** A host whose own sign-in is a header, and which has closed the account `m-9`. */
class TestSignIn {
  async findMemberId(request: { headers: Record<string, string | undefined> }): Promise<string | null> {
    return request.headers['x-member'] ?? null;
  }

  async isActive(id: string): Promise<boolean> {
    return id !== 'm-9';
  }
}

async function hostOf(members: TestMembers, Staff: Type<unknown>): Promise<DynamicModule> {
  const [host, guard] = [await loadExample(example('host')), await loadExample(example('guard'))];
  const MemberGuard = isType.parse(guard['MemberGuard']);

  @Controller('orders')
  class OrdersController {
    @Get()
    @UseGuards(MemberGuard)
    list(@Req() request: { memberId?: string }) {
      return { ordersOf: request.memberId };
    }
  }
  @Module({})
  class Host {}
  return {
    module: Host,
    controllers: [isType.parse(host['MemberWechatController']), OrdersController],
    providers: [
      { provide: isType.parse(host['Members']), useValue: members },
      { provide: isType.parse(guard['OwnSignIn']), useClass: TestSignIn },
      Staff,
    ],
  };
}

describe('its two sides, run as they are', () => {
  const members = new TestMembers();
  let Staff: Type<unknown>;
  let world: World;
  let tab: BrowserTab;

  beforeAll(async () => {
    Staff = isType.parse((await loadExample(example('ahead')))['Staff']);
    world = await startWorld({ imports: [await hostOf(members, Staff)] });
    await world.dataSource.query(example('bind-row').code);
    // The row acts within 5 seconds; saving it acts at once.
    await world.saveProvider({});
    tab = new BrowserTab(world.url);
    tab.show();
  });
  afterAll(async () => {
    tab.close();
    await world.close();
  });

  const load = async () => {
    const page = await loadModule(example('front-end').code);
    const functions = { requestTokens: asyncFunction, haveAccount: asyncFunction, amNew: asyncFunction };
    return z.object(functions).parse(page);
  };
  /** Up to the question; returns what answers it. */
  const beAsked = async (person: Person) => {
    const page = await load();
    const { browser, returned, verifier } = await returnFromPc(world, person);
    tab.openIn(browser);
    const answer = await page.requestTokens({
      grant_type: 'authorization_code',
      code: returned.location?.searchParams.get('code') ?? '',
      code_verifier: verifier,
    });
    expect(answer).toMatchObject({ error: 'binding_required' });
    return page;
  };
  const ordersWith = async (headers: Record<string, string>) => {
    const answer = await fetch(`${world.url}/orders`, { headers });
    return answer.ok ? answer.json() : answer.status;
  };

  it('“I have an account”: tokens of the account, after a wrong password and the right one, without a second scan', async () => {
    const lan = world.wechat.person({ nickname: '小兰' });
    const { haveAccount } = await beAsked(lan);

    const wrong = await haveAccount('afang', 'wrong');
    const issued = tokens.parse(await haveAccount('afang', 'right'));
    const later = await onPc(world, lan);

    expect(wrong).toMatchObject({ statusCode: 401 });
    expect(later.me).toMatchObject({ external_id: 'm-1', nickname: '小兰' });
    expect(await ordersWith({ authorization: `Bearer ${issued.access_token}` })).toEqual({ ordersOf: 'm-1' });
  });

  it('“I am new here”: an account of the host’s, and its tokens', async () => {
    const { amNew } = await beAsked(world.wechat.person({ nickname: '阿伟' }));

    const issued = tokens.parse(await amNew('阿伟'));

    const me = await getWith(`${world.url}/iam/me`, issued.access_token);
    expect(members.rows.get(String(me.json()['external_id']))).toBe('阿伟');
  });

  it('adds a second WeChat to an account, and whoever was signed in has to sign in again', async () => {
    const first = await beAsked(world.wechat.person({ nickname: '一' }));
    await first.haveAccount('afang', 'right');
    const second = await beAsked(world.wechat.person({ nickname: '二' }));

    const issued = tokens.parse(await second.haveAccount('afang', 'right'));

    const me = await getWith(`${world.url}/iam/me`, issued.access_token);
    expect(me.json()).toMatchObject({ external_id: 'm-1' });
    const sessions = await rowsOf(
      world.dataSource,
      `SELECT end_reason FROM iam.sessions WHERE user_id = $1 ORDER BY created_at DESC, id DESC`,
      [me.json()['id']],
    );
    expect(sessions[0]).toEqual({ end_reason: null });
    expect(sessions.slice(1).every(({ end_reason }) => end_reason === 'identity_bound')).toBe(true);
    expect(sessions.length).toBeGreaterThan(1);
  });

  it('answers the module’s codes, and takes a newcomer’s account back, when the token is too old or was used', async () => {
    const before = members.rows.size;
    const late = await beAsked(world.wechat.person({ nickname: '迟' }));
    await world.dataSource.query(`UPDATE iam.logins SET redeem_before = now() WHERE status = 'binding'`);

    const answers = [await late.amNew('迟'), await late.haveAccount('afang', 'right')];

    expect(answers).toEqual(Array(2).fill({ error: 'binding_token_invalid' }));
    expect(members.rows.size).toBe(before);
  });

  it('refuses a token that another browser brings', async () => {
    const { haveAccount } = await beAsked(world.wechat.person({ nickname: '骗' }));
    tab.openIn(new PcBrowser());

    expect(await haveAccount('afang', 'right')).toEqual({ error: 'binding_token_invalid' });
  });

  it('leaves the decision about a disabled account to the host', async () => {
    const { haveAccount } = await beAsked(world.wechat.person({ nickname: '何' }));

    expect(await haveAccount('xiaohe', 'right')).toMatchObject({ statusCode: 403 });
    expect(await world.app.get(IamUsers).findByExternalId('m-2')).toBeNull();
  });

  it('guards a route for both ways of being signed in', async () => {
    expect(await ordersWith({ 'x-member': 'm-2' })).toEqual({ ordersOf: 'm-2' });
    expect(await ordersWith({ 'x-member': 'm-9' })).toBe(401);
    expect(await ordersWith({})).toBe(401);
    expect(await ordersWith({ authorization: 'Bearer forged', 'x-member': 'm-2' })).toBe(401);
  });

  it('prepares users ahead, once', async () => {
    const staff = z
      .object({ prepare: asyncFunction })
      .loose()
      .parse(world.app.get(Staff, { strict: false }));

    await staff.prepare(['s-1', 's-2']);
    await staff.prepare(['s-1', 's-3']);

    const rows = await rowsOf(
      world.dataSource,
      `SELECT external_id FROM iam.users WHERE external_id LIKE 's-%' ORDER BY external_id`,
    );
    expect(rows.map(({ external_id }) => external_id)).toEqual(['s-1', 's-2', 's-3']);
  });
});

describe('its hook for people whose openid the host has already, run as it is', () => {
  let world: World;

  beforeAll(async () => {
    const KnownPeople = isHooks.parse((await loadExample(example('known-people')))['KnownPeople']);
    world = await startWorld({ options: { hooks: KnownPeople } });
    await world.dataSource.query(
      'CREATE TABLE wechat_accounts (member_id text, appid text, openid text, unionid text)',
    );
  });
  afterAll(() => world.close());

  it('leads them to their account by openid or unionid, and refuses anybody else', async () => {
    const [byOpenid, byUnionid, unknown] = ['甲', '乙', '丙'].map((nickname) =>
      world.wechat.person({ nickname }),
    );
    if (byOpenid === undefined || byUnionid === undefined || unknown === undefined) throw new Error('people');
    await world.dataSource.query(
      'INSERT INTO wechat_accounts VALUES ($1, $2, $3, NULL), ($4, NULL, NULL, $5)',
      ['m-1', world.site.appid, byOpenid.openid(world.site), 'm-2', byUnionid.unionid(world.account)],
    );

    const known = [await onPc(world, byOpenid), await onPc(world, byUnionid)];
    const refused = await returnFromPc(world, unknown);

    expect(known.map(({ me }) => me['external_id'])).toEqual(['m-1', 'm-2']);
    expect(refused.returned.location?.searchParams.get('error')).toBe('access_denied');
    expect((await redeem(world.url, refused)).status).toBe(400);
  });
});
