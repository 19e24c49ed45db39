import { Injectable } from '@nestjs/common';
import { empty, json, type IamResponse } from '../../http/iam-response.js';
import { Reencryption } from '../../keys/reencryption.service.js';
import { KeyRotation } from '../../sessions/key-rotation.service.js';
import { rotateBody, toReencryptionView, toSealingKeyView, toSigningKeyView } from './keys.view.js';
import { parseBody } from '../../http/zod.pipe.js';

/** What administrators do with keys; no key ever leaves the server. */
@Injectable()
export class KeyAdministration {
  constructor(
    private readonly rotation: KeyRotation,
    private readonly sealing: Reencryption,
  ) {}

  async list(): Promise<IamResponse> {
    const [signing, sealing] = [await this.rotation.list(), await this.sealing.use()];
    return json({
      signing_keys: signing.map(toSigningKeyView),
      sealing_keys: sealing.map(toSealingKeyView),
    });
  }

  async rotate(body: unknown): Promise<IamResponse> {
    const { activate_in: activateIn } = parseBody(rotateBody, body);
    const { key, isNew } = await this.rotation.rotate(activateIn === undefined ? {} : { activateIn });
    return json({ ...toSigningKeyView(key), is_new: isNew });
  }

  async revoke(kid: string): Promise<IamResponse> {
    await this.rotation.revoke(kid);
    return empty(204);
  }

  async reseal(): Promise<IamResponse> {
    return json(toReencryptionView(await this.sealing.run()));
  }
}
