import { randomBytes } from 'node:crypto';
import { httpShots, type Shooter } from '../measure/http-shots.js';
import type { Operation } from '../measure/operation.js';
import type { World } from '../world.js';
import { authorizePath, browserHeaders, readTokens, tokenForm, type Tokens } from './redirect-client.js';

/** Requests that are not a whole sign-in; `sessions` has one for each connection and one besides. */
export function requestOperations(world: World, sessions: readonly Tokens[]): Operation[] {
  const [first] = sessions;
  if (first === undefined) throw new TypeError('at least one session');
  const bearer = { authorization: `Bearer ${first.accessToken}`, accept: 'application/json' };
  const challenge = randomBytes(32).toString('base64url');
  const repeated = (path: string, headers: Readonly<Record<string, string>>) => () => ({
    next: () => ({ path, headers }),
  });
  const { agent } = world;
  const { url } = world.replica;
  return [
    httpShots({
      name: 'start of a sign-in',
      url,
      agent,
      status: 302,
      shooter: repeated(authorizePath(world.publicUrl, challenge), browserHeaders),
    }),
    httpShots({
      name: 'list of providers',
      url,
      agent,
      status: 200,
      shooter: repeated('/iam/providers', browserHeaders),
    }),
    httpShots({ name: 'refresh', url, agent, status: 200, shooter: refreshing(sessions, sessions.length) }),
    httpShots({ name: 'guarded request', url, agent, status: 200, shooter: repeated('/guarded', bearer) }),
    httpShots({ name: 'the same, unguarded', url, agent, status: 200, shooter: repeated('/open', bearer) }),
  ];
}

/**
 * Each connection rotates the sessions of one lane, in turn; at least as many lanes as connections. A session whose response was
 * cut off drops out; the last one of a lane stays, since its token is still good within the grace.
 */
export function refreshing(sessions: readonly Tokens[], lanes: number): () => Shooter {
  const queues = Array.from({ length: lanes }, (_, lane) =>
    sessions.flatMap(({ refreshToken }, index) => (index % lanes === lane ? [refreshToken] : [])),
  );
  let connections = 0;
  return () => {
    const queue = queues[connections % lanes] ?? [];
    connections += 1;
    let isAlone = false;
    return {
      next: () => {
        isAlone = queue.length === 1;
        const [token = ''] = isAlone ? queue : queue.splice(0, 1);
        const form = tokenForm({ grant_type: 'refresh_token', refresh_token: token });
        return { method: 'POST', path: '/iam/token', ...form };
      },
      read: (body) => {
        const { refreshToken } = readTokens(body);
        if (isAlone) queue.splice(0, 1);
        queue.push(refreshToken);
      },
    };
  };
}
