import { Inject, Injectable } from '@nestjs/common';
import { IAM_OPTIONS, type ResolvedIamOptions } from '../config/iam.resolved-options.js';
import { constantTimeEqual, sha256 } from '../crypto/hash.js';
import { Mac } from '../crypto/key-ring.js';
import { alphanumericOf, randomAlphanumeric } from '../crypto/random.js';

/** 131 random bits, and 125 bits of MAC; with a prefix of 20 characters a scene stays under WeChat's 64. */
const SECRET = 22;
const TAG = 21;

/**
 * The scenes of the module's QR codes: prefix, secret, and a MAC. Another environment at the same Official Account may have the
 * same prefix, but not the key, so its scenes do not verify here.
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

  /** A new random scene. The QR code shows it to everybody, so knowing one proves nothing. */
  create(): string {
    const secret = randomAlphanumeric(SECRET);
    return `${this.prefix}${secret}${short(this.mac.sign(secret))}`;
  }

  /** True for a scene of the module, under any configured key; all others are the host's. */
  isOurs(scene: string): boolean {
    if (!scene.startsWith(this.prefix) || scene.length !== this.prefix.length + SECRET + TAG) return false;
    const secret = scene.slice(this.prefix.length, -TAG);
    return this.mac.tags(secret).some((tag) => constantTimeEqual(short(tag), scene.slice(-TAG)));
  }

  /**
   * The text with the module's scenes replaced by their hashes. A scene signs a person in, so a message that names one is kept
   * and shown in this form only; other scenes stay as they are.
   */
  hide(text: string): string {
    return text.replace(this.form, (scene) => (this.isOurs(scene) ? hashOf(scene) : scene));
  }
}

function short(tag: string): string {
  return alphanumericOf(Buffer.from(tag, 'base64url').subarray(0, TAG));
}

/** The replacement of a scene or of the ticket of its QR code. */
export function hashOf(secret: string): string {
  return `sha256:${sha256(secret)}`;
}
