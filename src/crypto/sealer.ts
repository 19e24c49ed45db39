import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { z } from 'zod';
import type { KeyRing } from './key-ring.js';

const prefix = 'sealed:v1:';
const form = /^sealed:v1:[0-9a-f]{8}:[A-Za-z0-9_-]+$/;
const keyIdLength = 8;
const nonceBytes = 12;
const tagBytes = 16;

/** Why a sealed text did not open. Tampering and a wrong context are the same failure to AES-GCM. */
type SealErrorReason = 'malformed' | 'unknown_key' | 'not_authentic';

/** The cause, and the operator's remedy. */
const remedies: Readonly<Record<SealErrorReason, (key: string) => string>> = {
  malformed: () => 'it is no sealed text: write the secret again',
  unknown_key: (key) =>
    `it was sealed with ${key}, which is not among \`keys\`: put that key behind the first one, or write the secret again`,
  not_authentic: (key) =>
    `it was changed, or copied from another row, since ${key} sealed it: write the secret again`,
};

/** A sealed text that does not open; it carries the key's id (the first 8 hex digits of its SHA-256), never a key or a text. */
export class SealError extends Error {
  constructor(
    readonly reason: SealErrorReason,
    readonly keyId: string | null,
  ) {
    super(`sealed text does not open (${reason}): ${remedies[reason](`key ${String(keyId)}`)}`);
    this.name = 'SealError';
  }
}

/** True for text in the sealed form, whichever key sealed it. */
export function isSealed(text: string): boolean {
  return form.test(text);
}

/** The id of the key that sealed the text. */
export function sealedWith(text: string): string {
  return parse(text).keyId;
}

/**
 * AES-256-GCM with a random 96-bit nonce. The context (table, row and column, say) is authenticated with the text, so a
 * sealed text moved elsewhere does not open there.
 */
export class Sealer {
  readonly #keys: ReturnType<KeyRing['derive']>;
  readonly #keyId: string;

  constructor(ring: KeyRing, purpose: string) {
    this.#keys = ring.derive(`seal/${purpose}`);
    this.#keyId = ring.currentId;
  }

  seal(clear: string, context: string): string {
    const nonce = randomBytes(nonceBytes);
    const cipher = createCipheriv('aes-256-gcm', this.#keys.current, nonce).setAAD(
      associated(this.#keyId, context),
    );
    const box = Buffer.concat([nonce, cipher.update(clear), cipher.final(), cipher.getAuthTag()]);
    return `${prefix}${this.#keyId}:${box.toString('base64url')}`;
  }

  open(sealed: string, context: string): string {
    const { keyId, box } = parse(sealed);
    const key = this.#keys.byId.get(keyId);
    if (key === undefined) throw new SealError('unknown_key', keyId);
    const decipher = createDecipheriv('aes-256-gcm', key, box.subarray(0, nonceBytes))
      .setAAD(associated(keyId, context))
      .setAuthTag(box.subarray(-tagBytes));
    try {
      const clear = decipher.update(box.subarray(nonceBytes, -tagBytes));
      return Buffer.concat([clear, decipher.final()]).toString();
    } catch {
      throw new SealError('not_authentic', keyId);
    }
  }

  /** The JSON that a sealed text holds; null where the text does not open or its JSON is not of the schema. */
  openJson<T>(sealed: string, context: string, schema: z.ZodType<T>): T | null {
    try {
      return schema.parse(JSON.parse(this.open(sealed, context)));
    } catch (error) {
      if (error instanceof SealError || error instanceof z.ZodError || error instanceof SyntaxError)
        return null;
      throw error;
    }
  }

  /** True when the text opens, but with a key that is no longer the first. */
  needsReencryption(sealed: string, context: string): boolean {
    try {
      this.open(sealed, context);
    } catch {
      return false;
    }
    return sealedWith(sealed) !== this.#keyId;
  }
}

function parse(sealed: string): { readonly keyId: string; readonly box: Buffer } {
  const keyId = sealed.slice(prefix.length, prefix.length + keyIdLength);
  const box = Buffer.from(sealed.slice(prefix.length + keyIdLength + 1), 'base64url');
  if (!isSealed(sealed) || box.length < nonceBytes + tagBytes) throw new SealError('malformed', null);
  return { keyId, box };
}

function associated(keyId: string, context: string): Buffer {
  return Buffer.from(`${prefix}${keyId}:${context}`);
}
