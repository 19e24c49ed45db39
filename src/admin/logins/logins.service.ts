import { Injectable } from '@nestjs/common';
import { json, type IamResponse } from '../../http/iam-response.js';
import type { IamRequest } from '../../http/iam-request.js';
import { parseInput } from '../../http/zod.pipe.js';
import { LoginList } from '../../sign-in/login-list.service.js';
import { toIdPage, toPageRequest } from '../id-page.js';
import { loginQuery, toLoginItem } from './logins.view.js';

/** Sign-in attempts in the admin API. */
@Injectable()
export class AdminLogins {
  constructor(private readonly logins: LoginList) {}

  async list({ query }: IamRequest): Promise<IamResponse> {
    const filter = parseInput(loginQuery, query);
    const page = toPageRequest(filter);
    return json(toIdPage(await this.logins.page(filter, page), page, toLoginItem));
  }
}
