import { IamUsers } from '../../src/index.js';
import { startWorld, type World } from '../support/iam-app.js';
import { LogCapture } from '../support/log-capture.js';
import { rowsOf } from '../support/rows.js';
import { approveOnPc, redeem, toTokens, type ApprovedOnPc } from '../support/sign-in.js';
import { approveInWechat, refresh, revoke } from '../support/signed-in.js';

/** The part of a token without which the rest is worth nothing: a MAC or a signature. */
const proofOf = (token: string) => token.split('.').at(-1) ?? token;

describe('what somebody who steals the database or the log can use', () => {
  let world: World;
  const logger = new LogCapture();
  /** By name, whatever would open something. */
  const issued: [name: string, value: string][] = [];
  let dump: string;

  const note = (name: string, value: string | null | undefined) => {
    if (value === null || value === undefined || value === '') throw new Error(`no ${name} was issued`);
    issued.push([name, value], [`proof of ${name}`, proofOf(value)]);
    return value;
  };

  async function finish(approved: ApprovedOnPc) {
    const { searchParams } = approved.callback;
    note('code of WeChat', searchParams.get('code'));
    note('state', searchParams.get('state'));
    note('code verifier', approved.verifier);
    for (const { value } of await approved.browser.jar.getCookies(world.url)) note('cookie', value);
    const returned = await approved.browser.visit(approved.callback);
    note('code', returned.location?.searchParams.get('code'));
    return { ...approved, returned };
  }
  const noteTokens = ({ accessToken, refreshToken }: ReturnType<typeof toTokens>) => {
    note('access token', accessToken);
    return note('refresh token', refreshToken);
  };

  /** Every table of the schema, every row as text. */
  async function dumpSchema(): Promise<string> {
    const tables = await rowsOf(
      world.dataSource,
      `SELECT format('%I.%I', schemaname, tablename) AS name FROM pg_tables WHERE schemaname IN ('iam', 'public')`,
    );
    const texts = await Promise.all(
      tables.map(({ name }) => rowsOf(world.dataSource, `SELECT t::text AS row FROM ${String(name)} t`)),
    );
    return texts.flatMap((rows) => rows.map(({ row }) => String(row))).join('\n');
  }

  beforeAll(async () => {
    world = await startWorld({ logger });
    const person = world.wechat.person({ nickname: '忙' });
    for (const approve of [approveOnPc, approveInWechat, approveOnPc]) {
      const token = noteTokens(toTokens(await redeem(world.url, await finish(await approve(world, person)))));
      const next = noteTokens(toTokens(await refresh(world.url, token)));
      noteTokens(toTokens(await refresh(world.url, next)));
    }
    await finish(await approveOnPc(world, person));
    await revoke(
      world.url,
      noteTokens(toTokens(await redeem(world.url, await finish(await approveOnPc(world, person))))),
    );
    await world.saveProvider({ sign_up: 'bind' });
    for (const bind of [true, false]) {
      const stranger = world.wechat.person({ nickname: '客' });
      const reply = await redeem(world.url, await finish(await approveOnPc(world, stranger)));
      const token = note('binding token', String(reply.json()['binding_token']));
      if (bind) await world.app.get(IamUsers).bind(token, { externalId: 'bound' });
    }
    note('secret of the website app', world.site.secret);
    note('secret of the Official Account', world.oa.secret);
    note('key of the host', world.key);
    for (const { query } of world.wechat.calls('/sns/userinfo'))
      note('token of WeChat', query['access_token']);
    dump = await dumpSchema();
  }, 60_000);
  afterAll(() => world.close());

  it('was all there to be found', () => {
    expect(new Set(issued.map(([name]) => name)).size).toBe(24);
    expect(dump).toContain(world.site.appid);
    expect(dump.split('\n').length).toBeGreaterThan(30);
  });

  it.each([
    ['the database', () => dump],
    ['the log', () => logger.text],
  ])('is not in %s', (_where, textOf) => {
    const text = textOf();
    const disguises = (value: string) => [
      value,
      encodeURIComponent(value),
      Buffer.from(value).toString('base64'),
      Buffer.from(value).toString('hex'),
    ];

    const found = issued.filter(([, value]) => disguises(value).some((each) => text.includes(each)));

    expect(found).toEqual([]);
  });
});
