import { Module } from '@nestjs/common';
import type { Person } from '../../emulator/index.js';
import type { IamHooks } from '../../src/index.js';
import { callMe, itemsOf } from '../support/account.js';
import { AdminClient, adminOptions, adminWithPermissions, signedInWithRoles } from '../support/admin.js';
import { startWorld, type World } from '../support/iam-app.js';
import { LogCapture } from '../support/log-capture.js';
import { countWaiting, rowsOf, valueOf } from '../support/rows.js';
import { approveOnPc, redeem, returnFromPc, returnInsideWechat, toTokens } from '../support/sign-in.js';
import { onPc, refresh, type SignedIn } from '../support/signed-in.js';
import { until } from '../support/until.js';

/** A help desk that may change users, sessions and roles, and what it may do to somebody who may do more. */
describe('an administrator who may do less than a user', () => {
  let world: World;
  let admin: AdminClient;
  let desk: AdminClient;

  beforeAll(async () => {
    world = await startWorld({ options: { ...adminOptions, rateLimits: 'off' } });
    admin = new AdminClient(world.url);
    await admin.post('roles', { name: 'chief', permissions: ['*'] });
    await admin.post('roles', { name: 'colleague', permissions: ['iam:users:write'] });
    desk = await adminWithPermissions(world, 'iam:users:write', 'iam:sessions:write', 'iam:roles:write');
  });
  afterAll(() => world.close());

  const someone = () => onPc(world, world.wechat.person({ nickname: '某' }));
  const holderOf = (role: string) => signedInWithRoles(world, [role]);
  const sql = (text: string, parameters: unknown[] = []) => rowsOf(world.dataSource, text, parameters);
  const identityOf = async (user: SignedIn) =>
    String(itemsOf(await callMe(world, user, '/identities'))[0]?.['id']);
  const sessionOf = async (user: SignedIn) =>
    String(
      (await sql('SELECT id FROM iam.sessions WHERE user_id = $1 ORDER BY id DESC', [user.id]))[0]?.['id'],
    );
  const stateOf = (user: SignedIn) =>
    sql(
      `SELECT u.status, u.external_id, u.nickname, (SELECT array_agg(id) FROM iam.identities WHERE user_id = u.id) AS identities,
              (SELECT array_agg(id ORDER BY id) FROM iam.sessions WHERE user_id = u.id AND ended_at IS NULL) AS sessions
       FROM iam.users u WHERE u.id = $1`,
      [user.id],
    );
  const daysAgo = async (user: SignedIn) => {
    const runner = world.dataSource.createQueryRunner();
    await runner.startTransaction();
    await runner.query(`SET LOCAL session_replication_role = replica`);
    await runner.query(`UPDATE iam.audit_log SET at = at - interval '24 hours' WHERE user_id = $1`, [
      user.id,
    ]);
    await runner.commitTransaction();
    await runner.release();
  };

  /** Everything that the admin API does to a user. */
  async function actOn(user: SignedIn, as: AdminClient): Promise<unknown[]> {
    const { id } = await someone();
    return [
      await as.post(`users/${id}/merge`, { other: user.id }),
      await as.post(`users/${user.id}/merge`, { other: id }),
      await as.delete(`users/${user.id}/identities/${await identityOf(user)}?force=true`),
      await as.post(`users/${user.id}/disable`, {}),
      await as.post(`users/${user.id}/enable`),
      await as.patch(`users/${user.id}`, { external_id: 'crm-1' }),
      await as.patch(`users/${user.id}`, { nickname: 'x' }),
      await as.delete(`users/${user.id}/sessions`),
      await as.delete(`sessions/${await sessionOf(user)}`),
      await as.delete(`users/${user.id}`),
    ].map(({ status, code }) => `${status} ${String(code)}`);
  }
  const refused = Array<string>(10).fill('403 insufficient_permissions');

  it('does nothing to them', async () => {
    const chief = await holderOf('chief');
    const before = await stateOf(chief);

    expect(await actOn(chief, desk)).toEqual(refused);
    expect(await stateOf(chief)).toEqual(before);
    expect((await refresh(world.url, chief.refreshToken)).status).toBe(200);
  });

  it('does not take their role, nor what the role permits, to do it then', async () => {
    const chief = await holderOf('chief');

    const steps = [
      await desk.delete(`users/${chief.id}/roles/chief`),
      await desk.patch('roles/chief', { permissions: [] }),
      await desk.delete('roles/chief'),
    ];

    expect(steps.map(({ code }) => code)).toEqual(Array(3).fill('insufficient_permissions'));
    expect((await admin.get(`users/${chief.id}/roles`)).json()).toEqual({ roles: ['chief'] });
    expect(await actOn(chief, desk)).toEqual(refused);
  });

  it('does nothing to them for a day after they lost the role, even if it is deleted', async () => {
    await admin.post('roles', { name: 'passing', permissions: ['*'] });
    const chief = await holderOf('passing');
    await admin.delete(`users/${chief.id}/roles/passing`);
    const withRole = await actOn(chief, desk);
    await admin.delete('roles/passing');
    const withoutRole = await actOn(chief, desk);

    await daysAgo(chief);
    const later = await desk.post(`users/${chief.id}/disable`, {});

    expect([withRole, withoutRole]).toEqual([refused, refused]);
    expect(later.status).toBe(204);
  });

  it('does nothing for that day to those who have become one with them', async () => {
    const older = String((await admin.post('users', { nickname: '旧' })).json()['id']);
    const chief = await holderOf('chief');
    await admin.delete(`users/${chief.id}/roles/chief`);
    const merged = await admin.post(`users/${older}/merge`, { other: chief.id });

    expect(merged.json()).toEqual({ id: older, merged: chief.id });
    expect((await desk.post(`users/${older}/disable`, {})).code).toBe('insufficient_permissions');
  });

  it('does not let them in again', async () => {
    const chief = await holderOf('chief');
    await admin.post(`users/${chief.id}/disable`, {});

    expect((await desk.post(`users/${chief.id}/enable`)).code).toBe('insufficient_permissions');
    expect(await stateOf(chief)).toMatchObject([{ status: 'disabled' }]);
  });

  it('is told when they get a role in the very moment', async () => {
    const user = await someone();
    const giving = world.dataSource.createQueryRunner();
    await giving.startTransaction();
    await giving.query('SELECT 1 FROM iam.users WHERE id = $1 FOR UPDATE', [user.id]);

    const disabling = desk.post(`users/${user.id}/disable`, {});
    await until('the request waits', async () => (await countWaiting(world.dataSource)) === 1);
    await giving.query(`INSERT INTO iam.user_roles (user_id, role) VALUES ($1, 'chief')`, [user.id]);
    await giving.commitTransaction();
    await giving.release();

    expect((await disabling).code).toBe('precondition_failed');
    expect(await stateOf(user)).toMatchObject([{ status: 'active' }]);
  });

  it('does as before what concerns those who may do as much or less', async () => {
    for (const user of [await someone(), await holderOf('colleague')]) {
      const role = await desk.delete(`users/${user.id}/roles/colleague`);

      expect(role.status).toBe(204);
      expect((await desk.post(`users/${user.id}/disable`, {})).status).toBe(204);
      expect((await desk.post(`users/${user.id}/enable`)).status).toBe(204);
      expect((await desk.patch(`users/${user.id}`, { external_id: null })).status).toBe(200);
      expect((await desk.delete(`users/${user.id}`)).status).toBe(204);
    }
  });

  it('is not the admin token, which may do everything', async () => {
    const chief = await holderOf('chief');

    expect((await admin.post(`users/${chief.id}/disable`, {})).status).toBe(204);
    expect((await admin.post(`users/${chief.id}/enable`)).status).toBe(204);
    expect((await admin.delete(`users/${chief.id}/roles/chief`)).status).toBe(204);
    expect((await admin.delete(`users/${chief.id}`)).status).toBe(204);
  });
});

class FailingHooks implements IamHooks {
  fails = false;

  beforeSignUp(): undefined {
    if (this.fails) throw new Error("the host's own database is away");
  }
}

@Module({ providers: [FailingHooks], exports: [FailingHooks] })
class HooksModule {}

describe('a person who may not sign in', () => {
  let world: World;
  const logger = new LogCapture();

  beforeAll(async () => {
    world = await startWorld({ logger, imports: [HooksModule], options: { hooks: FailingHooks } });
  });
  afterAll(() => world.close());

  const disable = (person: Person) =>
    world.dataSource.query(
      `UPDATE iam.users SET status = 'disabled'
       WHERE id IN (SELECT user_id FROM iam.identities WHERE openid = $1)`,
      [person.openid(world.site)],
    );
  const lastLogin = async () => {
    const [row] = await rowsOf(
      world.dataSource,
      'SELECT status, error FROM iam.logins ORDER BY created_at DESC LIMIT 1',
    );
    return row;
  };
  const known = async () => {
    const person = world.wechat.person({ nickname: '小兰' });
    toTokens(await redeem(world.url, await returnFromPc(world, person)));
    return person;
  };

  it('because the account is disabled ends as user_disabled, whichever app they come through', async () => {
    const person = await known();
    await disable(person);

    const { returned } = await returnFromPc(world, person);
    const onPc = await lastLogin();
    const inside = await returnInsideWechat(world.url, person);

    expect(returned.location?.searchParams.get('error')).toBe('access_denied');
    expect(inside.location.searchParams.get('error')).toBe('access_denied');
    expect([onPc, await lastLogin()]).toEqual([
      { status: 'failed', error: 'user_disabled' },
      { status: 'failed', error: 'user_disabled' },
    ]);
  });

  it('because the account was disabled after WeChat came back gets no session for the code', async () => {
    const person = await known();
    const signIn = await returnFromPc(world, person);
    await disable(person);
    logger.clear();

    const reply = await redeem(world.url, signIn);

    expect(reply.json()['error']).toBe('access_denied');
    expect(logger.with('user_disabled: ')).toHaveLength(1);
  });

  it('because the host failed to decide leaves nobody behind, and is welcome when it can', async () => {
    const hooks = world.app.get(FailingHooks);
    const person = world.wechat.person({ nickname: '小新' });
    hooks.fails = true;
    const { browser, callback } = await approveOnPc(world, person);

    const reply = await browser.visit(callback);
    hooks.fails = false;
    const again = await returnFromPc(world, person);

    expect(reply.location?.searchParams.get('error')).toBe('server_error');
    expect(reply.location?.href).not.toContain('database');
    expect(again.returned.location?.searchParams.get('code')).toEqual(expect.any(String));
    expect(
      await valueOf(world.dataSource, "SELECT count(*)::int FROM iam.logins WHERE error = 'internal_error'"),
    ).toBe(1);
  });

  it('has every refusal in the audit log, with the reason and without code or state', async () => {
    const entries = await rowsOf(
      world.dataSource,
      "SELECT action, detail FROM iam.audit_log WHERE action = 'login.failed' ORDER BY id",
    );

    const failed = await valueOf(
      world.dataSource,
      "SELECT count(*)::int FROM iam.logins WHERE status IN ('failed', 'denied')",
    );
    expect(entries).toHaveLength(Number(failed));
    expect(entries.map(({ detail }) => JSON.stringify(detail)).join()).toMatch(
      /user_disabled.*internal_error/,
    );
    expect(JSON.stringify(entries)).not.toMatch(/"(code|state)"/);
  });
});
