import { Get } from '@nestjs/common';
import type { IamResponse } from '../../http/iam-response.js';
import { Endpoint } from '../../http/endpoint.decorator.js';
import type { IamRequest } from '../../http/iam-request.js';
import { Incoming } from '../../http/parameter.decorators.js';
import { AdminController } from '../admin-controller.decorator.js';
import { AdminLogins } from './logins.service.js';
import { loginPage, loginPageExample, loginQuery } from './logins.view.js';

/** Sign-in attempts: what waits, what failed, and why. */
@AdminController('logins')
export class AdminLoginsController {
  constructor(private readonly logins: AdminLogins) {}

  @Endpoint({
    summary: 'Sign-in attempts of the last day, newest first',
    permission: 'iam:logins:read',
    query: loginQuery,
    responses: { 200: loginPage },
    example: loginPageExample,
  })
  @Get()
  list(@Incoming() request: IamRequest): Promise<IamResponse> {
    return this.logins.list(request);
  }
}
