import { Injectable } from '@nestjs/common';
import { IamError } from '../iam.error.js';
import { setActor } from '../request-context.js';
import { AccessTokens } from '../sessions/access-tokens.service.js';
import { setAuthenticatedUser, type AuthenticatedUser } from './authenticated-user.js';
import { readRequest, type IamRequest } from './iam-request.js';

/** Who makes a request: the one place where a request's token is found and believed. */
@Injectable()
export class Authentication {
  constructor(private readonly tokens: AccessTokens) {}

  /** @throws IamError `authentication_required` or `invalid_token` */
  async authenticate(request: object): Promise<AuthenticatedUser> {
    const { userId: id, ...session } = await this.tokens.verify(bearerToken(readRequest(request)));
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
