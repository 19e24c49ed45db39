import { sha256 } from '../crypto/hash.js';
import { randomAlphanumeric } from '../crypto/random.js';

/** Marks a scene as ours among those of the host; with 43 random characters it stays under WeChat's 64. */
const SCENE_TAG = 'iam:';

/** The scene of one QR code: public, since a camera sees it, and unguessable (256 bits). */
export function newScene(): string {
  return `${SCENE_TAG}${randomAlphanumeric(43)}`;
}

/** True for a scene of ours; the others are the host's. */
export function isOurScene(scene: string): boolean {
  return scene.startsWith(SCENE_TAG);
}

/**
 * A text without the scenes of ours in it, their hashes in their place. A scene signs somebody in, so a message that names one
 * is kept and shown in this form only. Hides also what only looks like a scene of ours.
 */
export function hideScenes(text: string): string {
  return text.replace(/iam:[A-Za-z0-9]{43}/g, (scene) => hashOf(scene));
}

/** What stands in place of a scene or of the ticket of its QR code. */
export function hashOf(secret: string): string {
  return `sha256:${sha256(secret)}`;
}
