import { createHash, hkdfSync, createHmac } from 'node:crypto';
import { constantTimeEqual } from './hash.js';

const keyBytes = 32;

/** A key for one purpose only: a value that one part seals or signs is not valid in another (RFC 5869). */
export function deriveKey(masterKey: Uint8Array, purpose: string): Buffer {
  return Buffer.from(hkdfSync('sha256', masterKey, '', `nestjs-wechat-iam/${purpose}`, keyBytes));
}

/**
 * The master keys: the first seals and signs, all of them open and verify. A key's id is the first 8 hex digits of its
 * SHA-256, so replicas that list the keys in another order still agree.
 */
export class KeyRing {
  /** The id of the key that seals and signs. */
  readonly currentId: string;
  readonly #current: Buffer;
  readonly #keys: ReadonlyMap<string, Buffer>;

  constructor(masterKeys: readonly Uint8Array[]) {
    this.#keys = new Map(
      masterKeys.map((key, index) => {
        if (key.byteLength !== keyBytes) throw new TypeError(`keys[${index}]: expected 32 bytes`);
        return [createHash('sha256').update(key).digest('hex').slice(0, 8), Buffer.from(key)];
      }),
    );
    const [first] = this.#keys;
    if (first === undefined) throw new TypeError('keys: at least one key is required');
    [this.currentId, this.#current] = first;
  }

  /** The ids of the keys, the sealing one first. */
  get ids(): readonly string[] {
    return [...this.#keys.keys()];
  }

  /** The keys of one purpose: the one that seals and signs, and all of them by id. */
  derive(purpose: string): { readonly current: Buffer; readonly byId: ReadonlyMap<string, Buffer> } {
    const byId = new Map([...this.#keys].map(([id, key]) => [id, deriveKey(key, purpose)]));
    return { current: deriveKey(this.#current, purpose), byId };
  }
}

/** HMAC-SHA256 under the keys of one purpose. A tag is base64url of 32 bytes and is stored with its key's id. */
export class Mac {
  /** The id of the key that signs now. */
  readonly keyId: string;
  readonly #keys: ReturnType<KeyRing['derive']>;

  constructor(ring: KeyRing, purpose: string) {
    this.#keys = ring.derive(`mac/${purpose}`);
    this.keyId = ring.currentId;
  }

  /** The tag of a message under the key that signs now. */
  sign(message: string): string {
    return tagOf(message, this.#keys.current);
  }

  /** The tag under the key of that id; null when the key is no longer configured. */
  signWith(keyId: string, message: string): string | null {
    const key = this.#keys.byId.get(keyId);
    return key === undefined ? null : tagOf(message, key);
  }

  /** The tags under every configured key, that of the signing one first. */
  tags(message: string): string[] {
    return [...this.#keys.byId.values()].map((key) => tagOf(message, key));
  }

  /** True when the tag belongs to the message under any configured key. */
  verify(message: string, tag: string): boolean {
    return this.tags(message).some((each) => constantTimeEqual(each, tag));
  }
}

function tagOf(message: string, key: Buffer): string {
  return createHmac('sha256', key).update(message).digest('base64url');
}
