import { Inject, Injectable } from '@nestjs/common';
import { IamError } from '../iam.error.js';
import { IAM_OPTIONS, type ResolvedIamOptions } from '../iam.resolved-options.js';
import { setActor } from '../request-context.js';
import { AccessTokens } from '../sessions/access-tokens.service.js';
import { SessionCheck } from '../sessions/session-check.service.js';
import { setAuthenticatedUser, type AuthenticatedUser } from './authenticated-user.js';
import { readRequest, type IamRequest } from './iam-request.js';

/** Who makes a request: the one place where a request's token is found and believed. */
@Injectable()
export class Authentication {
  constructor(
    @Inject(IAM_OPTIONS) private readonly options: ResolvedIamOptions,
    private readonly tokens: AccessTokens,
    private readonly sessions: SessionCheck,
  ) {}

  /** @throws IamError `authentication_required` or `invalid_token` */
  async authenticate(request: object): Promise<AuthenticatedUser> {
    const claims = await this.tokens.verify(bearerToken(readRequest(request)));
    const confirmed = this.options.sessionCheck === 'always' ? await this.sessions.confirm(claims) : claims;
    const { userId: id, ...session } = confirmed;
    const user: AuthenticatedUser = { id, ...session };
    setActor(`user:${id}`);
    setAuthenticatedUser(request, user);
    return user;
  }
}

/** RFC 6750 §2.1. @throws IamError `authentication_required` */
export function bearerToken(request: IamRequest): string {
  const [, token] = /^Bearer +([\w.~+/-]+=*) *$/i.exec(request.authorization ?? '') ?? [];
  if (token === undefined) throw new IamError('authentication_required', 'no bearer token');
  return token;
}
