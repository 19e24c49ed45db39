import { randomBytes, randomInt } from 'node:crypto';
import type { PushFields } from '../../emulator/index.js';
import { pushRequest } from '../../emulator/push/push-request.js';
import type { Shot } from '../measure/http-shots.js';
import type { World } from '../world.js';

/** The openid of somebody never seen before. */
export const newOpenid = () => `o${randomBytes(14).toString('hex').slice(1)}`;

/** A push as WeChat sends it in safe mode, signed and encrypted. */
export function pushShot({ oa }: Pick<World, 'oa'>, fields: PushFields, openid = newOpenid()): Shot {
  const now = Math.floor(Date.now() / 1000);
  const head = { ToUserName: oa.originalId, FromUserName: openid, CreateTime: now };
  const { query, headers, body } = pushRequest(oa.settings.server, {
    appid: oa.appid,
    fields: { ...head, ...fields },
    openid,
    timestamp: String(now),
    nonce: String(randomInt(2 ** 31)),
    random: randomBytes(16),
  });
  return { method: 'POST', path: `/iam/webhook/wechat?${query.toString()}`, headers, body };
}

/** Somebody follows from a QR code. */
export function scanFields(scene: string): PushFields {
  return {
    MsgType: 'event',
    Event: 'subscribe',
    EventKey: `qrscene_${scene}`,
    Ticket: randomBytes(48).toString('base64'),
  };
}

/** Somebody writes something that is no sign-in's business. */
export function textFields(): PushFields {
  return { MsgType: 'text', Content: '你好，请问几点开门？', MsgId: randomBytes(8).readBigUInt64BE() >> 1n };
}

/** The scenes of the QR codes that were asked for since the call log was cleared. */
export function askedScenes({ wechat }: World): string[] {
  return wechat.calls('/cgi-bin/qrcode/create').flatMap(({ body }) => {
    const [, scene] = /"scene_str":"([^"]+)"/.exec(body) ?? [];
    return scene === undefined ? [] : [scene];
  });
}
