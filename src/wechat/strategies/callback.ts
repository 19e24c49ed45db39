import { OAuth2, type oauth2tokenCallback } from 'oauth';
import { isRecord } from '../../errors/unknown.js';
import { readAuthorizationCode } from '../authorize-url.js';
import { IamError } from '../../errors/iam.error.js';
import type { WechatGrant } from '../sns.js';
import { toTokenParams } from './strategy-options.js';

/** A request to a strategy: the start of a sign-in, or one of the forms of WeChat's callback. */
type CallbackQuery =
  | { readonly kind: 'start' }
  | { readonly kind: 'code' }
  | { readonly kind: 'denied'; readonly state: string }
  | { readonly kind: 'stateless' }
  | { readonly kind: 'malformed' };

/**
 * Reads a callback. WeChat defines no `error` parameter: when it returns after a refusal at all, it is with `state` and
 * without `code`, or with `code=authdeny`. A parameter given twice, or as an object, is malformed.
 */
export function readCallback(request: object): CallbackQuery {
  const sources = [
    'query' in request ? request.query : undefined,
    'body' in request ? request.body : undefined,
  ];
  const code = valuesOf(sources, 'code');
  const state = valuesOf(sources, 'state');
  const error = valuesOf(sources, 'error');
  const values = [...code, ...state, ...error];
  if (!values.every((value) => typeof value === 'string')) return { kind: 'malformed' };
  const given = state.find((value) => value !== '');
  const hasCode = code.some((value) => readAuthorizationCode(value) !== null) && error.length === 0;
  if (typeof given !== 'string') return values.length === 0 ? { kind: 'start' } : { kind: 'stateless' };
  return hasCode ? { kind: 'code' } : { kind: 'denied', state: given };
}

function valuesOf(sources: readonly unknown[], name: string): unknown[] {
  return sources
    .map((source) => (isRecord(source) && Object.hasOwn(source, name) ? source[name] : undefined))
    .filter((value) => value !== undefined);
}

/** The exchange of one request's code, and the receiver of its failure. */
interface ExchangeSteps {
  readonly exchange: (code: string) => Promise<WechatGrant>;
  readonly fail: (error: unknown) => void;
}

/**
 * passport-oauth2's OAuth client for one request. WeChat's exchange is a GET with parameters and errors of its own, and
 * its response holds the openid, which the call for the profile needs again.
 */
export class WechatOAuth2Client extends OAuth2 {
  /** The grant, once the code was exchanged. */
  grant: WechatGrant | null = null;

  constructor(
    appid: string,
    authorizeUrl: string,
    tokenUrl: string,
    private readonly steps: ExchangeSteps,
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
