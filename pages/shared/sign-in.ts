import { shallowRef } from 'vue';
import { IamClient, IamClientError } from '../../client/index.js';
import { type Problem, sendBy } from './api';
import { toProblem } from './page';
import { settings } from './settings';

/** Why the last sign-in did not begin, or did not succeed. */
export const signInProblem = shallowRef<Problem | null>(null);

/** The client of a page: what it calls goes with the cookies of the signed-in person, which are refreshed once for all tabs. */
export function openClient(page: 'admin' | 'account'): IamClient {
  const iam = new IamClient({
    clientId: settings.clientId,
    server: settings.base,
    redirectUri: `${settings.origin}${settings.base}/ui/${page}`,
    tokens: 'cookie',
  });
  sendBy((request) =>
    iam.fetch(request).catch((error: unknown) => {
      throw error instanceof IamClientError ? toProblem(error) : error;
    }),
  );
  return iam;
}

/** Ends a sign-in that has come back; null where none has, or where it failed: `signInProblem` says why. */
export async function finishSignIn(iam: IamClient): Promise<{ readonly returnTo: string | null } | null> {
  return iam.finishSignIn().catch((error: unknown) => {
    signInProblem.value = toProblem(error);
    return null;
  });
}

/** Leaves the page for a sign-in; comes back only where that cannot begin, which `signInProblem` says. */
export async function startSignIn(
  iam: IamClient,
  request: Parameters<IamClient['signIn']>[0] = {},
): Promise<void> {
  signInProblem.value = null;
  await iam.signIn(request).catch((error: unknown) => {
    signInProblem.value = toProblem(error);
  });
}
