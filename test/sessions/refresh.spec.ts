import { decodeJwt } from 'jose';
import { codeForm, cookieClient, cookiesOf, refreshByCookie } from '../support/cookie-client.js';
import { startReplica, startWorld, testKey, type IamApp, type World } from '../support/iam-app.js';
import { PcBrowser, type Reply } from '../support/pc-browser.js';
import { rowsOf, valueOf } from '../support/rows.js';
import { redeem, returnFromPc, signInOnPc, toTokens } from '../support/sign-in.js';
import { refresh, revoke } from '../support/signed-in.js';

/** A session under test: its first refresh token and its row. */
interface Session {
  readonly sid: string;
  readonly accessToken: string;
  readonly token: string;
}

const clients = [{ id: 'other', redirectUris: ['https://other.example/back'] }, cookieClient()];

describe('a refresh token', () => {
  let world: World;
  let replica: IamApp;

  beforeAll(async () => {
    world = await startWorld({
      options: { clients },
    });
    replica = await startReplica(world, { options: { clients } });
  });
  afterAll(async () => {
    await replica.close();
    await world.close();
  });

  async function session(): Promise<Session> {
    const { accessToken, refreshToken } = await signInOnPc(world, world.wechat.person({ nickname: '新' }));
    return { sid: String(decodeJwt(accessToken)['sid']), accessToken, token: refreshToken };
  }
  const row = async (sid: string) =>
    (await rowsOf(world.dataSource, 'SELECT *, now() AS now FROM iam.sessions WHERE id = $1', [sid]))[0] ??
    {};
  const change = (sid: string, assignment: string) =>
    world.dataSource.query(`UPDATE iam.sessions SET ${assignment} WHERE id = $1`, [sid]);
  const next = async (token: string) => toTokens(await refresh(world.url, token)).refreshToken;
  const errorOf = (reply: Reply) => reply.json()['error'];

  it('is spent by its use and followed by another, with a new access token of the same session', async () => {
    const { sid, accessToken, token } = await session();

    const reply = await refresh(world.url, token);

    expect(reply.status).toBe(200);
    expect(Object.keys(reply.json()).sort()).toEqual([
      'access_token',
      'expires_in',
      'refresh_token',
      'token_type',
    ]);
    expect(reply.headers.get('cache-control')).toBe('no-store');
    const successor = toTokens(reply);
    expect(successor.refreshToken).not.toBe(token);
    expect(decodeJwt(successor.accessToken)).toMatchObject({ sid, sub: decodeJwt(accessToken).sub });
    expect(decodeJwt(successor.accessToken).jti).not.toBe(decodeJwt(accessToken).jti);
  });

  it('leaves one session row after 1,000 uses', async () => {
    const { sid, token } = await session();
    const before = await valueOf(world.dataSource, 'SELECT count(*)::int FROM iam.sessions');

    let current = token;
    for (let use = 0; use < 1000; use += 1) {
      const body = new URLSearchParams({
        grant_type: 'refresh_token',
        client_id: 'web',
        refresh_token: current,
      });
      const reply: unknown = await (await fetch(`${world.url}/iam/token`, { method: 'POST', body })).json();
      current = /"refresh_token":"([^"]+)"/.exec(JSON.stringify(reply))?.[1] ?? '';
    }

    expect(await valueOf(world.dataSource, 'SELECT count(*)::int FROM iam.sessions')).toBe(before);
    expect((await row(sid))['generation']).toBe(1000);
  }, 120_000);

  it('that 50 requests bring at once to two replicas has one successor', async () => {
    const { sid, token } = await session();

    const replies = await Promise.all(
      Array.from({ length: 50 }, (_, index) => refresh(index % 2 === 0 ? world.url : replica.url, token)),
    );

    expect(new Set(replies.map(({ status }) => status))).toEqual(new Set([200]));
    expect(new Set(replies.map((reply) => toTokens(reply).refreshToken)).size).toBe(1);
    expect((await row(sid))['generation']).toBe(1);
  });

  describe('that was spent', () => {
    it('is answered with the same successor within the grace, when the first answer was lost', async () => {
      const { token } = await session();
      const lost = await next(token);

      const again = await next(token);

      expect(again).toBe(lost);
      expect((await refresh(world.url, again)).status).toBe(200);
    });

    it('ends the session after the grace, with whatever came of it', async () => {
      const { sid, token } = await session();
      const successor = await next(token);
      await change(sid, `rotated_at = now() - interval '10.001 seconds'`);

      const reused = await refresh(world.url, token);

      expect(errorOf(reused)).toBe('invalid_grant');
      expect(errorOf(await refresh(replica.url, successor))).toBe('invalid_grant');
      expect((await row(sid))['end_reason']).toBe('refresh_reused');
      expect(
        await rowsOf(
          world.dataSource,
          `SELECT client_id, detail FROM iam.audit_log WHERE action = 'session.refresh_reused' AND session_id = $1`,
          [sid],
        ),
      ).toEqual([{ client_id: 'web', detail: { generation: 0 } }]);
    });

    it('ends the session even within the grace when it is not the last but one', async () => {
      const { sid, token } = await session();
      const successor = await next(await next(token));

      const reused = await refresh(world.url, token);

      expect(errorOf(reused)).toBe('invalid_grant');
      expect(errorOf(await refresh(world.url, successor))).toBe('invalid_grant');
      expect((await row(sid))['end_reason']).toBe('refresh_reused');
    });

    it('does not prolong the grace by being used', async () => {
      const { sid, token } = await session();
      await next(token);
      const wait = () => change(sid, `rotated_at = rotated_at - interval '4 seconds'`);

      await wait();
      const early = await refresh(world.url, token);
      await wait();
      const late = await refresh(world.url, token);
      await wait();
      const tooLate = await refresh(world.url, token);

      expect([early, late, tooLate].map(({ status }) => status)).toEqual([200, 200, 400]);
      expect((await row(sid))['end_reason']).toBe('refresh_reused');
    });

    it('has a limited number of answers within the grace', async () => {
      const { sid, token } = await session();
      await next(token);
      await change(sid, 'grace_uses = 99');

      const last = await refresh(world.url, token);
      const over = await refresh(world.url, token);

      expect([last.status, over.status]).toEqual([200, 400]);
      expect((await row(sid))['end_reason']).toBe('refresh_reused');
    });

    it('has its number of answers anew after the next rotation', async () => {
      const { sid, token } = await session();
      const successor = await next(token);
      await change(sid, 'grace_uses = 100');
      await next(successor);

      expect((await refresh(world.url, successor)).status).toBe(200);
    });
  });

  describe('is refused', () => {
    it('when the session was not used for too long, however young it is', async () => {
      const { sid, token } = await session();
      await change(sid, `idle_expires_at = now() - interval '1 millisecond'`);

      expect(errorOf(await refresh(world.url, token))).toBe('invalid_grant');
    });

    it('when the session is too old, even if just refreshed', async () => {
      const { sid, token } = await session();
      const successor = await next(token);
      await change(sid, `expires_at = now() - interval '1 millisecond'`);

      expect(errorOf(await refresh(world.url, successor))).toBe('invalid_grant');
    });

    it('from another client, which changes nothing', async () => {
      const { sid, token } = await session();

      const foreign = await refresh(world.url, token, { client_id: 'other' });
      await next(token);
      const foreignReuse = await refresh(world.url, token, { client_id: 'other' });

      expect([errorOf(foreign), errorOf(foreignReuse)]).toEqual(['invalid_grant', 'invalid_grant']);
      expect(await row(sid)).toMatchObject({ generation: 1, ended_at: null });
    });

    it('from an unknown client', async () => {
      const reply = await refresh(world.url, (await session()).token, { client_id: 'nobody' });

      expect([reply.status, errorOf(reply)]).toEqual([401, 'invalid_client']);
    });

    it('when it was revoked', async () => {
      const { token } = await session();
      await revoke(world.url, token);

      expect(errorOf(await refresh(world.url, token))).toBe('invalid_grant');
    });

    it.each([
      ['another session', (token: string, other: string) => token.replace(/\.[0-9a-f-]{36}\./, `.${other}.`)],
      ['another generation', (token: string) => token.replace(/\.0\./, '.1.')],
      ['another tag', (token: string) => token.replace(/.$/, (last) => (last === 'A' ? 'E' : 'A'))],
      ['another key', (token: string) => token.replace(/^.{8}/, '00000000')],
      ['a second line', (token: string) => `${token}\n`],
      ['nothing', () => '-'],
    ])('when it was changed to name %s, which ends nothing', async (_what, forge) => {
      const { sid, token } = await session();
      const other = await session();

      const reply = await refresh(world.url, forge(token, other.sid));

      expect(errorOf(reply)).toBe('invalid_grant');
      expect((await row(sid))['ended_at']).toBeNull();
      expect((await row(other.sid))['ended_at']).toBeNull();
    });

    it('when it is an access token or a code', async () => {
      const signIn = await returnFromPc(world, world.wechat.person({ nickname: '换' }));
      const code = signIn.returned.location?.searchParams.get('code') ?? '';
      const { accessToken } = toTokens(await redeem(world.url, signIn));

      expect(errorOf(await refresh(world.url, code))).toBe('invalid_grant');
      expect(errorOf(await refresh(world.url, accessToken.slice(0, 512)))).toBe('invalid_grant');
      expect((await refresh(world.url, accessToken)).status).toBe(400);
    });
  });

  it('moves the idle lifetime, never past the absolute one', async () => {
    const { sid, token } = await session();
    await change(sid, `idle_expires_at = now() + interval '1 minute'`);
    const successor = await next(token);
    const moved = await row(sid);
    await change(sid, `expires_at = now() + interval '1 hour'`);

    await next(successor);

    const capped = await row(sid);
    expect(Number(moved['idle_expires_at']) - Number(moved['now'])).toBeGreaterThan(29 * 86_400_000);
    expect(capped['idle_expires_at']).toEqual(capped['expires_at']);
  });

  it('lives as long as the host says', async () => {
    const tokens = { accessToken: 60, idle: 300, absolute: 100, refreshGrace: 1 };
    const strict = await startReplica(world, { options: { tokens } });
    const returned = await returnFromPc(world, world.wechat.person({ nickname: '短' }));

    const reply = await redeem(strict.url, returned, { redirect_uri: `${world.url}/signed-in` });
    const { accessToken, refreshToken } = toTokens(reply);
    const { iat = 0, exp = 0, sid } = decodeJwt(accessToken);
    const began = await row(String(sid));
    await refresh(strict.url, refreshToken);
    await change(String(sid), `rotated_at = now() - interval '1.001 seconds'`);
    const late = await refresh(strict.url, refreshToken);
    await strict.close();

    expect([reply.json()['expires_in'], exp - iat]).toEqual([60, 60]);
    expect(Number(began['expires_at']) - Number(began['created_at'])).toBe(100_000);
    expect(began['idle_expires_at']).toEqual(began['expires_at']);
    expect(errorOf(late)).toBe('invalid_grant');
  });

  it('brings what the roles are now', async () => {
    const { accessToken, token } = await session();
    await world.dataSource.query(`INSERT INTO iam.roles (name) VALUES ('editor') ON CONFLICT DO NOTHING`);
    await world.dataSource.query(`INSERT INTO iam.user_roles (user_id, role) VALUES ($1, 'editor')`, [
      decodeJwt(accessToken).sub,
    ]);
    const given = toTokens(await refresh(world.url, token));
    await world.dataSource.query('DELETE FROM iam.user_roles WHERE user_id = $1', [
      decodeJwt(accessToken).sub,
    ]);
    const taken = toTokens(await refresh(world.url, given.refreshToken));

    expect([accessToken, given.accessToken, taken.accessToken].map((jwt) => decodeJwt(jwt)['roles'])).toEqual(
      [[], ['editor'], []],
    );
  });

  it('works on while the host’s keys rotate, until the old one is retired', async () => {
    const { token } = await session();
    const newKey = testKey();
    const rotating = await startReplica(world, { options: { keys: [newKey, world.key] } });
    const rotated = await startReplica(world, { options: { keys: [newKey] } });

    const underBoth = toTokens(await refresh(rotating.url, token)).refreshToken;
    const onOldReplica = await refresh(world.url, underBoth);
    const underNew = await refresh(rotated.url, underBoth);
    const underOld = await refresh(rotated.url, token);
    await rotating.close();
    await rotated.close();

    expect(errorOf(onOldReplica)).toBe('invalid_grant');
    expect(underNew.status).toBe(200);
    expect(errorOf(underOld)).toBe('invalid_grant');
  });

  describe('in a cookie, of a user with more roles than a cookie can hold', () => {
    const signedIn = async () => {
      const browser = new PcBrowser();
      const form = await codeForm(world, world.wechat.person({ nickname: '满' }));
      const redeemed = () => browser.visit(`${world.url}/iam/token`, { form, from: world.url });
      const [, cookie] = cookiesOf(await redeemed());
      return { browser, redeemed, sid: cookie?.value.split('.')[1] ?? '' };
    };
    const crowd = (sid: string) =>
      world.dataSource.query(
        `WITH long AS (
           INSERT INTO iam.roles (name) SELECT 'a-rather-long-name-of-a-role-' || n FROM generate_series(1, 150) n
           ON CONFLICT (name) DO UPDATE SET name = excluded.name RETURNING name
         ) INSERT INTO iam.user_roles (user_id, role) SELECT user_id, name FROM iam.sessions, long WHERE id = $1`,
        [sid],
      );
    const relieve = (sid: string) =>
      world.dataSource.query(
        'DELETE FROM iam.user_roles WHERE user_id = (SELECT user_id FROM iam.sessions WHERE id = $1)',
        [sid],
      );
    const refreshed = (browser: PcBrowser, url = world.url) =>
      refreshByCookie(url, browser, { visit: { from: world.url } });
    const failed = [500, 'server_error', []];
    const outcomeOf = (reply: Reply) => [reply.status, errorOf(reply), cookiesOf(reply)];

    it('is not spent, and works again once there are fewer', async () => {
      const { browser, sid } = await signedIn();
      await crowd(sid);

      const first = await refreshed(browser);
      await change(sid, `rotated_at = now() - interval '1 hour'`);
      const second = await refreshed(browser);
      const kept = await row(sid);
      await relieve(sid);

      expect([first, second].map(outcomeOf)).toEqual([failed, failed]);
      expect(kept).toMatchObject({ generation: 0, ended_at: null });
      expect((await refreshed(browser)).status).toBe(200);
      expect(await row(sid)).toMatchObject({ generation: 1, ended_at: null });
    });

    it('is not spent by 20 requests at once either', async () => {
      const { browser, sid } = await signedIn();
      await crowd(sid);

      const replies = await Promise.all(
        Array.from({ length: 20 }, (_, index) =>
          refreshed(browser, index % 2 === 0 ? world.url : replica.url),
        ),
      );
      const kept = await row(sid);
      await relieve(sid);

      expect(replies.map(outcomeOf)).toEqual(replies.map(() => failed));
      expect(kept).toMatchObject({ generation: 0, ended_at: null });
      expect((await refreshed(browser)).status).toBe(200);
    });

    it('leaves the code before it good for a repetition', async () => {
      const { browser, redeemed, sid } = await signedIn();
      await crowd(sid);
      await refreshed(browser);
      await relieve(sid);

      const reply = await redeemed();

      expect(reply.status).toBe(200);
      expect(await row(sid)).toMatchObject({ generation: 0, ended_at: null });
    });

    it('leaves the token before it spent', async () => {
      const { browser, sid } = await signedIn();
      const before = await browser.jar.getCookieString(`${world.url}/iam/token`);
      await refreshed(browser);
      await crowd(sid);
      await refreshed(browser);
      await relieve(sid);

      const reply = await new PcBrowser().visit(`${world.url}/iam/token`, {
        form: { grant_type: 'refresh_token', client_id: 'shop' },
        headers: { origin: world.url, cookie: before },
      });

      expect(errorOf(reply)).toBe('invalid_grant');
      expect((await row(sid))['end_reason']).toBe('refresh_reused');
    });
  });
});
