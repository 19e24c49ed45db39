import { Get, Post } from '@nestjs/common';
import type { z } from 'zod';
import { Endpoint } from '../../http/endpoint.decorator.js';
import type { IamRequest } from '../../http/iam-request.js';
import type { IamResponse } from '../../http/iam-response.js';
import { Incoming, Body, ZodPipe } from '../../http/parameter.decorators.js';
import { PublicController } from '../../http/endpoint-responses.service.js';
import { OAuthPipe, parseOAuthInput } from '../request-parameters.js';
import { EndSession, endSessionDecision, endSessionParameters } from './end-session.service.js';

/** Where a client sends a person who signs out (OpenID Connect RP-Initiated Logout 1.0). */
@PublicController('end_session')
export class EndSessionController {
  constructor(private readonly endSession: EndSession) {}

  @Endpoint({
    summary:
      'Signs the person out of all applications in this browser; without an ID token that proves their wish it asks them',
    query: endSessionParameters,
    responses: { 200: 'text/html', 303: null },
    errors: ['client_unknown', 'redirect_uri_mismatch'],
  })
  @Get()
  end(@Incoming() request: IamRequest): Promise<IamResponse> {
    return this.endSession.end(parseOAuthInput(endSessionParameters, request.query), request);
  }

  @Endpoint({
    summary: 'As GET, by a form of the client, which keeps the ID token out of addresses',
    responses: { 303: null },
    errors: ['client_unknown', 'redirect_uri_mismatch'],
  })
  @Post()
  takeForm(
    @Body(new OAuthPipe(endSessionParameters)) parameters: z.infer<typeof endSessionParameters>,
  ): Promise<IamResponse> {
    return this.endSession.takeForm(parameters);
  }

  @Endpoint({
    summary: "For the module's own page: the decision",
    responses: { 200: 'text/html', 303: null },
    errors: ['origin_forbidden'],
  })
  @Post('decision')
  decide(
    @Body(new ZodPipe(endSessionDecision, 'application/x-www-form-urlencoded'))
    body: z.infer<typeof endSessionDecision>,
    @Incoming() request: IamRequest,
  ): Promise<IamResponse> {
    return this.endSession.decide(body, request);
  }
}
