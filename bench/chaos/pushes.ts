import { setTimeout as delay } from 'node:timers/promises';
import { newOpenid, pushShot, textFields } from '../follow/pushes.js';
import type { World } from '../world.js';
import type { Client } from './client.js';
import { type Promises, pushKey } from './promises.js';

/** WeChat delivers three times in all, and as far as is known five seconds apart. */
const ATTEMPTS = 3;
export const APART_MS = 5_000;

/** Somebody writes to the Official Account, and WeChat pushes it until a 200 arrives. */
export async function pushMessage(world: World, client: Client, promises: Promises): Promise<void> {
  const openid = newOpenid();
  const now = Math.floor(Date.now() / 1000);
  const fields = { FromUserName: openid, CreateTime: now, ...textFields() };
  for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
    if (attempt > 0) await delay(APART_MS);
    const reply = await client.send('push: message', pushShot(world, fields, openid));
    if (reply?.status !== 200) continue;
    promises.acknowledged.add(pushKey(fields));
    return;
  }
  promises.givenUpPushes += 1;
}
