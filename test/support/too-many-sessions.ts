import type { World } from './iam-app.js';
import { redeem, returnFromPc } from './sign-in.js';
import { onPc } from './signed-in.js';

const FEW = 50;

/** Options with a limit of sessions that nobody reaches by signing in. */
export const fewSessions = { sessions: { limit: { perUser: FEW, then: 'refuse' } } } as const;

/** A sign-in of somebody who has all of `fewSessions`. */
export async function signInTooOften(world: World): Promise<void> {
  const person = world.wechat.person({ nickname: '多' });
  const { id } = await onPc(world, person);
  await world.dataSource.query(
    `INSERT INTO iam.sessions (id, user_id, client_id, login_id, provider, method, appid, openid, idle_expires_at, expires_at)
     SELECT gen_random_uuid(), user_id, client_id, gen_random_uuid(), provider, method, appid, openid, idle_expires_at, expires_at
     FROM iam.sessions, generate_series(1, ${FEW}) WHERE user_id = $1`,
    [id],
  );
  await redeem(world.url, await returnFromPc(world, person));
}
