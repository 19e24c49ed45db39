import { createHash } from 'node:crypto';

/** SHA-256 of bytes or of UTF-8 text, in base64url: the form in which single-use values are stored. */
export function sha256(value: string | Uint8Array): string {
  return createHash('sha256').update(value).digest('base64url');
}
