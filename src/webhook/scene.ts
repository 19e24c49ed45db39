import { Inject, Injectable } from '@nestjs/common';
import { constantTimeEqual, sha256 } from '../crypto/hash.js';
import { Mac } from '../crypto/key-ring.js';
import { alphanumericOf, randomAlphanumeric } from '../crypto/random.js';
import { IAM_OPTIONS, type ResolvedIamOptions } from '../config/iam.resolved-options.js';

/** 131 bits that nobody can guess, and 125 that only our key makes; with a prefix of 20 it stays under WeChat's 64. */
const SECRET = 22;
const TAG = 21;

/**
 * The scenes of our QR codes: prefix, secret, and a tag under our key. Another environment at the same Official Account may have
 * the same prefix, but not the key, so its scenes are not taken for ours.
 */
@Injectable()
export class Scenes {
  private readonly mac: Mac;
  private readonly prefix: string;
  private readonly form: RegExp;

  constructor(@Inject(IAM_OPTIONS) { keyRing, scenePrefix }: ResolvedIamOptions) {
    this.mac = new Mac(keyRing, 'scene');
    this.prefix = scenePrefix;
    this.form = new RegExp(`${scenePrefix.replaceAll('.', '\\.')}[A-Za-z0-9]{${SECRET + TAG}}`, 'g');
  }

  /** The scene of one QR code: public, since a camera sees it, and unguessable. */
  create(): string {
    const secret = randomAlphanumeric(SECRET);
    return `${this.prefix}${secret}${this.tagOf(secret, this.mac.keyId)}`;
  }

  /** True for a scene that we made, under any key that is configured; the others are the host's. */
  isOurs(scene: string): boolean {
    if (!scene.startsWith(this.prefix) || scene.length !== this.prefix.length + SECRET + TAG) return false;
    const secret = scene.slice(this.prefix.length, -TAG);
    return this.mac.keyIds.some((keyId) => constantTimeEqual(this.tagOf(secret, keyId), scene.slice(-TAG)));
  }

  /**
   * A text without the scenes of ours in it, their hashes in their place. A scene signs somebody in, so a message that names one
   * is kept and shown in this form only; the scene of somebody else is shown as it is.
   */
  hide(text: string): string {
    return text.replace(this.form, (scene) => (this.isOurs(scene) ? hashOf(scene) : scene));
  }

  private tagOf(secret: string, keyId: string): string {
    return alphanumericOf(Buffer.from(this.mac.sign(secret, keyId) ?? '', 'base64url').subarray(0, TAG));
  }
}

/** What stands in place of a scene or of the ticket of its QR code. */
export function hashOf(secret: string): string {
  return `sha256:${sha256(secret)}`;
}
