import { Body, Controller, Module, Post, Req, UseFilters } from '@nestjs/common';
import type { Person } from '../../emulator/index.js';
import { IamErrorFilter, IamUsers } from '../../src/index.js';
import { callMe, handIn } from '../support/account.js';
import { codesOf, leavePage, openFollowPage, redeemFromPage, startOnPage } from '../support/follow-page.js';
import {
  askForQrCode,
  decideOnPhone,
  poll,
  pollUntilSettled,
  scanAndFollow,
  startFollowWorld,
} from '../support/follow.js';
import type { World } from '../support/iam-app.js';
import { PcBrowser, type Reply } from '../support/pc-browser.js';
import { platforms } from '../support/platforms.js';
import { rowsOf, valueOf } from '../support/rows.js';
import {
  approveOnPc,
  getWith,
  outlastGrace,
  type PcSignIn,
  pkce,
  redeem,
  returnFromPc,
  type Tokens,
  toTokens,
} from '../support/sign-in.js';
import { onPc, refresh, type SignedIn } from '../support/signed-in.js';

/** A host that binds for whoever names an account; its password is left out. */
@Controller('members')
@UseFilters(IamErrorFilter)
class MembersController {
  constructor(private readonly users: IamUsers) {}

  @Post()
  bind(@Req() request: object, @Body() body: { token: string; account: string; client?: string }) {
    const { token, account, client } = body;
    return this.users.bind(
      token,
      { externalId: account },
      { request, ...(client !== undefined && { clientId: client }) },
    );
  }
}

@Module({ controllers: [MembersController] })
class MembersModule {}

const redirectUri = 'https://other.example/back';

describe.each(platforms)('a binding token, on %s', (_name, create) => {
  let world: World;
  let mini: ReturnType<World['account']['miniProgram']>;

  beforeAll(async () => {
    const clients = [{ id: 'other', redirectUris: [redirectUri] }];
    world = await startFollowWorld(
      { sign_up: 'bind', qr_enabled: false },
      { create, imports: [MembersModule], options: { clients, rateLimits: 'off' } },
    );
    mini = world.account.miniProgram();
    await world.saveProvider({ mini_app_id: mini.appid, mini_app_secret: mini.secret });
    await world.saveProvider({
      slug: 'open-door',
      open_app_id: world.site.appid,
      open_app_secret: world.site.secret,
    });
  });
  afterAll(() => world.close());

  const person = (nickname = '甲'): Person => world.wechat.person({ nickname });
  const member = (changes = {}): Promise<SignedIn> =>
    onPc(world, person('员'), { provider: 'open-door', ...changes });
  const tokenIn = (reply: Reply) => String(reply.json()['binding_token']);
  /** Signs in on a PC up to the question; `browser` is the one that did. */
  async function asked(): Promise<{ browser: PcBrowser; token: string }> {
    const signIn = await returnFromPc(world, person());
    return { browser: signIn.browser, token: tokenIn(await redeem(world.url, signIn)) };
  }
  const link = (user: Pick<Tokens, 'accessToken'>, token: string, browser = new PcBrowser()) =>
    callMe(world, user, '/identities', { method: 'POST', body: { binding_token: token }, browser });
  const bind = (body: object, browser = new PcBrowser()) =>
    browser.visit(`${world.url}/members`, { body, headers: { accept: 'application/json' } });
  const signInAtOther = async () => {
    const approved = await approveOnPc(world, person('员'), {
      provider: 'open-door',
      client_id: 'other',
      redirect_uri: redirectUri,
    });
    const returned = await approved.browser.visit(approved.callback);
    const changes = { client_id: 'other', redirect_uri: redirectUri };
    return toTokens(await redeem(world.url, { ...approved, returned }, changes));
  };

  it('links in the browser that signed in, and in no other', async () => {
    const { browser, token } = await asked();
    const [victim, user] = [await member(), await member()] as const;

    const elsewhere = await link(victim, token);
    const otherSignIn = await link(victim, token, (await asked()).browser);
    const here = await link(user, token, browser);

    expect([elsewhere, otherSignIn].map((reply) => [reply.status, reply.json()['code']])).toEqual(
      Array(2).fill([400, 'binding_token_invalid']),
    );
    expect(here.status).toBe(201);
    expect(
      await rowsOf(
        world.dataSource,
        `SELECT detail FROM iam.audit_log WHERE action = 'identity.link_refused' AND user_id = $1`,
        [victim.id],
      ),
    ).toEqual(Array(2).fill({ detail: { method: 'binding_token', error: 'binding_token_invalid' } }));
  });

  it('links for the client that was asked, and for no other', async () => {
    const { browser, token } = await asked();
    const code = person().wxLogin(mini);
    const ofApp = tokenIn(await handIn(world, 'mini', code));
    const foreign = await signInAtOther();
    const user = await member();

    const refused = [await link(foreign, token, browser), await link(foreign, ofApp)];
    const linked = [await link(user, token, browser), await link(user, ofApp)];

    expect(refused.map((reply) => reply.json()['code'])).toEqual(Array(2).fill('binding_token_invalid'));
    expect(linked.map(({ status }) => status)).toEqual([201, 201]);
  });

  it('binds an account of the host in the browser that signed in, and in no other', async () => {
    const { browser, token } = await asked();

    const elsewhere = await bind({ token, account: 'victim' });
    const users = world.app.get(IamUsers);
    const untouched = await users.findByExternalId('victim');
    const here = await bind({ token, account: 'owner' }, browser);

    expect([elsewhere.status, elsewhere.json()['code'], untouched]).toEqual([
      400,
      'binding_token_invalid',
      null,
    ]);
    expect([here.status, here.json()['externalId']]).toEqual([201, 'owner']);
  });

  it('binds for its client, where the host knows which one asks', async () => {
    const { browser, token } = await asked();

    const foreign = await bind({ token, account: 'one', client: 'other' }, browser);
    const own = await bind({ token, account: 'one', client: 'web' }, browser);

    expect([foreign.json()['code'], own.status]).toEqual(['binding_token_invalid', 201]);
  });

  it('has a cookie that lives as long as it does', async () => {
    const approved = await approveOnPc(world, person());
    const asksForAccount = await approved.browser.visit(approved.callback);
    const settled = await approveOnPc(world, person(), { provider: 'open-door' });
    const needsNone = await settled.browser.visit(settled.callback);

    const lives = [asksForAccount, needsNone].map(
      (reply) => /Max-Age=(\d+)/.exec(reply.headers.getSetCookie()[0] ?? '')?.[1],
    );
    expect(lives).toEqual(['720', '60']);
  });

  it('of a scan on our own page is good in the browser of the page alone, with its follow proof', async () => {
    await world.saveProvider({ qr_enabled: true, qr_login_with: 'mp' });
    const [page, other] = [await openFollowPage(world.url), await openFollowPage(world.url)] as const;
    const { deviceCode, qr } = codesOf(await startOnPage(page));
    const scanner = person('扫');
    await scanAndFollow(world, scanner, qr);
    await decideOnPhone(world, scanner, 'confirm');
    const location = await leavePage(page, deviceCode);
    const token = tokenIn(await redeemFromPage(page, location));
    const user = await member();

    const elsewhere = await link(user, token, other.browser);
    const here = await link(user, token, page.browser);
    await world.saveProvider({ qr_enabled: false });

    expect([elsewhere.json()['code'], here.status]).toEqual(['binding_token_invalid', 201]);
  });

  it('and the way on to the Open Platform after a scan stay in that browser', async () => {
    await world.saveProvider({ qr_enabled: true, qr_login_with: 'open' });
    const page = await openFollowPage(world.url);
    const { deviceCode, qr } = codesOf(await startOnPage(page));
    const scanner = person('扫');
    await scanAndFollow(world, scanner, qr);
    await decideOnPhone(world, scanner, 'confirm');
    const onward = await leavePage(page, deviceCode);

    const elsewhere = await new PcBrowser().visit(onward);
    const here = await page.browser.visit(onward);
    await world.saveProvider({ qr_enabled: false, qr_login_with: 'mp' });

    expect(elsewhere.location?.searchParams.get('error')).toBe('follow_required');
    expect(here.location?.href).toContain('/connect/qrconnect');
  });

  it('of another page’s attempt opens no scan, though both were started with one code challenge', async () => {
    await world.saveProvider({ qr_enabled: true });
    const challenge = { code_challenge: 'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM' };
    const [mine, theirs] = [
      await openFollowPage(world.url, challenge),
      await openFollowPage(world.url, challenge),
    ] as const;
    const { deviceCode } = codesOf(await startOnPage(mine));
    await world.saveProvider({ qr_enabled: false });

    const reply = await theirs.browser.visit(`${world.url}/iam/follow/finish`, {
      body: { state: theirs.state, device_code: deviceCode },
      headers: { accept: 'application/json' },
    });

    expect(reply.json()['code']).toBe('state_mismatch');
  });
});

describe('a sign-in that was asked for an account of the host', () => {
  let world: World;
  let users: IamUsers;

  beforeAll(async () => {
    const clients = [{ id: 'other', redirectUris: ['https://other.example/back'] }];
    world = await startFollowWorld(
      { sign_up: 'bind', qr_enabled: false, qr_confirmation: 'tap' },
      { options: { clients, rateLimits: 'off' } },
    );
    users = world.app.get(IamUsers);
  });
  afterAll(() => world.close());

  const stranger = (): Person => world.wechat.person({ nickname: '客' });

  interface Asked {
    readonly signIn: PcSignIn;
    readonly bindingToken: string;
  }
  const asked = async (person = stranger()): Promise<Asked> => {
    const signIn = await returnFromPc(world, person);
    const reply = await redeem(world.url, signIn);
    return { signIn, bindingToken: String(reply.json()['binding_token']) };
  };
  const errorOf = async (signIn: PcSignIn, changes: Readonly<Record<string, string>> = {}) =>
    (await redeem(world.url, signIn, changes)).json()['error'];

  it('ends in tokens at the same token request, once the person is connected, with no second scan', async () => {
    const { signIn, bindingToken } = await asked();
    const exchanges = world.wechat.calls('/sns/oauth2/access_token').length;

    const account = await users.bind(bindingToken, { externalId: 'member-1' });
    const tokens = toTokens(await redeem(world.url, signIn));

    const me = await getWith(`${world.url}/iam/me`, tokens.accessToken);
    expect(me.json()).toMatchObject({ id: account.id, external_id: 'member-1' });
    expect(world.wechat.calls('/sns/oauth2/access_token')).toHaveLength(exchanges);
  });

  it('ends in tokens once: a repetition after the grace ends the session it began', async () => {
    const { signIn, bindingToken } = await asked();
    await users.bind(bindingToken, { externalId: 'member-2' });
    const { refreshToken } = toTokens(await redeem(world.url, signIn));
    await outlastGrace(world);

    const again = await errorOf(signIn);
    const afterwards = await refresh(world.url, refreshToken);

    expect(again).toBe('invalid_grant');
    expect(afterwards.json()['error']).toBe('invalid_grant');
  });

  it('ends in one session when the request is repeated twice at once', async () => {
    const { signIn, bindingToken } = await asked();
    const { id } = await users.bind(bindingToken, { externalId: 'member-3' });

    const replies = await Promise.all([redeem(world.url, signIn), redeem(world.url, signIn)]);

    expect(replies.map(({ status }) => status)).toEqual([200, 200]);
    const sessions = await valueOf(
      world.dataSource,
      'SELECT count(*)::int FROM iam.sessions WHERE user_id = $1',
      [id],
    );
    expect(sessions).toBe(1);
  });

  it('waits while nobody is connected', async () => {
    const { signIn, bindingToken } = await asked();

    const early = [await errorOf(signIn), await errorOf(signIn)];
    await users.bind(bindingToken, { externalId: 'member-4' });

    expect(early).toEqual(['invalid_grant', 'invalid_grant']);
    expect((await redeem(world.url, signIn)).status).toBe(200);
  });

  it('goes on for its own client and PKCE verifier only', async () => {
    const { signIn, bindingToken } = await asked();
    await users.bind(bindingToken, { externalId: 'member-5' });

    const foreign = [
      await errorOf(signIn, { code_verifier: pkce().verifier }),
      await errorOf(signIn, { client_id: 'other' }),
      await errorOf(signIn, { redirect_uri: 'https://other.example/back' }),
      await errorOf(signIn, { code: bindingToken }),
    ];

    expect(foreign).toEqual(Array(4).fill('invalid_grant'));
    expect((await redeem(world.url, signIn)).status).toBe(200);
  });

  it('goes on for a minute', async () => {
    const { signIn, bindingToken } = await asked();
    const { id } = await users.bind(bindingToken, { externalId: 'member-6' });
    const left = await valueOf(
      world.dataSource,
      'SELECT extract(epoch FROM redeem_before - now())::float8 FROM iam.logins WHERE user_id = $1',
      [id],
    );
    await world.dataSource.query('UPDATE iam.logins SET redeem_before = now() WHERE user_id = $1', [id]);

    expect(left).toBeGreaterThan(50);
    expect(left).toBeLessThanOrEqual(60);
    expect(await errorOf(signIn)).toBe('invalid_grant');
  });

  it('ends when another identity is connected to the same account before it went on', async () => {
    const [first, second] = [await asked(), await asked()];
    await users.bind(first.bindingToken, { externalId: 'member-7' });

    await users.bind(second.bindingToken, { externalId: 'member-7' });

    expect(await errorOf(first.signIn)).toBe('invalid_grant');
    expect((await redeem(world.url, second.signIn)).status).toBe(200);
  });

  it('is refused when the account was disabled in between', async () => {
    const { signIn, bindingToken } = await asked();
    const { id } = await users.bind(bindingToken, { externalId: 'member-8' });
    await world.dataSource.query(`UPDATE iam.users SET status = 'disabled' WHERE id = $1`, [id]);

    expect(await errorOf(signIn)).toBe('access_denied');
  });

  it('does not go on when the connection was refused', async () => {
    const lan = stranger();
    const [first, second] = [await asked(lan), await asked(lan)];
    await users.bind(first.bindingToken, { externalId: 'member-9' });

    const refused = await users.bind(second.bindingToken, { externalId: 'member-10' }).catch(String);

    expect(refused).toContain('identity_conflict');
    expect(await errorOf(second.signIn)).toBe('invalid_grant');
    expect(await users.findByExternalId('member-10')).toBeNull();
  });

  it('keeps nothing of what WeChat proved', async () => {
    const { bindingToken } = await asked();
    const { id } = await users.bind(bindingToken, { externalId: 'member-11' });

    const rows = await rowsOf(world.dataSource, 'SELECT status, subject FROM iam.logins WHERE user_id = $1', [
      id,
    ]);
    expect(rows).toEqual([{ status: 'authenticated', subject: null }]);
  });

  it('ends in tokens by the same device code, after a scan that another page shows', async () => {
    await world.saveProvider({ qr_enabled: true });
    const lan = stranger();
    const device = await askForQrCode(world.url);
    await scanAndFollow(world, lan, device.qr);
    await decideOnPhone(world, lan, 'confirm');
    const reply = await pollUntilSettled(world.url, device);

    const { id } = await users.bind(String(reply.json()['binding_token']), { externalId: 'member-12' });
    const tokens = toTokens(await poll(world.url, device));
    const again = await poll(world.url, device);

    const me = await getWith(`${world.url}/iam/me`, tokens.accessToken);
    expect(me.json()).toMatchObject({ id });
    expect(again.json()['error']).toBe('invalid_grant');
  });
});
