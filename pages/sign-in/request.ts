import type { SignInRequest } from '../server/page-data';
import { parse } from '../shared/api';

/** Written by our own server, of the same version as this script. */
function read(): SignInRequest {
  const content = document.querySelector('meta[name="iam-sign-in"]')?.getAttribute('content');
  return parse<SignInRequest>(content ?? '{}');
}

export const request: SignInRequest = read();

const query = new URLSearchParams(location.search);

/** The provider and the method that the client has asked for, where it left only the consent to this page. */
export const asked = { provider: query.get('provider'), method: query.get('method') };

/** The application that people sign in to. */
export const clientId = query.get('client_id') ?? undefined;

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
