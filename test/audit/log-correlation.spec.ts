import { randomUUID } from 'node:crypto';
import { startWorld, type World } from '../support/iam-app.js';
import { LogCapture } from '../support/log-capture.js';
import { PcBrowser, type Reply } from '../support/pc-browser.js';
import { rowsOf } from '../support/rows.js';
import { approveOnPc, authorizeUrl, pkce } from '../support/sign-in.js';
import { refresh } from '../support/signed-in.js';

const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

describe('the correlation id of a request', () => {
  let world: World;
  const logger = new LogCapture();

  beforeAll(async () => {
    world = await startWorld({ logger });
  });
  beforeEach(() => logger.clear());
  afterAll(() => world.close());

  const idOf = ({ headers }: Reply) => headers.get('x-request-id') ?? '';
  const visit = (path: string, headers: Readonly<Record<string, string>> = {}) =>
    new PcBrowser().visit(`${world.url}/iam/${path}`, {
      headers: { accept: 'application/json', ...headers },
    });
  const failedCallback = async () => {
    const { browser, callback } = await approveOnPc(world, world.wechat.person({ nickname: '号' }));
    world.wechat.once('/sns/oauth2/access_token', { errcode: 40029, errmsg: 'invalid code' });
    return browser.visit(callback);
  };

  it('is in the answer, in every log line about it and in its audit entries', async () => {
    const reply = await failedCallback();

    const id = idOf(reply);
    const entries = await rowsOf(
      world.dataSource,
      'SELECT action FROM iam.audit_log WHERE correlation_id = $1',
      [id],
    );
    expect(id).toMatch(uuid);
    expect(logger.lines.map(({ text }) => text)).toEqual([
      expect.stringMatching(
        new RegExp(`^sign-in at "wechat": wechat_code_invalid: .* correlation_id=${id}\\b`),
      ),
    ]);
    expect(entries).toEqual([{ action: 'login.failed' }]);
  });

  it.each([
    ['problem+json', () => visit('callback/wechat?code=c&state=s')],
    ['an OAuth error', () => refresh(world.url, 'ffffffff.forged.0.tag')],
    [
      'a redirect with an error',
      () => new PcBrowser().visit(authorizeUrl(world.url, pkce().challenge, { provider: 'nowhere' })),
    ],
    [
      'a body that is refused before the parsers',
      () => new PcBrowser().visit(`${world.url}/iam/token`, { method: 'POST', body: 'x'.repeat(70_000) }),
    ],
  ])('goes with %s, and its one log line', async (_what, ask) => {
    const reply = await ask();

    expect(idOf(reply)).toMatch(uuid);
    expect(logger.with(`correlation_id=${idOf(reply)}`)).toHaveLength(1);
    expect(logger.lines).toHaveLength(1);
    if (reply.headers.get('content-type')?.includes('problem') === true)
      expect(reply.json()['correlation_id']).toBe(idOf(reply));
  });

  it('is the caller’s where that is a UUID, or a trace id', async () => {
    const own = randomUUID();
    const trace = randomUUID();
    const traceparent = `00-${trace.replaceAll('-', '')}-00f067aa0ba902b7-01`;

    const replies = [
      await visit('jwks', { 'x-request-id': own.toUpperCase() }),
      await visit('jwks', { traceparent }),
      await visit('jwks', { 'x-request-id': own, traceparent }),
      await visit('jwks', { 'x-request-id': 'not ours', traceparent }),
    ];

    expect(replies.map(idOf)).toEqual([own, trace, own, trace]);
  });

  it.each([
    { 'x-request-id': 'a' },
    { 'x-request-id': `${randomUUID()} ERROR forged` },
    { 'x-request-id': '../../etc/passwd' },
    { traceparent: `00-${'0'.repeat(32)}-00f067aa0ba902b7-01` },
    { traceparent: `ff-${'a'.repeat(32)}-00f067aa0ba902b7-01` },
    { traceparent: `00-${'a'.repeat(31)}-00f067aa0ba902b7-01` },
  ])('is made anew for %j', async (headers) => {
    const reply = await visit('callback/wechat?code=c&state=s', headers);

    expect(idOf(reply)).toMatch(uuid);
    expect(Object.values(headers).join()).not.toContain(idOf(reply).replaceAll('-', ''));
    expect(logger.text).toContain(idOf(reply));
    expect(logger.text).not.toContain('forged');
  });

  it('is another for each request of one connection', async () => {
    const replies = [await visit('jwks'), await visit('jwks'), await visit('providers')];

    expect(new Set(replies.map(idOf)).size).toBe(3);
  });
});
