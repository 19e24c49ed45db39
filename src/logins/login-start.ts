import type { AuditEntry, RequestOrigin } from '../audit/record-audit.js';
import type { IamErrorCode } from '../iam.error.js';

/** What a login starts from: an `Attempt` that a browser carried, or the code of a mini program or mobile app. */
export interface LoginStart {
  readonly provider: string;
  readonly method: 'open' | 'mp' | 'follow' | 'mini' | 'mobile';
  readonly appid: string;
  readonly clientId: string;
  readonly state?: string;
  readonly redirectUri?: string;
  readonly codeChallenge?: string;
}

/** The audit entry of a login that ended, well or with an error. */
export function auditOfLogin(start: LoginStart, origin: RequestOrigin, error?: IamErrorCode): AuditEntry {
  return {
    action: error === undefined ? 'login.authenticated' : 'login.failed',
    clientId: start.clientId,
    provider: start.provider,
    origin,
    detail: { method: start.method, appid: start.appid, ...(error !== undefined && { error }) },
  };
}
