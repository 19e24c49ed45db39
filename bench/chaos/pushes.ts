import { randomBytes } from 'node:crypto';
import { pushShot, textFields } from '../follow/pushes.js';
import type { World } from '../world.js';
import type { Client } from './client.js';
import { type Promises, pushKey } from './promises.js';

/** WeChat delivers three times in all. */
const ATTEMPTS = 3;

/** Somebody writes to the Official Account, and WeChat pushes it until a 200 arrives. */
export async function pushMessage(world: World, client: Client, promises: Promises): Promise<void> {
  const openid = `o${randomBytes(14).toString('hex').slice(1)}`;
  const now = Math.floor(Date.now() / 1000);
  const fields = { FromUserName: openid, CreateTime: now, ...textFields() };
  for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
    const reply = await client.send('push: message', pushShot(world, fields, openid));
    if (reply?.status !== 200) continue;
    promises.acknowledged.add(pushKey(fields));
    return;
  }
  promises.givenUpPushes += 1;
}
