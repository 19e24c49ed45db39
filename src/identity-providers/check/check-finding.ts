import type { CheckText } from './check-texts.js';

/** `unknown` is what nobody but the console or a person's sign-in can tell. */
export type CheckStatus = 'ok' | 'warning' | 'error' | 'unknown';

/** What can be found: `{name}` in a text is the fact of that name. */
export interface FindingText {
  readonly status: CheckStatus;
  readonly detail: CheckText;
  /** Null where nothing is to be done. */
  readonly remedy: CheckText | null;
}

type Pair = readonly [zh: string, en: string];

const finding = (status: CheckStatus, detail: Pair, remedy?: Pair): FindingText => ({
  status,
  detail: { zh: detail[0], en: detail[1] },
  remedy: remedy === undefined ? null : { zh: remedy[0], en: remedy[1] },
});
/** A finding of this status. */
export const ok = (...detail: Pair) => finding('ok', detail);
/** A finding of this status. */
export const warning = (detail: Pair, remedy: Pair) => finding('warning', detail, remedy);
/** A finding of this status. */
export const error = (detail: Pair, remedy: Pair) => finding('error', detail, remedy);
/** A finding of this status. */
export const unknown = (detail: Pair, remedy?: Pair) => finding('unknown', detail, remedy);
