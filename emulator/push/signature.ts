import { createHash } from 'node:crypto';

/** WeChat's signature: SHA-1 over the parts, sorted as plain bytes and joined (protocol F.1, F.3). */
export function sign(...parts: readonly string[]): string {
  const sorted = parts
    .map((part) => Buffer.from(part, 'utf8'))
    .sort((one, other) => Buffer.compare(one, other));
  return createHash('sha1').update(Buffer.concat(sorted)).digest('hex');
}
