import { createHash, timingSafeEqual } from 'node:crypto';

/** Equality in time that depends on neither content nor common prefix; strings of any lengths may be compared. */
export function constantTimeEqual(left: string, right: string): boolean {
  return timingSafeEqual(digest(left), digest(right));
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text, 'utf16le').digest();
}
