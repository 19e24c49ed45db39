import { setTimeout as sleep } from 'node:timers/promises';
import type { AppState } from '../world/app-state.js';
import type { World } from '../world/world.js';
import { attempt } from './attempt.js';
import type { Delivery, DeliveryAttempt } from './delivery.js';
import { pushRequest, type PushParts, type PushRequest } from './push-request.js';
import type { PushFields } from './push-fields.js';
import { readReply } from './reply-reader.js';

const largestLog = 20_000;

/** A push to send: its fields without those that every push has. */
export interface Push {
  readonly app: AppState;
  readonly fields: PushFields;
  /** The person it is about. */
  readonly openid?: string;
  /** False where WeChat shows no reply, whatever it says: unfollowing, changes of authorization. */
  readonly takesReply: boolean;
}

/** Sends messages and events to apps' servers, again and again until somebody answers (protocol F.6). */
export class Pushes {
  readonly #log: Delivery[] = [];
  #count = 0;

  constructor(
    private readonly world: World,
    private readonly stopping: AbortSignal,
  ) {}

  /** All deliveries of an app, oldest first. */
  of(appid: string): readonly Delivery[] {
    return this.#log.filter((delivery) => delivery.appid === appid);
  }

  /** Delivers with re-deliveries: the same fields each time, the same MsgId and CreateTime among them. */
  async deliver(push: Push): Promise<Delivery> {
    const { app, fields, openid = '' } = push;
    const id = (this.#count += 1);
    const { url } = app.server;
    if (url === undefined)
      return this.#record({ id, appid: app.appid, fields, attempts: [], outcome: 'unsent' });
    const attempts = await this.#tryUntilAnswered(push, url);
    const last = attempts.at(-1);
    const base = { id, appid: app.appid, fields, attempts };
    if (!last || last.error !== undefined) return this.#record({ ...base, outcome: 'failed' });
    if (!push.takesReply) return this.#record({ ...base, outcome: 'answered' });
    const { rules } = this.world;
    const { appid } = app;
    const reply = readReply(last.body, app.server, { to: openid, from: app.originalId, appid, rules });
    if (reply.kind === 'malformed') {
      const refused = [...attempts.slice(0, -1), { ...last, error: reply.why }];
      return this.#record({ ...base, attempts: refused, outcome: 'malformed' });
    }
    return this.#record({
      ...base,
      outcome: 'answered',
      ...(reply.kind === 'message' ? { reply: reply.message } : {}),
    });
  }

  /** Sends one prepared request once, outside the log: for forged and repeated pushes. */
  async sendOnce(url: string, request: PushRequest): Promise<DeliveryAttempt> {
    const { clock, rules } = this.world;
    return attempt(request, { url, timeout: rules.pushTimeout, clock, signal: this.stopping });
  }

  /** The parts of a push as of now. */
  parts({ app, fields, openid }: Omit<Push, 'takesReply'>): PushParts {
    const { clock, randomness } = this.world;
    return {
      appid: app.appid,
      fields,
      openid,
      timestamp: String(clock.seconds()),
      nonce: String(randomness.bytes(4).readUInt32BE()),
      random: Buffer.from(randomness.bytes(8).toString('hex')),
    };
  }

  async #tryUntilAnswered(push: Push, url: string): Promise<readonly DeliveryAttempt[]> {
    const { rules } = this.world;
    const attempts: DeliveryAttempt[] = [];
    let parts = this.parts(push);
    while (attempts.length < rules.pushAttempts && !this.stopping.aborted) {
      if (attempts.length > 0)
        await sleep(rules.pushPause, undefined, { signal: this.stopping }).catch(() => undefined);
      if (attempts.length > 0 && rules.redeliverySignedAnew) parts = this.parts(push);
      const made = await this.sendOnce(url, pushRequest(push.app.server, parts));
      attempts.push(made);
      if (made.error === undefined) break;
    }
    return attempts;
  }

  #record(delivery: Delivery): Delivery {
    if (this.#log.length >= largestLog) this.#log.splice(0, largestLog / 2);
    this.#log.push(delivery);
    return delivery;
  }
}
