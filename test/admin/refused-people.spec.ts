import { Module } from '@nestjs/common';
import type { IamHooks } from '../../src/index.js';
import type { Person } from '../../emulator/index.js';
import { startWorld, type World } from '../support/iam-app.js';
import { LogCapture } from '../support/log-capture.js';
import { rowsOf, valueOf } from '../support/rows.js';
import { approveOnPc, redeem, returnFromPc, returnInsideWechat, toTokens } from '../support/sign-in.js';

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
