import { Post } from '@nestjs/common';
import { z } from 'zod';
import type { IamResponse } from '../http/iam-response.js';
import { type AuthenticatedUser, CurrentUser, Incoming } from '../http/parameter.decorators.js';
import { Endpoint } from '../http/endpoint.decorator.js';
import { UserController } from '../sessions/iam-controller.decorator.js';
import type { IamRequest } from '../http/iam-request.js';
import { RequireRecentSignIn } from '../http/access-policy.decorator.js';
import { Authorize, linkStartBody } from './authorize.service.js';

/** Where the browser goes. */
const linkStartResponse = z.object({ authorize_uri: z.url() });

/** The redirect flow of a signed-in user; its callback is that of every sign-in. */
@UserController('me/identities')
export class LinkController {
  constructor(private readonly authorize: Authorize) {}

  @Endpoint({
    summary: 'Starts to link another WeChat identity; the browser returns with `linked` or `error`',
    body: linkStartBody,
    responses: { 200: linkStartResponse },
    example: {
      authorize_uri:
        'https://open.weixin.qq.com/connect/qrconnect?appid=wx0000000000000001&…#wechat_redirect',
    },
    errors: [
      'recent_sign_in_required',
      'client_unknown',
      'redirect_uri_mismatch',
      'provider_not_found',
      'provider_disabled',
      'provider_misconfigured',
      'method_unavailable',
      'browser_unsupported',
      'follow_required',
      'wechat_open_not_configured',
      'wechat_mp_not_configured',
    ],
  })
  @RequireRecentSignIn()
  @Post('authorize')
  start(@Incoming() request: IamRequest, @CurrentUser() user: AuthenticatedUser): Promise<IamResponse> {
    return this.authorize.startLink(request, user);
  }
}
