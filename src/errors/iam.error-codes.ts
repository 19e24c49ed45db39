import { errorCatalogue, type IamErrorCode } from './iam.error.js';

/** The code that a column holds; `internal_error` where it holds none of ours. */
export function toErrorCode(text: string | null): IamErrorCode {
  return text !== null && isErrorCode(text) ? text : 'internal_error';
}

function isErrorCode(text: string): text is IamErrorCode {
  return Object.hasOwn(errorCatalogue, text);
}
