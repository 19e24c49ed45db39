import { callMe, itemsOf } from '../support/account.js';
import { startWorld, type World } from '../support/iam-app.js';
import { PcBrowser, userAgents } from '../support/pc-browser.js';
import { rowsOf, valueOf } from '../support/rows.js';
import { authorizeUrl, callbackAfterScan, pkce, redeem, toTokens } from '../support/sign-in.js';
import { inWechat, onPc, refresh, revoke } from '../support/signed-in.js';

describe('the sessions of a signed-in user', () => {
  let world: World;

  beforeAll(async () => {
    world = await startWorld();
  });
  afterAll(() => world.close());

  const live = (userId: string) =>
    valueOf(
      world.dataSource,
      'SELECT count(*)::int FROM iam.sessions WHERE user_id = $1 AND ended_at IS NULL',
      [userId],
    );

  it('are listed with the device of each, this one first', async () => {
    const lan = world.wechat.person({ nickname: '小兰' });
    const onTablet = new PcBrowser(userAgents.tablet);
    const { verifier, challenge } = pkce();
    const start = await onTablet.visit(authorizeUrl(world.url, challenge, { method: 'open' }));
    const returned = await onTablet.visit(await callbackAfterScan(world.wechat, String(start.location), lan));
    await redeem(world.url, { browser: onTablet, returned, verifier });
    const pc = await onPc(world, lan);

    const items = itemsOf(await callMe(world, pc, '/sessions'));

    expect(items.map(({ current, device, method }) => ({ current, device, method }))).toEqual([
      { current: true, device: 'Chrome on Windows', method: 'open' },
      { current: false, device: 'Safari on iOS', method: 'open' },
    ]);
    const time = expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/) as string;
    expect(items[0]).toEqual({
      id: expect.any(String) as string,
      current: true,
      client_id: 'web',
      provider: 'wechat',
      method: 'open',
      device: 'Chrome on Windows',
      ip: expect.any(String) as string,
      created_at: time,
      last_used_at: time,
      expires_at: time,
    });
  });

  it('tell when they were last used, and end no later than they may', async () => {
    const pc = await onPc(world, world.wechat.person({ nickname: '晚' }));
    const [before] = itemsOf(await callMe(world, pc, '/sessions'));
    toTokens(await refresh(world.url, pc.refreshToken));

    const [after] = itemsOf(await callMe(world, pc, '/sessions'));

    expect(String(after?.['last_used_at']) > String(before?.['last_used_at'])).toBe(true);
    expect(after?.['created_at']).toBe(before?.['created_at']);
    await world.dataSource.query(
      `UPDATE iam.sessions SET expires_at = '2100-01-01', idle_expires_at = '2101-01-01' WHERE user_id = $1`,
      [pc.id],
    );
    expect(itemsOf(await callMe(world, pc, '/sessions'))[0]?.['expires_at']).toBe('2100-01-01T00:00:00.000Z');
  });

  it('are left out when they are over, in whichever way', async () => {
    const ming = world.wechat.person({ nickname: '小明' });
    const ended = await onPc(world, ming);
    const idle = await onPc(world, ming);
    const expired = await onPc(world, ming);
    const pc = await onPc(world, ming);
    await revoke(world.url, ended.refreshToken);
    const past = async (column: string, { accessToken }: { accessToken: string }) => {
      const [current] = itemsOf(await callMe(world, { accessToken }, '/sessions'));
      await world.dataSource.query(
        `UPDATE iam.sessions SET ${column} = now() - interval '1 second' WHERE id = $1`,
        [current?.['id']],
      );
    };
    await past('idle_expires_at', idle);
    await past('expires_at', expired);

    expect(itemsOf(await callMe(world, pc, '/sessions')).map(({ current }) => current)).toEqual([true]);
  });

  it('end one by one, with their refresh tokens, as often as one asks', async () => {
    const hua = world.wechat.person({ nickname: '小华' });
    const pc = await onPc(world, hua);
    const phone = await inWechat(world, hua);
    const [own, other] = itemsOf(await callMe(world, pc, '/sessions'));
    const path = `/sessions/${String(other?.['id'])}`;

    const first = await callMe(world, pc, path, { method: 'DELETE' });
    const again = await callMe(world, pc, path, { method: 'DELETE' });

    expect([first.status, again.status]).toEqual([204, 204]);
    expect((await refresh(world.url, phone.refreshToken)).json()['error']).toBe('invalid_grant');
    expect((await refresh(world.url, pc.refreshToken)).status).toBe(200);
    expect(
      await rowsOf(
        world.dataSource,
        `SELECT session_id, actor, detail FROM iam.audit_log WHERE action = 'session.ended' AND user_id = $1`,
        [pc.id],
      ),
    ).toEqual([
      {
        session_id: other?.['id'],
        actor: `user:${pc.id}`,
        detail: { reason: 'ended_by_user', by_session: own?.['id'] },
      },
    ]);
  });

  it('include the one that asks', async () => {
    const pc = await onPc(world, world.wechat.person({ nickname: '己' }));
    const [current] = itemsOf(await callMe(world, pc, '/sessions'));
    const path = `/sessions/${String(current?.['id'])}`;

    const first = await callMe(world, pc, path, { method: 'DELETE' });
    const again = await callMe(world, pc, path, { method: 'DELETE' });

    expect([first.status, again.status]).toEqual([204, 204]);
    expect((await refresh(world.url, pc.refreshToken)).json()['error']).toBe('invalid_grant');
  });

  it('are nobody else’s: a foreign one is as unknown as one that is not there', async () => {
    const victim = await onPc(world, world.wechat.person({ nickname: '甲' }));
    const attacker = await onPc(world, world.wechat.person({ nickname: '乙' }));
    const [foreign] = itemsOf(await callMe(world, victim, '/sessions'));
    const ids = [String(foreign?.['id']), '0198c0de-0000-7000-8000-000000000002', 'x'];

    const replies = await Promise.all(
      ids.map((id) => callMe(world, attacker, `/sessions/${id}`, { method: 'DELETE' })),
    );

    expect(replies.map((reply) => [reply.status, reply.json()['code']])).toEqual(
      ids.map(() => [404, 'not_found']),
    );
    expect((await refresh(world.url, victim.refreshToken)).status).toBe(200);
  });

  it('end all but the one that asks', async () => {
    const li = world.wechat.person({ nickname: '小李' });
    const others = [await onPc(world, li), await inWechat(world, li)];
    const bystander = await onPc(world, world.wechat.person({ nickname: '旁' }));
    const pc = await onPc(world, li);

    const reply = await callMe(world, pc, '/sessions', { method: 'DELETE' });

    expect([reply.status, reply.json()]).toEqual([200, { ended: 2 }]);
    expect(await live(pc.id)).toBe(1);
    for (const { refreshToken } of others)
      expect((await refresh(world.url, refreshToken)).json()['error']).toBe('invalid_grant');
    expect((await refresh(world.url, pc.refreshToken)).status).toBe(200);
    expect((await refresh(world.url, bystander.refreshToken)).status).toBe(200);
  });

  it('are not ended by a token whose own session is over', async () => {
    const wu = world.wechat.person({ nickname: '小吴' });
    const stolen = await onPc(world, wu);
    const pc = await onPc(world, wu);
    await revoke(world.url, stolen.refreshToken);

    const [other] = itemsOf(await callMe(world, pc, '/sessions'));

    const replies = [
      await callMe(world, stolen, '/sessions', { method: 'DELETE' }),
      await callMe(world, stolen, `/sessions/${String(other?.['id'])}`, { method: 'DELETE' }),
    ];

    expect(replies.map((reply) => [reply.status, reply.json()['code']])).toEqual(
      replies.map(() => [401, 'invalid_token']),
    );
    expect((await refresh(world.url, pc.refreshToken)).status).toBe(200);
  });

  it('are not for strangers', async () => {
    const replies = await Promise.all(
      (['GET', 'DELETE'] as const).map((method) =>
        new PcBrowser().visit(`${world.url}/iam/me/sessions`, {
          method,
          headers: { accept: 'application/json' },
        }),
      ),
    );

    expect(replies.map((reply) => reply.json()['code'])).toEqual([
      'authentication_required',
      'authentication_required',
    ]);
  });
});
