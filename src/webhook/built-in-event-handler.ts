import type { IdentityProvider } from '../identity-providers/identity-provider.js';
import type { InboxEvent } from './inbox/inbox-statements.js';
import type { PassiveReply } from './passive-reply.js';
import type { VerifiedEvent } from './verified-event.js';

/** What an event of ours is answered with; null is a bare `success`. */
export interface BuiltInEventOutcome {
  readonly reply: PassiveReply | null;
}

/** Takes the events that belong to a sign-in: the scan of a QR code of ours, the number typed in the chat. */
export interface BuiltInEventHandler {
  /**
   * Commits the inbox row and the event's effect in one statement; a delivery that comes again is answered alike.
   * Null: the event is not ours and nothing was written.
   */
  accept(
    provider: IdentityProvider,
    event: VerifiedEvent,
    inboxEvent: InboxEvent,
  ): Promise<BuiltInEventOutcome | null>;
}

/** Injection token of `BuiltInEventHandler`. */
export const BUILT_IN_EVENT_HANDLER = Symbol('BUILT_IN_EVENT_HANDLER');
