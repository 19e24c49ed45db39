import { Param, Post } from '@nestjs/common';
import { z } from 'zod';
import { providerErrors } from '../../errors/iam.error.js';
import { Endpoint } from '../../http/endpoint.decorator.js';
import type { IamRequest } from '../../http/iam-request.js';
import type { AuthenticatedPerson } from '../../http/authenticated-user.js';
import { CurrentUser, Incoming, Origin, Body, ZodPipe } from '../../http/parameter.decorators.js';
import { UserController } from '../../sessions/iam.guard.js';
import { actingSession } from '../../sessions/user-sessions.service.js';
import type { RequestOrigin } from '../../runtime/request-context.js';
import { appCodeErrors, phoneCode } from '../../sign-in/app-codes.service.js';
import { type Approval, approvalResponse, Approvals } from './approvals.service.js';

const openBody = z.strictObject({
  scene: z.string().min(1).max(64).meta({ description: '`scene` of the page, after `decodeURIComponent`' }),
});
const decisionBody = z.strictObject({
  decision: z.enum(['confirm', 'deny']),
  user_code: z
    .string()
    .max(32)
    .optional()
    .meta({ description: 'What the other device shows, where the approval does not have it' }),
  phone_code: phoneCode.optional(),
});
const decidedResponse = z.object({ status: z.enum(['confirmed', 'denied']) });

/** For the page of a mini program that confirms sign-ins on other devices; the token is that of its own sign-in. */
@UserController('approvals')
export class ApprovalsController {
  constructor(private readonly approvals: Approvals) {}

  @Endpoint({
    summary: 'Opens the sign-in of another device for the person of a mini program, who scanned its code',
    responses: { 200: approvalResponse },
    example: {
      id: '0198c0de-0000-7000-8000-000000000009',
      site: 'Camellia',
      application: 'Calendar',
      browser: 'Chrome on Windows',
      address: '203.0.113.7',
      asked_at: '2026-01-31T08:00:00.000Z',
      expires_in: 512,
      user_code: '4821',
    },
    errors: ['not_found', 'approval_forbidden', 'approval_over', 'rate_limited', ...providerErrors],
  })
  @Post()
  open(
    @Body(new ZodPipe(openBody)) { scene }: z.infer<typeof openBody>,
    @CurrentUser() user: AuthenticatedPerson,
    @Incoming() request: IamRequest,
  ): Promise<Approval> {
    return this.approvals.open(scene, actingSession(user), request);
  }

  @Endpoint({
    summary: 'Confirms or declines the sign-in of another device',
    path: { id: 'The `id` of the approval' },
    responses: { 200: decidedResponse },
    example: { status: 'confirmed' },
    errors: [
      'not_found',
      'approval_forbidden',
      'approval_over',
      'user_code_invalid',
      'access_denied',
      'phone_code_invalid',
      'phone_number_taken',
      'user_disabled',
      ...appCodeErrors,
    ],
  })
  @Post(':id')
  async decide(
    @Param('id') id: string,
    @Body(new ZodPipe(decisionBody)) body: z.infer<typeof decisionBody>,
    @CurrentUser() user: AuthenticatedPerson,
    @Origin() origin: RequestOrigin,
  ): Promise<z.infer<typeof decidedResponse>> {
    const { decision, user_code: typed, phone_code: phoneCode } = body;
    const form = { decision, typed, phoneCode };
    return { status: await this.approvals.decide(id, actingSession(user), form, origin) };
  }
}
