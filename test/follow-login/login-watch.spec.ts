import { FollowLogins } from '../../src/follow-login/follow-logins.service.js';
import { followStateOf } from '../../src/follow-login/follow-login.js';
import { LoginWatch } from '../../src/follow-login/login-watch.service.js';
import { startWorld, type World } from '../support/iam-app.js';
import { PcBrowser } from '../support/pc-browser.js';
import { rowsOf } from '../support/rows.js';

describe('what a replica reads of logins that wait', () => {
  let world: World;

  beforeAll(async () => {
    world = await startWorld({ provider: { qr_enabled: true } });
  });
  afterAll(() => world.close());

  const startLogin = async (): Promise<string> => {
    const form = { client_id: 'web', provider: 'wechat' };
    await new PcBrowser().visit(`${world.url}/iam/device_authorization`, { form });
    const [row] = await rowsOf(
      world.dataSource,
      'SELECT id FROM iam.logins ORDER BY created_at DESC LIMIT 1',
    );
    return String(row?.['id']);
  };

  /** The states that a watcher is told of, until one of them is `last`. */
  const statesUntil = (loginId: string, last: string): Promise<string[]> =>
    new Promise((resolve) => {
      const states: string[] = [];
      const end = world.app.get(LoginWatch).subscribe(loginId, {
        onChange: (login) => {
          const state = login === null ? 'gone' : followStateOf(login);
          states.push(state);
          if (state !== last) return;
          resolve(states);
          setImmediate(() => end());
        },
        onClose: () => resolve(states),
      });
    });

  it('leaves out those that still wait', async () => {
    const follows = world.app.get(FollowLogins);
    const [waiting, scanned, unknown] = [await startLogin(), await startLogin(), await startLogin()];
    await world.dataSource.query(`UPDATE iam.logins SET status = 'scanned' WHERE id = $1`, [scanned]);

    const changed = await follows.findChanged([waiting, scanned, unknown], [waiting, scanned]);

    expect(new Set(changed.map(({ id }) => id))).toEqual(new Set([scanned, unknown]));
  });

  it('sees a scan that landed on another replica', async () => {
    const loginId = await startLogin();
    const states = statesUntil(loginId, 'scanned');

    await world.dataSource.query(`UPDATE iam.logins SET status = 'scanned' WHERE id = $1`, [loginId]);

    expect(await states).toEqual(['pending', 'scanned']);
  });

  it('sees that time ran out', async () => {
    const loginId = await startLogin();
    const states = statesUntil(loginId, 'expired');

    await world.dataSource.query('UPDATE iam.logins SET redeem_before = now() WHERE id = $1', [loginId]);

    expect(await states).toEqual(['pending', 'expired']);
  });
});
