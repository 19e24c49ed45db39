import { createHmac } from 'node:crypto';
import { constantTimeEqual } from './constant-time.js';
import type { KeyRing } from './key-ring.js';

/** HMAC-SHA256 under the keys of one purpose. A tag is base64url of 32 bytes and is stored with its key's id. */
export class Mac {
  /** The id of the key that signs now. */
  readonly keyId: string;
  readonly #keys: ReadonlyMap<string, Buffer>;

  constructor(ring: KeyRing, purpose: string) {
    this.#keys = ring.derive(`mac/${purpose}`);
    const [first] = this.#keys.keys();
    if (first === undefined) throw new TypeError('keys: at least one key is required');
    this.keyId = first;
  }

  /** The ids of every key that is configured. */
  get keyIds(): readonly string[] {
    return [...this.#keys.keys()];
  }

  /** The tag of a message; null when the key of that id is no longer configured. */
  sign(message: string, keyId = this.keyId): string | null {
    const key = this.#keys.get(keyId);
    return key === undefined ? null : createHmac('sha256', key).update(message, 'utf8').digest('base64url');
  }

  /** True when the tag belongs to the message under any configured key. */
  verify(message: string, tag: string): boolean {
    return this.keyIds.some((keyId) => constantTimeEqual(this.sign(message, keyId) ?? '', tag));
  }
}
