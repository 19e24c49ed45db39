import { randomUUID } from 'node:crypto';
import { LoginDecisions } from '../../src/follow-login/login-decisions.service.js';
import { startWorld, type World } from '../support/iam-app.js';

describe('the code with which a phone returns to the confirm page', () => {
  let world: World;

  beforeAll(async () => {
    world = await startWorld();
  });
  afterAll(() => world.close());

  it('is claimed by one login only, whichever way that came by it', async () => {
    const logins = [randomUUID(), randomUUID()].map((id) => ({ id, appid: world.oa.appid }));
    for (const { id, appid } of logins)
      await world.dataSource.query(
        `INSERT INTO iam.logins (id, status, provider, method, appid, client_id, expires_at)
         VALUES ($1, 'scanned', 'wechat', 'follow', $2, 'web', now() + interval '1 minute')`,
        [id, appid],
      );
    const decisions = world.app.get(LoginDecisions);

    const claims = [];
    for (const login of logins) claims.push(await decisions.claimConfirmCode(login, 'a-code'));

    expect(claims).toEqual([true, false]);
  });
});
