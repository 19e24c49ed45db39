import { Get } from '@nestjs/common';
import { json, type IamResponse } from '../../http/iam-response.js';
import { Endpoint } from '../../http/endpoint.decorator.js';
import type { IamRequest } from '../../http/iam-request.js';
import { Incoming } from '../../http/parameter.decorators.js';
import { parseInput } from '../../http/zod.pipe.js';
import { AdminController } from '../admin.guard.js';
import { LoginList } from '../../sign-in/login-list.service.js';
import { toIdPage, toPageRequest } from '../page.js';
import { loginPage, loginPageExample, loginQuery, toLoginItem } from './logins.view.js';

/** Sign-in attempts: what waits, what failed, and why. */
@AdminController('logins')
export class AdminLoginsController {
  constructor(private readonly logins: LoginList) {}

  @Endpoint({
    summary: 'Sign-in attempts of the last day, newest first',
    permission: 'iam:logins:read',
    query: loginQuery,
    responses: { 200: loginPage },
    example: loginPageExample,
  })
  @Get()
  async list(@Incoming() { query }: IamRequest): Promise<IamResponse> {
    const filter = parseInput(loginQuery, query);
    const page = toPageRequest(filter);
    return json(toIdPage(await this.logins.page(filter, page), page, toLoginItem));
  }
}
