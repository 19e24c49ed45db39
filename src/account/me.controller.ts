import { Controller, Get, UseFilters, UseGuards, UseInterceptors, VERSION_NEUTRAL } from '@nestjs/common';
import { json, type Answer } from '../http/answer.js';
import { AnswerInterceptor } from '../http/answer.interceptor.js';
import type { AuthenticatedUser } from '../http/authenticated-user.js';
import { z } from 'zod';
import { Endpoint } from '../http/endpoint.decorator.js';
import { CurrentUser } from '../http/current-user.decorator.js';
import { ProblemFilter } from '../http/error.filter.js';
import { IamGuard } from '../http/iam.guard.js';
import { Profiles } from '../users/profiles.service.js';

const meAnswer = z.object({
  id: z.uuid(),
  external_id: z.string().nullable(),
  nickname: z.string().nullable(),
  avatar_url: z.string().nullable(),
  created_at: z.iso.datetime(),
  identities: z.array(
    z.object({ provider: z.string(), kind: z.string(), appid: z.string(), linked_at: z.string() }),
  ),
  roles: z.array(z.string()),
});

/** The signed-in user's own record. */
@UseFilters(ProblemFilter)
@UseInterceptors(AnswerInterceptor)
@UseGuards(IamGuard)
@Controller({ path: 'me', version: VERSION_NEUTRAL })
export class MeController {
  constructor(private readonly profiles: Profiles) {}

  @Endpoint({
    summary: 'The signed-in user',
    answers: { 200: meAnswer },
    example: {
      id: '0198c0de-0000-7000-8000-000000000001',
      external_id: null,
      nickname: '小兰',
      avatar_url: 'https://thirdwx.qlogo.cn/mmopen/…/132',
      created_at: '2026-01-31T08:00:00.000Z',
      identities: [
        { provider: 'wechat', kind: 'open', appid: 'wx0000000000000001', linked_at: '2026-01-31T08:00:00Z' },
      ],
      roles: [],
    },
  })
  @Get()
  async me(@CurrentUser() user: AuthenticatedUser): Promise<Answer> {
    return json({ ...(await this.profiles.get(user.id)), roles: user.roles });
  }
}
