import { parse } from '../shared/api';
import type { Texts } from '../shared/language';

/** What the server tells this page alone about the request that has led here, in an attribute of the document. */
export interface SignInRequest {
  /** Where the site of the client is: a person takes this address to another app. */
  readonly home: string;
  /** Returns to the client without a sign-in. */
  readonly back: string;
  /** Why the sign-in before this one failed. */
  readonly problem: { readonly code: string; readonly texts: Texts } | null;
  /** The person has agreed already, to this very request. */
  readonly isAgreed: boolean;
  /** The origin of WeChat's embedded QR code. */
  readonly wechat: string;
}

function read(): SignInRequest {
  const content = document.querySelector('meta[name="iam-sign-in"]')?.getAttribute('content');
  return parse<SignInRequest>(content ?? '{}');
}

export const request: SignInRequest = read();

const query = new URLSearchParams(location.search);

/** The provider and the method that the client has asked for, where it left only the consent to this page. */
export const asked = { provider: query.get('provider'), method: query.get('method') };

/** True where a scan has gone before, which the Open Platform's QR code follows. */
export const isSecondStep = query.has('follow_proof');

/** One way of signing in. */
export interface Way {
  readonly provider: string;
  readonly name: string;
  readonly method: string;
}

/** The request to `/authorize` again, below the path of the API, with the way that was chosen. */
export function authorizePath({ provider, method }: Way, display?: 'widget'): string {
  const parameters = new URLSearchParams(location.search);
  for (const name of ['error', 'display']) parameters.delete(name);
  parameters.set('provider', provider);
  parameters.set('method', method);
  parameters.set('from', 'chooser');
  if (display !== undefined) parameters.set('display', display);
  return `authorize?${parameters.toString()}`;
}

/** The code challenge, to which consent is bound. */
export const codeChallenge = query.get('code_challenge') ?? '';
