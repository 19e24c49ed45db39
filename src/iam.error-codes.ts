import { errorCatalogue, type IamErrorCode } from './iam.error.js';

/** True for a text, say of a column, that is one of our codes. */
export function isErrorCode(text: string): text is IamErrorCode {
  return Object.hasOwn(errorCatalogue, text);
}
