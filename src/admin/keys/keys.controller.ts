import { Delete, Get, Param, Post } from '@nestjs/common';
import { z } from 'zod';
import { Endpoint } from '../../http/endpoint.decorator.js';
import { Body, ZodPipe } from '../../http/parameter.decorators.js';
import { Reencryption, reencryptionReport, sealingKeyUse } from '../../keys/reencryption.service.js';
import { KeyRotation, listedSigningKey } from '../../sessions/key-rotation.service.js';
import { AdminController } from '../admin.guard.js';

const keysResponse = z.object({
  signing_keys: z.array(listedSigningKey),
  sealing_keys: z.array(sealingKeyUse),
});

const MAX_LEAD_SECONDS = 7 * 86_400;
const rotateBody = z.strictObject({ activate_in: z.int().min(0).max(MAX_LEAD_SECONDS).optional() });
const rotateResponse = listedSigningKey.extend({ is_new: z.boolean() });

const signing = {
  kid: 'vS6gN0Zc6bVQj1wYH6wX3m1s1n3v0Qe6m0S5bJt9yXo',
  rs256_kid: 'qB2dH8Tf0mWc4kLr6sYp1xZv3uNj5oEg7iAt9wQl2bM',
  state: 'signing',
  created_at: '2026-01-31T08:00:00.000Z',
  active_at: '2026-01-31T08:10:00.000Z',
  retires_at: null,
};
const sealing = {
  key_id: '1f8b0c5d',
  is_configured: true,
  is_current: true,
  provider_secrets: 4,
  signing_keys: 1,
  session_keys: 0,
  subject_secrets: 0,
};

/** Signing keys and sealing keys: lists, rotation, re-encryption. */
@AdminController('keys')
export class KeysController {
  constructor(
    private readonly rotation: KeyRotation,
    private readonly sealing: Reencryption,
  ) {}

  @Endpoint({
    summary: 'Signing keys, and what each sealing key still holds',
    permission: 'iam:keys:read',
    responses: { 200: keysResponse },
    example: { signing_keys: [signing], sealing_keys: [sealing] },
  })
  @Get()
  async list(): Promise<z.infer<typeof keysResponse>> {
    return { signing_keys: await this.rotation.list(), sealing_keys: await this.sealing.use() };
  }

  @Endpoint({
    summary: 'Publishes a new signing key, which signs after activate_in seconds (600)',
    permission: 'iam:keys:write',
    responses: { 200: rotateResponse },
    example: { ...signing, state: 'next', is_new: true },
  })
  @Post('rotate')
  async rotate(
    @Body(new ZodPipe(rotateBody)) { activate_in: activateIn }: z.infer<typeof rotateBody>,
  ): Promise<z.infer<typeof rotateResponse>> {
    const { key, isNew } = await this.rotation.rotate(activateIn);
    return { ...key, is_new: isNew };
  }

  @Endpoint({
    summary: 'Seals every secret anew with the first of the configured keys',
    permission: 'iam:keys:write',
    responses: { 200: reencryptionReport },
    example: { provider_secrets: 4, signing_keys: 1, session_keys: 0, subject_secrets: 0, left: 0 },
  })
  @Post('reseal')
  reseal(): Promise<z.infer<typeof reencryptionReport>> {
    return this.sealing.run();
  }

  @Endpoint({
    summary: 'Removes a signing key that somebody else may have: its tokens are refused',
    permission: 'iam:keys:write',
    path: { kid: 'Id of either key of a pair' },
    responses: { 204: null },
    errors: ['not_found'],
  })
  @Delete(':kid')
  async revoke(@Param('kid') kid: string): Promise<void> {
    await this.rotation.revoke(kid);
  }
}
