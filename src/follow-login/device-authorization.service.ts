import { Injectable } from '@nestjs/common';
import { z } from 'zod';
import { parseOAuthInput } from '../oauth/oauth-input.js';
import type { IamRequest } from '../http/iam-request.js';
import { Clients } from '../oauth/clients.service.js';
import { FollowStart, type FollowStarted } from './follow-start.service.js';

/** The body of `POST /device_authorization`. */
export const deviceAuthorizationBody = z.object({
  client_id: z.string().min(1).max(128),
  provider: z.string().min(1).max(63),
});

/** `POST /device_authorization` (RFC 8628 §3.1), with the provider whose Official Account is to be followed. */
@Injectable()
export class DeviceAuthorization {
  constructor(
    private readonly clients: Clients,
    private readonly starts: FollowStart,
  ) {}

  async start(request: IamRequest): Promise<FollowStarted> {
    const { client_id: clientId, provider } = parseOAuthInput(deviceAuthorizationBody, request.body);
    this.clients.authenticate(clientId);
    return this.starts.begin({ clientId, provider, origin: request.origin });
  }
}
