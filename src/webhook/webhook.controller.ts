import { Get, Param, Post } from '@nestjs/common';
import { z } from 'zod';
import { securityHeaders, type IamResponse } from '../http/iam-response.js';
import { Endpoint } from '../http/endpoint.decorator.js';
import { PublicController } from '../sessions/iam-controller.decorator.js';
import type { IamRequest } from '../http/iam-request.js';
import { Incoming } from '../http/parameter.decorators.js';
import { Webhook } from './webhook.service.js';

const signedQuery = z.object({
  signature: z.string().optional(),
  msg_signature: z.string().optional(),
  encrypt_type: z.string().optional(),
  timestamp: z.string(),
  nonce: z.string(),
});
const slugs = { provider: 'Slug of the provider row' };

/** The server URL of a provider row's Official Account. */
@PublicController('webhook')
export class WebhookController {
  constructor(private readonly webhook: Webhook) {}

  @Endpoint({
    summary: 'WeChat checks the server URL',
    path: slugs,
    query: signedQuery.extend({ echostr: z.string() }),
    responses: { 200: 'text/plain' },
    errors: ['provider_not_found', 'provider_misconfigured', 'webhook_signature_invalid'],
  })
  @Get(':provider')
  async handshake(@Param('provider') slug: string, @Incoming() { query }: IamRequest): Promise<IamResponse> {
    return respond('text/plain', await this.webhook.handshake(slug, query));
  }

  @Endpoint({
    summary: "WeChat's messages and events",
    path: slugs,
    query: signedQuery,
    body: z.string(),
    bodyType: 'text/xml',
    responses: { 200: ['text/plain', 'application/xml', z.record(z.string(), z.unknown())] },
    example: { Encrypt: '…', MsgSignature: '…', TimeStamp: 1767225600, Nonce: '…' },
    errors: [
      'provider_not_found',
      'provider_misconfigured',
      'webhook_signature_invalid',
      'wechat_unavailable',
      'invalid_request',
      'payload_too_large',
      'request_too_slow',
      'content_encoding_unsupported',
    ],
  })
  @Post(':provider')
  async push(@Param('provider') slug: string, @Incoming() request: IamRequest): Promise<IamResponse> {
    const reply = await this.webhook.push(slug, request);
    // Never encrypted, in any mode (protocol F.3).
    return reply === null
      ? respond('text/plain', 'success')
      : respond(`application/${reply.format}`, reply.body);
  }
}

function respond(type: string, body: string): IamResponse {
  const headers = { ...securityHeaders, 'Content-Type': `${type}; charset=utf-8` };
  return { status: 200, headers, cookies: [], body };
}
