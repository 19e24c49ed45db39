import { FakeClock } from '../support/fake-clock.js';
import { startWorld, type World } from '../support/iam-app.js';
import { LogCapture } from '../support/log-capture.js';
import { PcBrowser, type Reply, userAgents } from '../support/pc-browser.js';
import { countQueries } from '../support/query-counter.js';
import { rowsOf } from '../support/rows.js';
import {
  type ApprovedOnPc,
  approveOnPc,
  authorizeUrl,
  callbackAfterScan,
  pkce,
  redeem,
} from '../support/sign-in.js';

const scripted = { headers: { accept: 'application/json' } };
const lifetime = 600;

describe('a callback', () => {
  let world: World;
  const clock = new FakeClock();
  const logger = new LogCapture();

  beforeAll(async () => {
    world = await startWorld({ clock, logger });
    await world.saveProvider({
      slug: 'other',
      open_app_id: world.site.appid,
      open_app_secret: world.site.secret,
    });
  });
  afterAll(() => world.close());
  beforeEach(() => {
    world.wechat.clearCalls();
    world.wechat.rules.deny = 'no-redirect';
  });

  const approve = () => approveOnPc(world, world.wechat.person({ nickname: '小兰' }));
  const exchanges = () => world.wechat.calls('/sns/oauth2/access_token').length;
  const loginsOf = (code: string) =>
    rowsOf(world.dataSource, 'SELECT status, error FROM iam.logins WHERE error = $1', [code]);

  const visitChanged = (
    { browser, callback }: ApprovedOnPc,
    change: (url: URL, state: string) => void,
  ): Promise<Reply> => {
    const url = new URL(callback);
    change(url, url.searchParams.get('state') ?? '');
    return browser.visit(url, scripted);
  };

  const expectMismatch = (reply: Reply) => {
    expect({ status: reply.status, code: reply.json()['code'], location: reply.location }).toEqual({
      status: 400,
      code: 'state_mismatch',
      location: null,
    });
    expect(exchanges()).toBe(0);
  };

  describe('whose state is not of this browser ends there, with no query and no call to WeChat', () => {
    const setState = (url: URL, state: string | undefined) =>
      state === undefined ? url.searchParams.delete('state') : url.searchParams.set('state', state);
    const flipped = (state: string) => (state.startsWith('a') ? 'b' : 'a') + state.slice(1);

    it.each<[string, (url: URL, state: string) => void]>([
      ['missing', (url) => setState(url, undefined)],
      ['empty', (url) => setState(url, '')],
      ['forged', (url) => setState(url, 'f'.repeat(43))],
      ['truncated', (url, state) => setState(url, state.slice(0, -1))],
      ['with one character changed', (url, state) => setState(url, flipped(state))],
      ['in another case', (url, state) => setState(url, state.toLowerCase())],
      ['with a space behind it', (url, state) => setState(url, `${state} `)],
      ['with a NUL behind it', (url, state) => setState(url, `${state}\u0000`)],
      ['very long', (url, state) => setState(url, state.repeat(100))],
      ['given twice', (url, state) => url.searchParams.append('state', state)],
      ['given as an array', (url, state) => url.searchParams.set('state[]', setAndGet(url, state))],
      ['a path', (url) => setState(url, '../../../../../../../../../../etc/passwd')],
      ['SQL', (url) => setState(url, "' OR 1=1 --")],
      ['the name of a property of every object', (url) => setState(url, '__proto__')],
    ])('%s', async (_case, change) => {
      const approved = await approve();
      const queries = countQueries(world.database.url);

      const reply = await visitChanged(approved, change);
      const sent = queries.since(0);
      queries.stop();

      expectMismatch(reply);
      expect(sent).toEqual([]);
    });

    function setAndGet(url: URL, state: string): string {
      url.searchParams.delete('state');
      return state;
    }

    it('opened in a browser without the cookie, as an attacker would send it to a victim', async () => {
      const attacker = await approve();

      const victim = await new PcBrowser().visit(attacker.callback, scripted);
      const own = await attacker.browser.visit(attacker.callback);

      expect(victim.json()['code']).toBe('state_mismatch');
      expect(victim.headers.getSetCookie()).toEqual([]);
      expect(own.location?.searchParams.get('code')).toEqual(expect.any(String));
    });

    it('opened in a browser that has started a sign-in of its own', async () => {
      const [attacker, victim] = [await approve(), await approve()];

      const reply = await victim.browser.visit(attacker.callback, scripted);

      expectMismatch(reply);
    });

    it('with a cookie whose sealed text was changed, moved from another attempt, or made up', async () => {
      const [first, second] = [await approve(), await approve()];
      const [own] = await first.browser.jar.getCookies(world.url);
      const [foreign] = await second.browser.jar.getCookies(world.url);
      const name = own?.key ?? '';
      const value = own?.value ?? '';
      const middle = value.length - 40;
      const changed = value.slice(0, middle) + (value[middle] === 'A' ? 'B' : 'A') + value.slice(middle + 1);

      for (const cookie of [
        changed,
        foreign?.value ?? '',
        value.slice(0, -8),
        '1.sealed%3Av1%3A',
        'x',
        '%E0%A4',
      ]) {
        const reply = await new PcBrowser().visit(first.callback, {
          headers: { accept: 'application/json', cookie: `${name}=${cookie}` },
        });
        expectMismatch(reply);
      }
    });
  });

  it('at the path of another provider is refused before any secret is sent, and works at its own afterwards', async () => {
    const approved = await approve();

    const mixedUp = await visitChanged(approved, (url) => {
      url.pathname = url.pathname.replace('wechat', 'other');
    });
    expectMismatch(mixedUp);
    const right = await approved.browser.visit(approved.callback);

    expect(right.location?.searchParams.get('code')).toEqual(expect.any(String));
  });

  it('at the path of no provider is refused', async () => {
    const approved = await approve();

    expectMismatch(
      await visitChanged(approved, (url) => {
        url.pathname = '/iam/callback/nowhere';
      }),
    );
  });

  it('in the last second of the attempt is accepted, in the next one refused', async () => {
    const [early, late] = [await approve(), await approve()];

    clock.advance(lifetime - 1);
    const accepted = await early.browser.visit(early.callback);
    clock.advance(2);
    const refused = await late.browser.visit(late.callback);
    clock.advance(-lifetime - 1);

    expect(accepted.location?.searchParams.get('code')).toEqual(expect.any(String));
    expect(refused.location?.searchParams.get('error')).toBe('invalid_request');
    expect(refused.location?.searchParams.get('state')).toBe('client-state');
    expect(logger.with('state_expired')).toHaveLength(1);
    expect(exchanges()).toBe(1);
  });

  it('uses the key pair of the start, whatever browser the callback says it is', async () => {
    const approved = await approve();

    const reply = await approved.browser.visit(approved.callback, {
      headers: { 'user-agent': userAgents.wechat },
    });

    expect(reply.location?.searchParams.get('code')).toEqual(expect.any(String));
    expect(world.wechat.calls('/sns/oauth2/access_token')[0]?.query['appid']).toBe(world.site.appid);
  });

  it('uses the key pair of the start, whatever app the code is of', async () => {
    const browser = new PcBrowser();
    const start = await browser.visit(authorizeUrl(world.url, pkce().challenge, { method: 'mp' }));
    const asked = new URL(start.location ?? '');
    const { open } = world.wechat.endpoints;
    const crafted = `${open}/connect/qrconnect?appid=${world.site.appid}&redirect_uri=${encodeURIComponent(asked.searchParams.get('redirect_uri') ?? '')}&response_type=code&scope=snsapi_login&state=${asked.searchParams.get('state') ?? ''}`;

    const reply = await browser.visit(
      await callbackAfterScan(world.wechat, crafted, world.wechat.person({ nickname: '小兰' })),
    );

    expect(reply.location?.searchParams.get('error')).toBe('invalid_grant');
    expect(world.wechat.calls('/sns/oauth2/access_token')[0]?.query['appid']).toBe(world.oa.appid);
  });

  describe('of a person who declined', () => {
    const declineOnPhone = async () => {
      const browser = new PcBrowser();
      const { verifier, challenge } = pkce();
      const start = await browser.visit(authorizeUrl(world.url, challenge));
      const person = world.wechat.person({ nickname: '小明' });
      const screen = await world.wechat.showQrCode(start.location?.href ?? '');
      await person.scan(screen.content);
      await person.deny();
      return { browser, verifier, start, redirectTo: (await screen.finish()).redirectTo };
    };

    it('comes with the state alone and ends as access_denied for good', async () => {
      world.wechat.rules.deny = 'state-only';
      const { browser, redirectTo = '' } = await declineOnPhone();

      const declined = await browser.visit(redirectTo);
      const revived = await browser.visit(`${redirectTo}&code=0123456789abcdef0123456789abcdef`);

      expect(new URL(redirectTo).searchParams.has('code')).toBe(false);
      for (const reply of [declined, revived]) {
        expect(reply.status).toBe(303);
        expect(reply.location?.searchParams.get('error')).toBe('access_denied');
        expect(reply.location?.searchParams.get('state')).toBe('client-state');
      }
      expect(await loginsOf('access_denied')).toEqual([{ status: 'denied', error: 'access_denied' }]);
      expect(exchanges()).toBe(0);
    });

    it('comes with `code=authdeny` from an older client, and is everybody’s own refusal', async () => {
      world.wechat.rules.deny = 'authdeny';
      const people = [await declineOnPhone(), await declineOnPhone()];

      const replies = await Promise.all(
        people.map(({ browser, redirectTo = '' }) => browser.visit(redirectTo)),
      );
      const otherCase = await visitChanged(await approve(), (url) =>
        url.searchParams.set('code', 'AuthDeny'),
      );

      expect(people.map(({ redirectTo = '' }) => new URL(redirectTo).searchParams.get('code'))).toEqual([
        'authdeny',
        'authdeny',
      ]);
      expect([...replies, otherCase].map(({ location }) => location?.searchParams.get('error'))).toEqual(
        Array(3).fill('access_denied'),
      );
      expect(await loginsOf('code_already_used')).toEqual([]);
      expect(exchanges()).toBe(0);
    });

    it('never comes, and the browser may start again', async () => {
      const { browser, redirectTo, start } = await declineOnPhone();
      const { challenge } = pkce();

      const again = await browser.visit(authorizeUrl(world.url, challenge));

      expect(redirectTo).toBeUndefined();
      expect(again.status).toBe(302);
      expect(again.location?.searchParams.get('state')).not.toBe(start.location?.searchParams.get('state'));
    });
  });

  it('with two codes claims nothing, so that the real one still works', async () => {
    const approved = await approve();

    const twice = await visitChanged(approved, (url) => url.searchParams.append('code', 'another'));
    const once = await approved.browser.visit(approved.callback);

    expect(twice.json()['code']).toBe('invalid_request');
    expect(once.location?.searchParams.get('code')).toEqual(expect.any(String));
  });

  it.each([
    ['too long', 'c'.repeat(600)],
    ['with a NUL', 'c\u0000d'],
    ['with a line break', 'c\r\nd'],
    ['with a space', 'c d'],
    ['not ASCII', '微信'],
  ])('whose code cannot be one of WeChat is not sent there: %s', async (_case, code) => {
    const approved = await approve();

    const reply = await visitChanged(approved, (url) => url.searchParams.set('code', code));

    expect(reply.location?.searchParams.get('error')).toBe('invalid_grant');
    expect(exchanges()).toBe(0);
    expect(await loginsOf('wechat_code_invalid')).not.toEqual([]);
  });

  it('that succeeded leaves a code which only the verifier of its start redeems', async () => {
    const { browser, callback, verifier } = await approve();
    const returned = await browser.visit(callback);

    const stolen = await redeem(world.url, { browser, returned, verifier: pkce().verifier });
    const own = await redeem(world.url, { browser, returned, verifier });

    expect(stolen.json()['error']).toBe('invalid_grant');
    expect(own.status).toBe(200);
  });
});
