import { IamError } from '../iam.error.js';

/** A message as WeChat wrote it: its top-level names with their values, text unless the message nests. No prototype. */
export type MessageFields = Readonly<Record<string, unknown>>;

/** The fields that decide whom a message concerns and what it does; one of these given twice is refused. */
export const decisiveFields: ReadonlySet<string> = new Set([
  'ToUserName',
  'FromUserName',
  'CreateTime',
  'MsgType',
  'Event',
  'EventKey',
  'Ticket',
  'Content',
  'MsgId',
  'OpenID',
  'UnionID',
  'AppID',
  'RevokeInfo',
  'Encrypt',
]);

/** WeChat nests an album's pictures three deep; whoever nests deeper is not WeChat. */
export const MAX_DEPTH = 5;

/** `__proto__` and the like name nothing of WeChat's. */
export function isFieldName(name: string): boolean {
  return /^[A-Za-z]/.test(name);
}

/** An object that inherits nothing, so that no name in it can mean anything but itself. */
export function emptyFields(): Record<string, unknown> {
  return Object.create(null) as Record<string, unknown>;
}

/** A body that is not a message of WeChat's, whoever signed it. */
export function invalidMessage(reason: string, cause?: unknown): IamError {
  return new IamError('webhook_message_invalid', reason, cause === undefined ? {} : { cause });
}
