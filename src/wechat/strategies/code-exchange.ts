import { OAuth2, type oauth2tokenCallback } from 'oauth';
import { IamError } from '../../errors/iam.error.js';
import type { WechatGrant } from '../sns.js';
import { toTokenParams } from './wechat-user-profile.js';

/** How one request trades its code: the exchange itself, and where a failure goes. */
export interface CodeExchangeSteps {
  readonly exchange: (code: string) => Promise<WechatGrant>;
  readonly fail: (error: unknown) => void;
}

/**
 * passport-oauth2's OAuth client for one request. WeChat's exchange is a GET with parameters and errors of its own, and
 * its answer holds the openid, which the call for the profile needs again.
 */
export class CodeExchange extends OAuth2 {
  /** The grant, once the code was exchanged. */
  grant: WechatGrant | null = null;

  constructor(
    appid: string,
    authorizeUrl: string,
    tokenUrl: string,
    private readonly steps: CodeExchangeSteps,
  ) {
    super(appid, '', '', authorizeUrl, tokenUrl);
  }

  override getOAuthAccessToken(code: string, _params: unknown, done?: oauth2tokenCallback): void {
    this.steps
      .exchange(code)
      .then((grant) => {
        if (grant.snapshotUser)
          throw new IamError('snapshot_user', 'WeChat shows a snapshot page: the ids are virtual');
        this.grant = grant;
        const tokens = [grant.accessToken.reveal(), grant.refreshToken.reveal()];
        // Typed as if there always were an error; without one it is null.
        if (done !== undefined) Reflect.apply(done, undefined, [null, ...tokens, toTokenParams(grant)]);
      })
      .catch(this.steps.fail);
  }
}
