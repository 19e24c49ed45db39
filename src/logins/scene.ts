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
