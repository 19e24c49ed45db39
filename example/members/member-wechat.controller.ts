import {
  Body,
  ConflictException,
  Controller,
  HttpCode,
  Post,
  Req,
  UseFilters,
  UseGuards,
} from '@nestjs/common';
import type { Request } from 'express';
import { IamError, IamUsers } from 'nestjs-wechat-iam';
import { z } from 'zod';
import { credentials } from './credentials.js';
import { IamErrorFilter } from './iam-error.filter.js';
import { type MemberView, toView } from './member-view.js';
import { Members } from './members.service.js';
import { parseBody } from './parse-body.js';
import { SameOriginGuard } from './same-origin.guard.js';

const binding = z.object({ binding_token: z.string().min(1).max(512) });
const connection = binding.extend(credentials.shape).extend({
  /** "I know that this account has a WeChat already": from now on either of them signs in. */
  another: z.boolean().default(false),
});
const newcomer = binding.extend({ name: z.string().trim().min(1).max(40) });

/** Where `binding_required` leads: to the account that one has, or to a new one. */
@Controller('members')
@UseGuards(SameOriginGuard)
@UseFilters(IamErrorFilter)
export class MemberWechatController {
  constructor(
    private readonly members: Members,
    private readonly users: IamUsers,
  ) {}

  /** "I have an account": the password, asked for now, decides whose. Being signed in is not enough for a new way in. */
  @Post('wechat')
  @HttpCode(200)
  async connect(@Req() request: Request, @Body() body: unknown): Promise<MemberView> {
    const { binding_token, another, ...given } = parseBody(connection, body);
    const member = await this.members.getByPassword(given);
    const { has_wechat, name } = await toView(member, this.users);
    if (has_wechat && !another) throw new ConflictException({ error: 'already_connected', name });
    await this.users.bind(binding_token, { externalId: member.id }, { request });
    return toView(member, this.users);
  }

  /** "I am new here": an account first, then the binding, so that no user is ever bound to an account that is not there. */
  @Post()
  async join(@Req() request: Request, @Body() body: unknown): Promise<MemberView> {
    const { binding_token, name } = parseBody(newcomer, body);
    const member = await this.members.create(name);
    try {
      await this.users.bind(binding_token, { externalId: member.id }, { request });
    } catch (error) {
      // Refused for certain. After any other failure it may be bound: an account that nobody can sign in to does no harm.
      if (error instanceof IamError && error.status < 500) await this.members.remove(member.id);
      throw error;
    }
    return toView(member, this.users);
  }
}
