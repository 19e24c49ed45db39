import type { PushFields } from './push-fields.js';
import type { PassiveMessage } from './passive-reply.js';

/** One request to the app's server. */
export interface DeliveryAttempt {
  readonly at: Date;
  readonly url: string;
  /** Zero when no answer came. */
  readonly status: number;
  readonly body: string;
  /** Why it counts as failed, or why the reply was refused. */
  readonly error?: string;
  readonly milliseconds: number;
}

/** A push with all its attempts. */
export interface Delivery {
  readonly id: number;
  readonly appid: string;
  readonly fields: PushFields;
  readonly attempts: readonly DeliveryAttempt[];
  /**
   * `answered`; `malformed` when the reply could not be used; `failed` when nobody answered in time;
   * `unsent` without a server URL.
   */
  readonly outcome: 'answered' | 'malformed' | 'failed' | 'unsent';
  readonly reply?: PassiveMessage;
}
