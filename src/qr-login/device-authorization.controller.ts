import { Get, Post } from '@nestjs/common';
import { z } from 'zod';
import { Endpoint } from '../http/endpoint.decorator.js';
import type { IamRequest } from '../http/iam-request.js';
import { eventStream, type IamResponse } from '../http/iam-response.js';
import { Incoming, Query, ZodPipe } from '../http/parameter.decorators.js';
import { Resources } from '../http/resources.service.js';
import { ClientAuthentication, clientParameters } from '../oauth/clients/client-authentication.service.js';
import { requireAllowed } from '../oauth/clients/clients.service.js';
import { parseOAuthInput, resourceParameter } from '../oauth/request-parameters.js';
import { grantScope } from '../oauth/openid/scopes.js';
import { PublicController } from '../http/endpoint-responses.service.js';
import { qrWayName } from '../sign-in/cross-device-sessions.service.js';
import { LoginStreams } from './login-streams.service.js';
import { DEVICE_CODE } from './qr-login.js';
import {
  QrStart,
  type QrStarted,
  qrStartedExample,
  qrStartedResponse,
  qrStartErrors,
} from './qr-start.service.js';

/** The body of `POST /device_authorization` (RFC 8628 §3.1), with the provider whose QR code is asked for. */
const deviceAuthorizationBody = z.object({
  ...clientParameters,
  provider: z.string().min(1).max(63),
  method: qrWayName
    .optional()
    .meta({ description: 'What answers the QR code; by default what the provider says' }),
  scope: z.string().optional(),
  resource: resourceParameter,
});
/** The query of `GET /device_authorization/events`. */
const eventsQuery = z.object({ watch: z.string().max(256) });

/** Sign-in by QR code for front-ends with a page of their own (RFC 8628). */
@PublicController('device_authorization')
export class DeviceAuthorizationController {
  constructor(
    private readonly authentication: ClientAuthentication,
    private readonly resources: Resources,
    private readonly starts: QrStart,
    private readonly streams: LoginStreams,
  ) {}

  @Endpoint({
    summary: 'Starts a sign-in by QR code on a page of your own (RFC 8628)',
    body: deviceAuthorizationBody,
    bodyType: 'form',
    responses: { 200: qrStartedResponse },
    example: qrStartedExample,
    errors: [...qrStartErrors, 'invalid_target'],
  })
  @Post()
  async start(@Incoming() request: IamRequest): Promise<QrStarted> {
    const { provider, method, scope, resource } = parseOAuthInput(deviceAuthorizationBody, request.body);
    const client = await this.authentication.authenticate(request);
    requireAllowed(client, { grant: DEVICE_CODE, provider });
    const resources = this.resources.require(resource, client.resources);
    const asked = { scope: grantScope(client, scope), resources };
    return this.starts.begin({
      clientId: client.id,
      provider,
      method,
      request: asked,
      origin: request.origin,
    });
  }

  @Endpoint({
    summary: 'The states of a scan as server-sent events: scanned, confirmed, denied, expired, failed, done',
    responses: { 200: 'text/event-stream' },
    errors: ['not_found', 'rate_limited'],
  })
  @Get('events')
  events(@Query(new ZodPipe(eventsQuery)) { watch }: z.infer<typeof eventsQuery>): IamResponse {
    return eventStream(this.streams.open(watch));
  }
}
