import { Inject, Injectable } from '@nestjs/common';
import { IAM_OPTIONS, type ResolvedIamOptions } from '../config/iam.resolved-options.js';
import { errorTexts } from '../errors/iam.error-texts.js';
import { errorCatalogue, type IamErrorCode } from '../errors/iam.error.js';
import type { IamRequest } from '../http/iam-request.js';
import type { Attempt } from '../sign-in/attempt-cookies.service.js';
import { Logins } from '../sign-in/logins.service.js';

/** Where a browser returns to its client. */
export interface ClientReturn {
  readonly redirectUri: string;
  readonly clientState: string | undefined;
  readonly issuer: string;
}

/** RFC 6749 §4.1.2.1. */
export function errorLocation(to: ClientReturn, code: IamErrorCode): string {
  return withParameters(to, {
    error: errorCatalogue[code].oauth,
    error_description: errorTexts[code].en,
  });
}

/** The return of a link: the identity, and neither code nor token. */
export function linkedLocation(to: ClientReturn, identityId: string): string {
  return withParameters(to, { linked: identityId });
}

/** Appends to the query and leaves the registered URI as it was written; with `iss` of RFC 9207. */
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

/** A login that has proven its person: its row says `authenticated`. */
export interface ProvenSignIn {
  readonly loginId: string;
  /** The request that the browser began with. */
  readonly attempt: Pick<Attempt, 'clientId' | 'redirectUri' | 'clientState'>;
  /** The browser's, which goes back now. */
  readonly request: IamRequest;
}

/** Where the browser goes, and the `Set-Cookie` values that go with it. */
export interface WayBack {
  readonly location: string;
  readonly cookies: readonly string[];
}

/** The way back to a client: every code that a browser takes there passes here. */
@Injectable()
export class ClientReturns {
  constructor(
    @Inject(IAM_OPTIONS) private readonly options: ResolvedIamOptions,
    private readonly logins: Logins,
  ) {}

  /** The return with the code of a login (RFC 6749 §4.1.2). */
  withCode({ loginId, attempt: { redirectUri, clientState } }: ProvenSignIn): Promise<WayBack> {
    const to = { redirectUri, clientState, issuer: this.options.publicUrl };
    const location = withParameters(to, { code: this.logins.mintCode(loginId) });
    return Promise.resolve({ location, cookies: [] });
  }
}
