import { Inject, Injectable } from '@nestjs/common';
import { z } from 'zod';
import { IAM_OPTIONS, type ResolvedIamOptions } from '../config/iam.resolved-options.js';
import { RateLimits } from '../database/rate-limits.service.js';
import { IamError } from '../errors/iam.error.js';
import type { Client } from '../http/client-registry.service.js';
import type { IamRequest } from '../http/iam-request.js';
import { json, type IamResponse } from '../http/iam-response.js';
import type { Parameters } from '../http/request-body.js';
import { parseInput } from '../http/parameter.decorators.js';
import { networksOf } from '../runtime/networks-of.js';
import {
  authorizeQuery,
  parseAuthorizeRequest,
  sentAuthorizeQuery,
  withChallenge,
} from './authorize-request.js';
import { Authorize } from './authorize.service.js';
import { ClientAuthentication, clientParameters } from './clients/client-authentication.service.js';
import { Clients, requireAllowed } from './clients/clients.service.js';
import { anyParameters } from './request-parameters.js';
import { PUSHED_SECONDS, PushedRequests } from './pushed-requests.service.js';

/** The body of `POST /par` (RFC 9126 §2.1): what `/authorize` takes, and the client's proof. */
export const pushedBody = sentAuthorizeQuery.extend({ ...clientParameters, redirect_uri: z.url() });

/** RFC 9126 §2.2. */
export const pushedResponse = z.object({ request_uri: z.string(), expires_in: z.number().int() });

/** What is kept of a request: no proof of the client. */
const kept: readonly string[] = ['redirect_uri', ...Object.keys(authorizeQuery.shape)];

/** A public client proves nothing, so anybody can push for it: so many rows of one visitor, and more of a network. */
const PER_MINUTE = { name: 'pushed_requests', kind: 'window', points: 60, seconds: 60 } as const;

/** `POST /par`: a client sends its authorization request by itself, and the browser carries a name of it alone. */
@Injectable()
export class PushedAuthorization {
  constructor(
    @Inject(IAM_OPTIONS) private readonly options: ResolvedIamOptions,
    private readonly authentication: ClientAuthentication,
    private readonly clients: Clients,
    private readonly authorize: Authorize,
    private readonly requests: PushedRequests,
    private readonly limits: RateLimits,
  ) {}

  async push(request: IamRequest): Promise<IamResponse> {
    const client = await this.authentication.authenticate(request);
    const parameters = this.check(client, parseInput(anyParameters, request.body));
    if (client.type === 'public') await this.limit(request);
    const request_uri = await this.requests.add(client.id, parameters);
    return json({ request_uri, expires_in: PUSHED_SECONDS }, 201);
  }

  /** As `/authorize` will check it again, where a change of the application counts. */
  private check(client: Client, sent: Parameters): Parameters {
    if (sent['request_uri'] !== undefined)
      throw new IamError('invalid_request', 'request_uri: not in a pushed request');
    this.clients.checkRedirect(client.id, sent['redirect_uri']);
    const request = parseAuthorizeRequest(withChallenge(sent, client));
    requireAllowed(client, { grant: 'authorization_code', provider: request.provider });
    this.authorize.requestOf(client, request);
    const parameters = Object.entries(sent).filter(([name, value]) => kept.includes(name) && value !== '');
    return { client_id: client.id, ...Object.fromEntries(parameters) };
  }

  private async limit({ origin: { ip } }: IamRequest): Promise<void> {
    if (this.options.rateLimits === 'off') return;
    const tiers = networksOf(ip ?? 'unknown').shares.map(([network, times]) => ({
      ...PER_MINUTE,
      key: `pushed_requests:${network}`,
      points: PER_MINUTE.points * times,
    }));
    await this.limits.consume(tiers);
  }
}
