import { redirect, type IamResponse } from '../http/iam-response.js';
import { errorCatalogue, type IamErrorCode } from '../errors/iam.error.js';
import { errorTexts } from '../errors/iam.error-texts.js';

/** Where a browser returns with its answer. */
export interface ClientReturn {
  readonly redirectUri: string;
  readonly clientState: string | undefined;
  readonly issuer: string;
}

/** RFC 6749 §4.1.2 with `iss` of RFC 9207. */
export function codeLocation(to: ClientReturn, code: string): string {
  return withParameters(to, { code });
}

/** RFC 6749 §4.1.2.1. */
export function errorLocation(to: ClientReturn, code: IamErrorCode): string {
  return withParameters(to, {
    error: errorCatalogue[code].oauth,
    error_description: errorTexts[code].en,
  });
}

/** The return of a link that a signed-in user asked for: the identity, and neither code nor token. */
export function linkedLocation(to: ClientReturn, identityId: string): string {
  return withParameters(to, { linked: identityId });
}

/** `codeLocation` as a redirect. */
export function returnCode(to: ClientReturn, code: string, cookies: readonly string[]): IamResponse {
  return redirect(codeLocation(to, code), 303, cookies);
}

/** `linkedLocation` as a redirect. */
export function returnLinked(to: ClientReturn, identityId: string, cookies: readonly string[]): IamResponse {
  return redirect(linkedLocation(to, identityId), 303, cookies);
}

/** `errorLocation` as a redirect. */
export function returnError(
  to: ClientReturn,
  code: IamErrorCode,
  cookies: readonly string[] = [],
): IamResponse {
  return redirect(errorLocation(to, code), 303, cookies);
}

/** Appends to the query and leaves the registered URI as it was written. */
function withParameters(
  { redirectUri, clientState, issuer }: ClientReturn,
  parameters: Record<string, string>,
): string {
  const added = new URLSearchParams({
    ...parameters,
    ...(clientState !== undefined && { state: clientState }),
    iss: issuer,
  });
  return `${redirectUri}${redirectUri.includes('?') ? '&' : '?'}${added.toString()}`;
}
