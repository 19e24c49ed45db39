import { Body, Controller, Delete, Get, HttpCode, Inject, Post, Req, Res, UseGuards } from '@nestjs/common';
import type { Request, Response } from 'express';
import { IamUsers } from 'nestjs-wechat-iam';
import { credentials } from './credentials.js';
import { MEMBER_COOKIE, memberCookie, memberToken } from './member-cookie.js';
import type { Member } from './member.entity.js';
import { CurrentMember, MemberGuard } from './member.guard.js';
import { MemberSessions, SESSION_MS } from './member-sessions.service.js';
import { type MemberView, toView } from './member-view.js';
import { Members } from './members.service.js';
import { parseBody } from './parse-body.js';
import { SameOriginGuard, SHOP_URL } from './same-origin.guard.js';

/** Signing in by password, as the shop did before it knew WeChat. */
@Controller('members')
@UseGuards(SameOriginGuard)
export class MembersController {
  constructor(
    private readonly members: Members,
    private readonly sessions: MemberSessions,
    private readonly users: IamUsers,
    @Inject(SHOP_URL) private readonly shopUrl: string,
  ) {}

  @Post('session')
  @HttpCode(200)
  async signIn(@Body() body: unknown, @Res({ passthrough: true }) response: Response): Promise<MemberView> {
    const member = await this.members.getByPassword(parseBody(credentials, body));
    const token = await this.sessions.begin(member);
    response.cookie(MEMBER_COOKIE, token, { ...memberCookie(this.shopUrl), maxAge: SESSION_MS });
    return toView(member, this.users);
  }

  /** Who is signed in by password in this browser. */
  @Get('session')
  async session(@Req() request: Request): Promise<{ member: MemberView | null }> {
    const member = await this.sessions.find(memberToken(request));
    return { member: member === null || member.disabled ? null : await toView(member, this.users) };
  }

  @Delete('session')
  @HttpCode(204)
  async signOut(@Req() request: Request, @Res({ passthrough: true }) response: Response): Promise<void> {
    await this.sessions.end(memberToken(request));
    response.clearCookie(MEMBER_COOKIE, memberCookie(this.shopUrl));
  }

  /** Whom the shop knows by an access token or by its own cookie. */
  @Get('me')
  @UseGuards(MemberGuard)
  me(@CurrentMember() member: Member): Promise<MemberView> {
    return toView(member, this.users);
  }
}
