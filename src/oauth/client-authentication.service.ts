import { Injectable } from '@nestjs/common';
import { z } from 'zod';
import { constantTimeEqual, sha256 } from '../crypto/hash.js';
import { IamError } from '../errors/iam.error.js';
import { ClientRegistry, type Client } from '../http/client-registry.service.js';
import type { IamRequest } from '../http/iam-request.js';
import { FailureLimits } from '../sign-in/failure-limits.service.js';
import { parseOAuthInput } from './clients.service.js';

/** The parameters by which a client names and proves itself (RFC 6749 §2.3.1), in every request that it makes by itself. */
export const clientParameters = {
  client_id: z
    .string()
    .min(1)
    .max(128)
    .optional()
    .meta({ description: 'Required, unless `Authorization: Basic` has it' }),
  client_secret: z
    .string()
    .max(256)
    .optional()
    .meta({ description: 'Of a confidential application, unless it sends `Authorization: Basic`' }),
};

/** What a request says of its client. */
interface Credentials {
  readonly id: string;
  readonly secret: string;
}

/** Finds out which client sends a request: `none`, `client_secret_post` or `client_secret_basic`. */
@Injectable()
export class ClientAuthentication {
  constructor(
    private readonly registry: ClientRegistry,
    private readonly failures: FailureLimits,
  ) {}

  /** Also one that is disabled. @throws IamError `invalid_client` (RFC 6749 §5.2), `invalid_request`, `rate_limited` */
  authenticate({ body, authorization, origin }: IamRequest): Client {
    const posted = parseOAuthInput(z.object(clientParameters), body);
    const basic = readBasic(authorization);
    const id = posted.client_id ?? basic?.id;
    if (id === undefined) throw new IamError('invalid_request', 'client_id: missing');
    const client = this.registry.find(id);
    if (client === undefined) throw new IamError('invalid_client', `no client "${id.slice(0, 64)}"`);
    // A public client has nothing to prove: what it sends along is not looked at.
    if (client.type === 'public') return client;
    const secret = secretOf(id, posted.client_secret, basic);
    if (proves(client, secret)) return client;
    this.failures.countForgery(origin);
    throw new IamError('invalid_client', `not a secret of application "${id}"`);
  }
}

function secretOf(id: string, posted: string | undefined, basic: Credentials | null): string {
  if (basic !== null && (posted !== undefined || basic.id !== id))
    throw new IamError('invalid_request', 'expected one way of client authentication');
  const secret = basic?.secret ?? posted;
  if (secret === undefined) throw new IamError('invalid_client', `application "${id}" sent no secret`);
  return secret;
}

/** Compares with every secret that works, so that the time does not tell which one it was. */
function proves({ secretHashes }: Client, secret: string): boolean {
  const given = sha256(secret);
  return secretHashes.filter((hash) => constantTimeEqual(hash, given)).length > 0;
}

/** Both parts are form-encoded before they are put together (RFC 6749 §2.3.1). Null for anything else. */
function readBasic(authorization: string | undefined): Credentials | null {
  const [, encoded] = /^Basic +([A-Za-z0-9+/]+={0,2}) *$/i.exec(authorization ?? '') ?? [];
  const [, id, secret] = /^([^:]*):(.*)$/s.exec(Buffer.from(encoded ?? '', 'base64').toString('utf8')) ?? [];
  if (id === undefined || secret === undefined || id === '') return null;
  try {
    return { id: decodeForm(id), secret: decodeForm(secret) };
  } catch {
    return null;
  }
}

function decodeForm(text: string): string {
  return decodeURIComponent(text.replace(/\+/g, ' '));
}
