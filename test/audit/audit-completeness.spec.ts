import fc from 'fast-check';
import type { MiniProgram, Person } from '../../emulator/index.js';
import { AdminClient, adminOptions } from '../support/admin.js';
import { startReplica, type IamApp } from '../support/iam-app.js';
import { PcBrowser } from '../support/pc-browser.js';
import { rowsOf, valueOf } from '../support/rows.js';
import { outlastGrace, redeem, returnFromPc, signInOnPc, toTokens } from '../support/sign-in.js';
import { inWechat, refresh, revoke } from '../support/signed-in.js';
import { until } from '../support/until.js';
import { startWebhookWorld, type WebhookWorld } from '../support/webhook.js';

const steps = [
  'sign in on the PC',
  'sign in inside WeChat',
  'sign in by the mini program',
  'hand in an app code twice',
  'redeem a code twice',
  'fail at WeChat',
  'refresh',
  'reuse a spent token',
  'revoke',
  'withdraw the authorization',
  'close the WeChat account',
  'bind or unbind the Official Account',
  'be disabled',
  'be enabled',
  'get a role',
  'lose a role',
  'rotate the signing key',
  'revoke the signing key',
] as const;
type Step = (typeof steps)[number];

/** Somebody whose phone does one thing at a time. */
interface Actor {
  person: Person;
  /** From the first refresh token to the newest. */
  tokens: string[];
  userId: string | undefined;
}

/** What must be equal: rows of state on the left, audit entries on the right. */
const balance: Readonly<Record<string, readonly [state: string, audit: string]>> = {
  'entries whose id has their time': [
    'SELECT count(*) FROM iam.audit_log',
    `SELECT count(*) FROM iam.audit_log
     WHERE left(translate(id::text, '-', ''), 13) = lpad(to_hex(floor(extract(epoch FROM at) * 1000)::bigint), 12, '0') || '7'`,
  ],
  'users made': [
    'SELECT count(*) FROM iam.users',
    `SELECT count(*) FROM iam.audit_log WHERE action IN ('user.signed_up', 'user.created')`,
  ],
  'users merged': [
    `SELECT count(*) FROM iam.users WHERE status = 'merged'`,
    `SELECT count(DISTINCT detail ->> 'from') FROM iam.audit_log WHERE action = 'user.merged'`,
  ],
  'users disabled': [
    `SELECT count(*) FROM iam.users WHERE status = 'disabled'`,
    `SELECT count(*) FILTER (WHERE action = 'user.disabled') - count(*) FILTER (WHERE action = 'user.enabled') FROM iam.audit_log`,
  ],
  identities: [
    'SELECT count(*) FROM iam.identities',
    `SELECT count(*) FILTER (WHERE action IN ('user.signed_up', 'identity.linked')) - count(*) FILTER (WHERE action = 'identity.account_closed')
     FROM iam.audit_log`,
  ],
  'logins that proved somebody': [
    `SELECT count(*) FROM iam.logins WHERE status IN ('authenticated', 'consumed') OR error = 'login_interrupted'`,
    `SELECT count(*) FROM iam.audit_log WHERE action IN ('login.authenticated', 'user.signed_up')`,
  ],
  'logins that failed': [
    `SELECT count(*) FROM iam.logins WHERE status IN ('failed', 'denied') AND error <> 'login_interrupted'`,
    `SELECT count(*) + (SELECT COALESCE(sum(GREATEST(0, r.count - 30)), 0) FROM iam.refusals r
                        WHERE r.action = 'login.failed' AND r.detail ->> 'error' <> 'code_already_used')
     FROM iam.audit_log WHERE action = 'login.failed' AND detail ->> 'error' <> 'code_already_used'`,
  ],
  'sessions begun': [
    'SELECT count(*) FROM iam.sessions',
    `SELECT count(DISTINCT session_id) FROM iam.audit_log WHERE action = 'session.started'`,
  ],
  'sessions ended, each told of once': [
    'SELECT count(*) FROM iam.sessions WHERE ended_at IS NOT NULL',
    `SELECT count(*) FROM iam.sessions s, iam.audit_log a WHERE s.ended_at IS NOT NULL
       AND a.action LIKE 'session.%' AND a.action <> 'session.started'
       AND (a.session_id = s.id OR a.detail -> 'sessions' ? s.id::text)`,
  ],
  'sessions ended by a reused token': [
    `SELECT count(*) FROM iam.sessions WHERE end_reason = 'refresh_reused'`,
    `SELECT count(*) FROM iam.audit_log WHERE action = 'session.refresh_reused'`,
  ],
  'sessions ended by a reused code': [
    `SELECT count(*) FROM iam.sessions WHERE end_reason = 'code_reused'`,
    `SELECT count(*) FROM iam.audit_log WHERE action = 'session.code_reused'`,
  ],
  'signing keys': [
    'SELECT count(*) FROM iam.signing_keys',
    `SELECT 1 + count(DISTINCT kid) - (SELECT count(*) FROM iam.audit_log WHERE action = 'key.revoked')
     FROM (SELECT detail ->> CASE action WHEN 'key.rotated' THEN 'kid' ELSE 'replacedBy' END AS kid
           FROM iam.audit_log WHERE action IN ('key.rotated', 'key.revoked')) made`,
  ],
};

describe('after any walk over what can be done, on two replicas at once', () => {
  let world: WebhookWorld;
  let replica: IamApp;
  let mini: MiniProgram;
  let admin: AdminClient;
  let replays = 0;

  beforeAll(async () => {
    world = await startWebhookWorld({}, { options: adminOptions });
    for (const app of [world.oa, world.site])
      app.configureServer({ url: world.webhook, ...world.server, mode: 'safe' });
    mini = world.account.miniProgram();
    await world.saveProvider({ mini_app_id: mini.appid, mini_app_secret: mini.secret });
    await world.dataSource.query(`INSERT INTO iam.roles (name) VALUES ('clerk')`);
    replica = await startReplica(world, { options: adminOptions });
    admin = new AdminClient(world.url);
  });
  afterAll(async () => {
    await replica.close();
    await world.close();
  });

  const either = (turn: number) => (turn % 2 === 0 ? world : replica).url;
  const newActor = (): Actor => ({
    person: world.wechat.person({ nickname: '走' }),
    tokens: [],
    userId: undefined,
  });
  const handIn = (code: string, turn: number) =>
    new PcBrowser().visit(`${either(turn)}/iam/token`, {
      form: { grant_type: 'urn:wechat:grant:mini_program', client_id: 'web', provider: 'wechat', code },
      headers: { accept: 'application/json' },
    });

  /** One step of one person; what is refused is refused, the books must balance all the same. */
  const act: Readonly<Record<Step, (actor: Actor, turn: number) => Promise<unknown>>> = {
    'sign in on the PC': async (actor) => {
      actor.tokens = [(await signInOnPc(world, actor.person)).refreshToken];
    },
    'sign in inside WeChat': async (actor) => {
      const { refreshToken, id } = await inWechat(world, actor.person);
      Object.assign(actor, { tokens: [refreshToken], userId: id });
    },
    'sign in by the mini program': async (actor, turn) => {
      actor.tokens = [toTokens(await handIn(actor.person.wxLogin(mini), turn)).refreshToken];
    },
    'hand in an app code twice': async ({ person }, turn) => {
      const code = person.wxLogin(mini);
      await handIn(code, turn);
      if ((await handIn(code, turn + 1)).json()['error'] === 'invalid_grant') replays += 1;
    },
    'redeem a code twice': async ({ person }) => {
      const returned = await returnFromPc(world, person);
      await redeem(world.url, returned);
      await outlastGrace(world);
      await redeem(world.url, returned);
    },
    'fail at WeChat': ({ person }) => {
      world.wechat.once('/sns/oauth2/access_token', { errcode: 40029, errmsg: 'invalid code' });
      return returnFromPc(world, person);
    },
    refresh: async (actor, turn) => {
      const reply = await refresh(either(turn), actor.tokens.at(-1) ?? 'none');
      if (reply.status === 200) actor.tokens.push(toTokens(reply).refreshToken);
    },
    'reuse a spent token': async (actor, turn) => refresh(either(turn), actor.tokens[0] ?? 'none'),
    revoke: async (actor, turn) => revoke(either(turn), actor.tokens.at(-1) ?? 'none'),
    'withdraw the authorization': ({ person }) => person.revokeAuthorization(world.site),
    'close the WeChat account': async (actor) => {
      await actor.person.closeAccount();
      Object.assign(actor, newActor());
    },
    'bind or unbind the Official Account': async (_actor, turn) =>
      turn % 2 === 0 ? world.account.unbind(world.oa) : world.account.bind(world.oa),
    'be disabled': async ({ userId }) => userId && admin.post(`users/${userId}/disable`),
    'be enabled': async ({ userId }) => userId && admin.post(`users/${userId}/enable`),
    'get a role': async ({ userId }) => userId && admin.request('PUT', `users/${userId}/roles/clerk`),
    'lose a role': async ({ userId }) => userId && admin.delete(`users/${userId}/roles/clerk`),
    'rotate the signing key': async (_actor, turn) => admin.post('keys/rotate', { activate_in: turn % 2 }),
    'revoke the signing key': async () => {
      const { kid } = (
        await rowsOf(
          world.dataSource,
          `SELECT kid FROM iam.signing_keys WHERE active_at <= now() ORDER BY generation DESC LIMIT 1`,
        )
      )[0] ?? { kid: 'none' };
      await admin.delete(`keys/${String(kid)}`);
    },
  };

  const walk = async (actor: Actor, path: readonly Step[], offset: number): Promise<void> => {
    for (const [index, step] of path.entries())
      await act[step](actor, index + offset).catch((error: unknown) => {
        // A person who is disabled or was merged meanwhile gets no tokens: a refusal like others.
        if (!(error instanceof Error) || !/no tokens|no attempt|undefined/.test(error.message)) throw error;
      });
  };
  const countOf = async (sql: string) => Number(await valueOf(world.dataSource, sql));
  const readBooks = () =>
    Promise.all(
      Object.entries(balance).map(async ([what, [state, audit]]) => ({
        what,
        state: await countOf(state),
        audit: await countOf(audit),
      })),
    );
  const pushesAreDone = () =>
    until(
      'every push is worked off',
      async () =>
        (await countOf(
          `SELECT count(*) FROM iam.webhook_events WHERE status IN ('pending', 'processing')`,
        )) === 0,
    );

  it('every change of state has its audit entry, and every entry its change', async () => {
    const path = fc.array(fc.constantFrom(...steps), { minLength: 8, maxLength: 14 });
    const settings = { numRuns: 6, endOnFailure: true };

    await fc.assert(
      fc.asyncProperty(fc.tuple(path, path, path), async (paths) => {
        await Promise.all(
          paths.map((each, index) =>
            walk(newActor(), ['sign in on the PC', 'sign in inside WeChat', ...each], index),
          ),
        );
        await pushesAreDone();
        const books = await readBooks();
        const expected = books.map(({ what, state }) => ({ what, state, audit: state }));
        expect(books).toEqual(expected);
      }),
      settings,
    );

    expect(
      await countOf(
        `SELECT count(*) FROM iam.audit_log WHERE action = 'login.failed' AND detail ->> 'error' = 'code_already_used'`,
      ),
    ).toBe(replays);
    expect(await countOf('SELECT count(*) FROM iam.audit_log')).toBeGreaterThan(150);
  }, 120_000);

  it('roles are those that were given and not taken', async () => {
    const held = await rowsOf(
      world.dataSource,
      `SELECT count(*)::int AS roles FROM iam.user_roles r JOIN iam.users u ON u.id = r.user_id WHERE u.status <> 'merged'`,
    );
    const given = await rowsOf(
      world.dataSource,
      `SELECT count(*)::int AS roles FROM (
         SELECT DISTINCT ON (COALESCE(u.merged_into, u.id)) a.action
         FROM iam.audit_log a JOIN iam.users u ON u.id = a.user_id
         WHERE a.action IN ('user.role_assigned', 'user.role_removed')
         ORDER BY COALESCE(u.merged_into, u.id), a.at DESC, a.id DESC
       ) last WHERE action = 'user.role_assigned'`,
    );

    expect(held).toEqual(given);
  });

  it('no entry holds a token, a code or a secret', async () => {
    const person = world.wechat.person({ nickname: '密' });
    const returned = await returnFromPc(world, person);
    const { accessToken, refreshToken } = toTokens(await redeem(world.url, returned));
    const issued = [
      accessToken,
      refreshToken,
      returned.returned.location?.searchParams.get('code') ?? '?',
      world.site.secret,
      world.key,
    ];

    const rows = await rowsOf(world.dataSource, 'SELECT a::text AS line FROM iam.audit_log a');

    const log = rows.map(({ line }) => String(line)).join('\n');
    expect(issued.filter((text) => log.includes(text))).toEqual([]);
  });
});
