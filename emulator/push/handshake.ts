import { fetchOnce } from '../web-view/http-fetch.js';
import type { ServerSettings } from '../world/app-state.js';
import type { World } from '../world/world.js';
import { sign } from './signature.js';

/** What came of pressing Submit in the console. */
export interface HandshakeResult {
  readonly ok: boolean;
  readonly status: number;
  readonly body: string;
  readonly error?: string;
}

/** Asks the server URL to echo a number, as the console does when the settings are submitted (protocol F.1). */
export async function verifyServer(world: World, server: ServerSettings): Promise<HandshakeResult> {
  if (server.url === undefined) return { ok: false, status: 0, body: '', error: 'no server URL' };
  const timestamp = String(world.clock.seconds());
  const nonce = String(world.randomness.bytes(4).readUInt32BE());
  const echostr = String(world.randomness.bytes(8).readBigUInt64BE());
  const url = new URL(server.url);
  const query = { signature: sign(server.token, timestamp, nonce), timestamp, nonce, echostr };
  for (const [name, value] of Object.entries(query)) url.searchParams.append(name, value);
  try {
    const headers = { 'user-agent': 'Mozilla/4.0', accept: '*/*' };
    const answer = await fetchOnce(url, { method: 'GET', headers, timeout: world.rules.pushTimeout });
    const body = answer.body.toString('utf8');
    return { ok: answer.status === 200 && body === echostr, status: answer.status, body };
  } catch (error) {
    return { ok: false, status: 0, body: '', error: error instanceof Error ? error.message : 'no answer' };
  }
}
