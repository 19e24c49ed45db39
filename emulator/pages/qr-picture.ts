import { toBuffer } from 'qrcode';
import type { Answer } from '../http/exchange.js';

/** A QR code as a PNG, 430 pixels wide like WeChat's own. */
export async function qrPicture(content: string): Promise<Answer> {
  const body = await toBuffer(content, { type: 'png', width: 430, margin: 2 });
  return { status: 200, headers: { 'content-type': 'image/png', 'cache-control': 'no-store' }, body };
}
