import { startWorld, type World } from '../support/iam-app.js';
import { LogCapture } from '../support/log-capture.js';
import { PcBrowser, type Reply } from '../support/pc-browser.js';
import { StatementLog } from '../support/statement-log.js';
import { approveOnPc, authorizeUrl, getWith, pkce, redeem, toTokens } from '../support/sign-in.js';

const planted = 'planted+secret/0f9e8d7c6b5a';
const exchangePath = '/sns/oauth2/access_token';

/** How a secret may turn up: raw, in a URL, in JSON, in base64. */
const disguises = (secret: string): string[] => [
  secret,
  encodeURIComponent(secret),
  JSON.stringify(secret).slice(1, -1),
  Buffer.from(secret).toString('base64').replace(/=+$/, ''),
  Buffer.from(secret).toString('base64url'),
];

describe('secrets, codes, tokens and states', () => {
  let world: World;
  const logger = new LogCapture();
  const statements = new StatementLog();
  /** Whatever must stay out of the log. */
  const private_ = new Set<string>();
  const replies: Reply[] = [];

  const keep = (reply: Reply): Reply => {
    replies.push(reply);
    return reply;
  };
  const noteValues = (url: string | URL, ...names: string[]) => {
    const { searchParams } = new URL(url);
    for (const name of names) private_.add(searchParams.get(name) ?? '');
  };
  const approve = async () => {
    const approved = await approveOnPc(world, world.wechat.person({ nickname: '小兰' }));
    noteValues(approved.callback, 'code', 'state');
    private_.add(approved.verifier);
    for (const { value } of await approved.browser.jar.getCookies(world.url)) private_.add(value);
    return approved;
  };
  const signIn = async () => {
    const approved = await approve();
    const returned = keep(await approved.browser.visit(approved.callback));
    if (returned.location !== null) noteValues(returned.location, 'code');
    return { ...approved, returned };
  };
  const failAt = async (path: string, fault: Parameters<World['wechat']['once']>[1]) => {
    world.wechat.always(path, fault);
    await signIn();
    world.wechat.clearFaults();
  };

  beforeAll(async () => {
    world = await startWorld({ logger, options: { wechat: { timeout: 1_500 } } });
    const site = world.account.websiteApp({ callbackDomain: 'localhost', secret: planted });
    await world.saveProvider({ open_app_id: site.appid, open_app_secret: planted });
    await world.dataSource.query('UPDATE iam.identity_providers SET mp_app_secret = $1', [
      `plain:${world.oa.secret}`,
    ]);
    world.dataSource.logger = statements;
    private_.add(planted);
    private_.add(world.oa.secret);
    private_.add(world.key);

    const complete = await signIn();
    const tokens = toTokens(await redeem(world.url, complete));
    private_.add(tokens.accessToken).add(tokens.refreshToken);
    keep(await getWith(`${world.url}/iam/me`, tokens.accessToken));
    keep(await redeem(world.url, complete));
    keep(await redeem(world.url, { ...(await signIn()), verifier: pkce().verifier }));

    for (const path of [exchangePath, '/sns/userinfo']) {
      await failAt(path, { errcode: 40001, errmsg: `invalid credential ${planted}` });
      await failAt(path, { status: 502, body: `<html>${planted}</html>` });
      await failAt(path, { body: `not JSON ${planted}` });
      await failAt(path, { patch: { openid: [planted] } });
      await failAt(path, { drop: true });
      await failAt(path, { delay: 60_000 });
    }
    await failInTheDatabase();
    await failAtTheEdges();
    for (const { query } of world.wechat.calls('/sns/userinfo')) private_.add(query['access_token'] ?? '');
    private_.delete('');
  });
  afterAll(() => world.close());

  /** An error of the driver carries its statement and all parameters. */
  async function failInTheDatabase(): Promise<void> {
    await world.dataSource.query('ALTER TABLE iam.identities RENAME TO hidden_identities');
    await signIn();
    await world.dataSource.query('ALTER TABLE iam.hidden_identities RENAME TO identities');
    const early = await approve();
    await world.dataSource.query('ALTER TABLE iam.logins RENAME TO hidden_logins');
    keep(await early.browser.visit(early.callback));
    await world.dataSource.query('ALTER TABLE iam.hidden_logins RENAME TO logins');
  }

  async function failAtTheEdges(): Promise<void> {
    const browser = new PcBrowser();
    const { challenge } = pkce();
    const state = 'StateOfNobodyStateOfNobodyStateOfNobody';
    private_.add(state);
    keep(await browser.visit(authorizeUrl(world.url, challenge, { client_id: planted })));
    keep(await browser.visit(authorizeUrl(world.url, challenge, { provider: 'nowhere' })));
    keep(await browser.visit(`${world.url}/iam/callback/wechat?code=${private_.size}&state=${state}`));
    keep(await browser.visit(`${world.url}/iam/providers`));
    keep(await browser.visit(`${world.url}/iam/jwks`));
  }

  it('were all used, and every kind of failure was logged', () => {
    expect(private_.size).toBeGreaterThan(60);
    expect(replies.length).toBeGreaterThan(20);
    for (const code of [
      'state_mismatch',
      'client_unknown',
      'wechat_credentials_rejected',
      'wechat_unavailable',
      'wechat_answer_invalid',
      'internal_error',
      'invalid_grant',
    ])
      expect(`${code}: ${logger.with(code).length > 0}`).toBe(`${code}: true`);
    expect(logger.text).toContain('hidden_logins'.replace('hidden_', 'iam.'));
  });

  it('appear in no line of the log, in no disguise', () => {
    const found = [...private_].flatMap(disguises).filter((secret) => logger.text.includes(secret));

    expect(found).toEqual([]);
  });

  it('appear in no statement that TypeORM may be told to log', () => {
    const found = [...private_].flatMap(disguises).filter((secret) => statements.text.includes(secret));

    expect(statements.text).toContain('UPDATE iam.identity_providers SET mp_app_secret');
    expect(found).toEqual([]);
  });

  it('appear in no body, and in no header but those made to carry them', () => {
    const secrets = [planted, world.oa.secret, world.key].flatMap(disguises);
    const texts = replies.flatMap(({ text, headers, location }) => [
      text,
      location?.href ?? '',
      JSON.stringify([...headers]),
    ]);

    expect(texts.filter((text) => secrets.some((secret) => text.includes(secret)))).toEqual([]);
  });

  it('of WeChat reach no browser', () => {
    const tokens = world.wechat.calls('/sns/userinfo').map(({ query }) => query['access_token'] ?? '?');
    const openids = world.wechat.calls('/sns/userinfo').map(({ query }) => query['openid'] ?? '?');
    const texts = replies.map(({ text, location }) => text + (location?.href ?? ''));

    expect(tokens.length).toBeGreaterThan(3);
    for (const hidden of [...tokens, ...openids])
      expect(texts.some((text) => text.includes(hidden))).toBe(false);
  });

  it('never stand in a URL, tokens that is', () => {
    const urls = replies.map(({ location }) => location?.href ?? '');

    expect(urls.filter((url) => /eyJ[\w-]+\.|refresh_token|access_token/.test(url))).toEqual([]);
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
    await browser.visit(`${world.url}/iam/token`, {
      form: { grant_type: 'authorization_code', client_id: forged, code: forged, code_verifier: forged },
    });
    await browser.visit(`${world.url}/iam/token`, {
      form: { grant_type: 'refresh_token', client_id: forged, refresh_token: forged },
    });
    await browser.visit(`${world.url}/iam/revoke`, { form: { client_id: forged, token: forged } });

    const warnings = logger.lines.filter(({ level }) => level === 'warn');
    expect(warnings).toHaveLength(7);
    for (const { text } of warnings) expect(text).toMatch(/^[^\p{Cc}\u2028\u2029]*$/u);
  });
});
