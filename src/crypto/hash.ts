import { createHash } from 'node:crypto';

/** SHA-256 of the UTF-8 text in base64url: the form in which single-use values are stored. */
export function sha256(text: string): string {
  return createHash('sha256').update(text, 'utf8').digest('base64url');
}
