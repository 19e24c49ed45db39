import {
  type CanActivate,
  createParamDecorator,
  type ExecutionContext,
  ForbiddenException,
  Injectable,
  UnauthorizedException,
} from '@nestjs/common';
import type { Request } from 'express';
import { AccessTokens, IamError, IamUsers } from 'nestjs-wechat-iam';
import { memberToken } from './member-cookie.js';
import type { Member } from './member.entity.js';
import { MemberSessions } from './member-sessions.service.js';
import { Members } from './members.service.js';

const admitted = new WeakMap<object, Member>();

/** Admits members, however they signed in: by WeChat with an access token, or by password with the shop's cookie. */
@Injectable()
export class MemberGuard implements CanActivate {
  constructor(
    private readonly accessTokens: AccessTokens,
    private readonly users: IamUsers,
    private readonly members: Members,
    private readonly sessions: MemberSessions,
  ) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const request = context.switchToHttp().getRequest<Request>();
    const [, bearer] = /^Bearer (.+)$/i.exec(request.headers.authorization ?? '') ?? [];
    const member =
      bearer === undefined
        ? await this.sessions.find(memberToken(request))
        : await this.findByAccessToken(bearer);
    if (member === null) throw new UnauthorizedException({ error: 'sign_in_required' });
    if (member.disabled) throw new ForbiddenException({ error: 'member_disabled' });
    admitted.set(request, member);
    return true;
  }

  private async findByAccessToken(token: string): Promise<Member | null> {
    const claims = await this.accessTokens.verify(token).catch((error: unknown) => {
      if (error instanceof IamError && error.code === 'invalid_token') return null;
      throw error;
    });
    const user = claims === null ? null : await this.users.find(claims.userId);
    return user?.externalId == null ? null : this.members.find(user.externalId);
  }
}

/** Whom `MemberGuard` admitted. */
export const CurrentMember = createParamDecorator((_: unknown, context: ExecutionContext) =>
  admitted.get(context.switchToHttp().getRequest<Request>()),
);
