import { Injectable } from '@nestjs/common';
import { empty, json, type Answer } from '../../http/answer.js';
import { Reseal } from '../../keys/reseal.service.js';
import { KeyRotation } from '../../sessions/key-rotation.service.js';
import { rotateBody, toResealView, toSealingKeyView, toSigningKeyView } from './key-answers.js';
import { parseBody } from '../../http/parse-body.js';

/** What administrators do with keys; no key ever leaves the server. */
@Injectable()
export class KeyAdministration {
  constructor(
    private readonly rotation: KeyRotation,
    private readonly sealing: Reseal,
  ) {}

  async list(): Promise<Answer> {
    const [signing, sealing] = [await this.rotation.list(), await this.sealing.use()];
    return json({
      signing_keys: signing.map(toSigningKeyView),
      sealing_keys: sealing.map(toSealingKeyView),
    });
  }

  async rotate(body: unknown): Promise<Answer> {
    const { activate_in: activateIn } = parseBody(rotateBody, body);
    const { key, isNew } = await this.rotation.rotate(activateIn === undefined ? {} : { activateIn });
    return json({ ...toSigningKeyView(key), is_new: isNew });
  }

  async revoke(kid: string): Promise<Answer> {
    await this.rotation.revoke(kid);
    return empty(204);
  }

  async reseal(): Promise<Answer> {
    return json(toResealView(await this.sealing.run()));
  }
}
