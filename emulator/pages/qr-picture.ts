import { toBuffer } from 'qrcode';
import type { Answer } from '../http/exchange.js';

/** A QR code as a PNG, 430 pixels wide like WeChat's own unless told otherwise. */
export async function qrPicture(content: string, options: QrPictureOptions = {}): Promise<Answer> {
  const body = await drawQr(content, options);
  return { status: 200, headers: { 'content-type': 'image/png', 'cache-control': 'no-store' }, body };
}

/** How a code is drawn. */
interface QrPictureOptions {
  readonly width?: number;
  readonly isTransparent?: boolean;
}

/** Each line as what differs from the one above: to try all of PNG's filters takes three times as long. */
const rendererOpts = { filterType: 2, deflateLevel: 1 };

/** The bytes of the picture. */
export function drawQr(content: string, { width = 430, isTransparent }: QrPictureOptions): Promise<Buffer> {
  const color = isTransparent === true ? { light: '#ffffff00' } : {};
  return toBuffer(content, { type: 'png', width, margin: 2, color, rendererOpts });
}
