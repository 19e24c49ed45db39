import { PcBrowser } from '../../support/pc-browser.js';
import { PassportHost } from './passport-host.js';

let host: PassportHost;

beforeAll(async () => {
  host = await PassportHost.start();
});

beforeEach(() => {
  host.wechat.clearCalls();
  host.verified.length = 0;
  host.errors.length = 0;
});

afterAll(async () => {
  await host.stop();
});

const somebody = () => host.wechat.person({ nickname: '小兰' });
const exchanges = () => host.wechat.calls('/sns/oauth2/access_token').length;

describe('a callback that is not the browser’s own', () => {
  it.each([
    ['a forged state', (url: URL) => url.searchParams.set('state', 'A'.repeat(32))],
    [
      'a state with one character changed',
      (url: URL) => url.searchParams.set('state', flip(url.searchParams.get('state') ?? '')),
    ],
    [
      'a truncated state',
      (url: URL) => url.searchParams.set('state', (url.searchParams.get('state') ?? '').slice(1)),
    ],
    ['no state', (url: URL) => url.searchParams.delete('state')],
    ['an empty state', (url: URL) => url.searchParams.set('state', '')],
  ])('is refused without a call to WeChat: %s', async (_kind, change) => {
    const { browser, callback } = await host.scan(somebody());
    change(callback);

    const reply = await browser.visit(callback);

    expect(reply.status).toBe(403);
    expect(exchanges()).toBe(0);
    expect(host.verified).toEqual([]);
  });

  it('is refused in a browser that did not start it', async () => {
    const { callback } = await host.scan(somebody());

    expect((await new PcBrowser().visit(callback)).status).toBe(403);
    expect(exchanges()).toBe(0);
  });

  it('is refused the second time', async () => {
    const { browser, callback } = await host.scan(somebody());

    expect((await browser.visit(callback)).status).toBe(200);
    expect((await browser.visit(callback)).status).toBe(403);
    expect(exchanges()).toBe(1);
  });

  it('is refused a second time after a failure too', async () => {
    const { browser, callback } = await host.scan(somebody());
    host.wechat.once('/sns/oauth2/access_token', { errcode: -1 });

    expect((await browser.visit(callback)).status).toBe(503);
    expect((await browser.visit(callback)).status).toBe(403);
    expect(exchanges()).toBe(1);
  });

  it('is refused at the strategy of another app', async () => {
    const { browser, callback } = await host.scan(somebody());
    callback.pathname = '/wechat-mp/callback';

    expect((await browser.visit(callback)).status).toBe(403);
    expect(exchanges()).toBe(0);
  });

  it('does not end the browser’s own attempt', async () => {
    const { browser, callback } = await host.scan(somebody());
    const forged = new URL(callback);
    forged.searchParams.set('state', 'A'.repeat(32));

    await browser.visit(forged);

    expect((await browser.visit(callback)).status).toBe(200);
  });
});

describe('a callback with odd parameters', () => {
  it.each([
    ['code twice', (query: URLSearchParams) => query.append('code', 'x')],
    ['state twice', (query: URLSearchParams) => query.append('state', query.get('state') ?? '')],
    [
      'error twice',
      (query: URLSearchParams) => {
        for (const error of ['a', 'b']) query.append('error', error);
      },
    ],
  ])('is a bad request: %s', async (_kind, change) => {
    const { browser, callback } = await host.scan(somebody());
    change(callback.searchParams);

    expect((await browser.visit(callback)).status).toBe(400);
    expect(exchanges()).toBe(0);
  });

  it('fails as declined, and shows nothing of it, when somebody adds an error', async () => {
    const { browser, callback } = await host.scan(somebody());
    callback.searchParams.set('error', 'server_error');
    callback.searchParams.set('error_description', '<script>');

    const reply = await browser.visit(callback);

    expect(reply.status).toBe(403);
    expect(reply.text).not.toContain('script');
    expect(host.errors).toEqual([]);
    expect(exchanges()).toBe(0);
  });

  it('does not reach WeChat with what cannot be a code', async () => {
    const { browser, callback } = await host.scan(somebody());
    callback.searchParams.set('code', 'x'.repeat(600));

    await browser.visit(callback);

    expect(exchanges()).toBe(0);
    expect(host.errors).toEqual([expect.objectContaining({ code: 'wechat_code_invalid' })]);
  });
});

describe('a refusal in WeChat', () => {
  it('fails as denied and uses the state up', async () => {
    const { browser, callback } = await host.scan(somebody());
    const denied = new URL(callback);
    denied.searchParams.delete('code');

    expect((await browser.visit(denied)).status).toBe(403);
    expect((await browser.visit(callback)).status).toBe(403);
    expect(exchanges()).toBe(0);
  });

  it.each(['state-only', 'authdeny'] as const)('comes from an older WeChat as %s', async (deny) => {
    host.wechat.rules.deny = deny;
    const browser = new PcBrowser();
    const start = await browser.visit(`${host.url}/wechat-open`);
    const screen = await host.wechat.showQrCode(String(start.location));
    const lan = somebody();
    await lan.scan(screen.content);
    await lan.deny();
    const { redirectTo } = await screen.finish();

    expect((await browser.visit(String(redirectTo))).status).toBe(403);
    expect(host.errors).toEqual([]);
  });
});

function flip(state: string): string {
  return (state.startsWith('A') ? 'B' : 'A') + state.slice(1);
}
