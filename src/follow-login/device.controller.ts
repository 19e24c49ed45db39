import { Get, Post } from '@nestjs/common';
import { z } from 'zod';
import type { IamResponse } from '../http/iam-response.js';
import { Endpoint } from '../http/endpoint.decorator.js';
import { PublicController } from '../sessions/iam-controller.decorator.js';
import type { IamRequest } from '../http/iam-request.js';
import { Incoming } from '../http/parameter.decorators.js';
import { deviceDecisionBody, DevicePage, userCodeBody } from './device-page.service.js';

const form = 'application/x-www-form-urlencoded';

/** The page that `verification_uri` leads to (RFC 8628 §3.3). */
@PublicController('device')
export class DeviceController {
  constructor(private readonly device: DevicePage) {}

  @Endpoint({
    summary: 'The page on which the code of a device is typed, and its question (RFC 8628 §3.3)',
    query: z.object({
      user_code: z.string().optional().meta({ description: 'Fills the form' }),
    }),
    responses: { 200: 'text/html', 303: null },
  })
  @Get()
  show(@Incoming() request: IamRequest): Promise<IamResponse> {
    return this.device.show(request);
  }

  @Endpoint({
    summary: "For the module's own device page: the typed code",
    body: userCodeBody,
    bodyType: form,
    responses: { 200: 'text/html', 303: null },
    errors: ['origin_forbidden', 'rate_limited'],
  })
  @Post()
  enter(@Incoming() request: IamRequest): Promise<IamResponse> {
    return this.device.enter(request);
  }

  @Endpoint({
    summary: "For the module's own device page: a sign-in that comes back to it",
    query: z.object({ device: z.string() }),
    responses: { 200: 'text/html', 302: null, 303: null },
  })
  @Get('sign-in')
  signIn(@Incoming() request: IamRequest): Promise<IamResponse> {
    return this.device.signIn(request);
  }

  @Endpoint({
    summary: "For the module's own device page: the decision",
    body: deviceDecisionBody,
    bodyType: form,
    responses: { 303: null },
    errors: ['origin_forbidden'],
  })
  @Post('decision')
  decide(@Incoming() request: IamRequest): Promise<IamResponse> {
    return this.device.decide(request);
  }
}
