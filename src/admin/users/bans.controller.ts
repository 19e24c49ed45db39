import { Delete, Get, Param } from '@nestjs/common';
import { empty, json, type IamResponse } from '../../http/iam-response.js';
import { Endpoint } from '../../http/endpoint.decorator.js';
import type { IamRequest } from '../../http/iam-request.js';
import { Incoming } from '../../http/parameter.decorators.js';
import { parseInput } from '../../http/zod.pipe.js';
import { LastingBans } from '../../users/lasting-bans.service.js';
import { AdminController } from '../admin-controller.decorator.js';
import { banPage, banPageExample, banQuery, toBanItem, toSoughtSubject } from './bans.view.js';
import { toIdPage, toPageRequest } from '../id-page.js';

/** Bans that outlive their user. */
@AdminController('bans')
export class AdminBansController {
  constructor(private readonly bans: LastingBans) {}

  @Endpoint({
    summary: 'Bans of users who were erased since: whose WeChat stays barred',
    permission: 'iam:users:read',
    query: banQuery,
    responses: { 200: banPage },
    example: banPageExample,
  })
  @Get()
  async list(@Incoming() { query }: IamRequest): Promise<IamResponse> {
    const asked = parseInput(banQuery, query);
    const page = toPageRequest(asked);
    return json(toIdPage(await this.bans.page(toSoughtSubject(asked), page), page, toBanItem));
  }

  @Endpoint({
    summary: 'Lift such a ban: the person may sign up again, as somebody new',
    permission: 'iam:users:write',
    path: { id: 'The user who was erased' },
    responses: { 204: null },
    errors: ['not_found'],
  })
  @Delete(':id')
  async lift(@Param('id') id: string): Promise<IamResponse> {
    await this.bans.lift(id);
    return empty(204);
  }
}
