import { Injectable } from '@nestjs/common';
import { z } from 'zod';
import { constantTimeEqual, sha256 } from '../../crypto/hash.js';
import { Forgeries } from '../../database/forgeries.service.js';
import { IamError } from '../../errors/iam.error.js';
import { ClientRegistry, credentialOf, type Client } from '../../http/client-registry.service.js';
import type { IamRequest } from '../../http/iam-request.js';
import { ClientAssertions, JWT_BEARER, subjectOf } from './client-assertions.service.js';
import { parseOAuthInput } from '../request-parameters.js';

/** The parameters by which a client names and proves itself (RFC 6749 §2.3.1, RFC 7521 §4.2), in every request that it makes by itself. */
export const clientParameters = {
  client_id: z
    .string()
    .min(1)
    .max(128)
    .optional()
    .meta({ description: 'Required, unless `Authorization: Basic` or `client_assertion` has it' }),
  client_secret: z
    .string()
    .max(256)
    .optional()
    .meta({ description: 'Of a confidential application, unless it proves itself in another way' }),
  client_assertion_type: z.literal(JWT_BEARER).optional().meta({ description: 'Beside `client_assertion`' }),
  client_assertion: z
    .string()
    .max(8_192)
    .optional()
    .meta({ description: 'A JWT that the application has signed (`private_key_jwt`), each of them once' }),
};

type Posted = z.infer<z.ZodObject<typeof clientParameters>>;

/** What a request says of its client. */
interface Credentials {
  readonly id: string;
  readonly secret: string;
}

/** A client that has proved itself as far as it can. */
export interface ProvenClient extends Client {
  /** By what, as its tokens name it; null for a public client, which can keep no secret. */
  readonly credential: string | null;
}

/** Finds out which client sends a request: `none`, `client_secret_post`, `client_secret_basic` or `private_key_jwt`. */
@Injectable()
export class ClientAuthentication {
  constructor(
    private readonly registry: ClientRegistry,
    private readonly forgeries: Forgeries,
    private readonly assertions: ClientAssertions,
  ) {}

  /** Also one that is disabled. @throws IamError `invalid_client` (RFC 6749 §5.2), `invalid_request`, `rate_limited` */
  async authenticate({ body, authorization, origin }: IamRequest): Promise<ProvenClient> {
    const posted = parseOAuthInput(z.object(clientParameters), body);
    const basic = readBasic(authorization);
    const assertion = assertionOf(posted);
    const id = posted.client_id ?? basic?.id ?? (assertion === undefined ? undefined : subjectOf(assertion));
    if (id === undefined) throw new IamError('invalid_request', 'client_id: missing');
    const client = this.registry.find(id);
    if (client === undefined) {
      this.forgeries.count(origin);
      throw new IamError('invalid_client', `no client "${id.slice(0, 64)}"`);
    }
    // A public client has nothing to prove: what secret it sends along is not looked at.
    if (client.type === 'public' && assertion === undefined) return { ...client, credential: null };
    requireOneWay(id, posted, basic);
    const proof = await this.prove(client, {
      secret: basic?.secret ?? posted.client_secret,
      assertion,
    }).catch((error: unknown) => {
      // For this client alone, and after the proof: guesses lock out neither it nor others at the address.
      if (error instanceof IamError) this.forgeries.count(origin, id);
      throw error;
    });
    return { ...client, credential: credentialOf(client, proof) };
  }

  /** What works as a proof: the key, the address where it is, or the hash of the secret. */
  private async prove(client: Client, { secret, assertion }: Proof): Promise<string> {
    if (assertion !== undefined) return this.assertions.use(assertion, client);
    if (secret === undefined)
      throw new IamError('invalid_client', `application "${client.id}" sent no proof`);
    const hash = findHash(client, secret);
    if (hash === undefined)
      throw new IamError('invalid_client', `not a secret of application "${client.id}"`);
    return hash;
  }
}

/** By what a client proves itself. */
interface Proof {
  readonly secret: string | undefined;
  readonly assertion: string | undefined;
}

/** @throws IamError `invalid_request` where one of the pair is missing */
function assertionOf({ client_assertion, client_assertion_type }: Posted): string | undefined {
  if ((client_assertion === undefined) !== (client_assertion_type === undefined))
    throw new IamError('invalid_request', 'expected client_assertion and client_assertion_type together');
  return client_assertion;
}

/** RFC 6749 §2.3. @throws IamError `invalid_request` */
function requireOneWay(id: string, posted: Posted, basic: Credentials | null): void {
  const ways = [posted.client_secret, posted.client_assertion, basic?.secret];
  if (ways.filter((way) => way !== undefined).length > 1 || (basic !== null && basic.id !== id))
    throw new IamError('invalid_request', 'expected one way of client authentication');
}

/** Compares with every secret that works, so that the time does not tell which one it was. */
function findHash({ secretHashes }: Client, secret: string): string | undefined {
  const given = sha256(secret);
  const [found] = secretHashes.filter((hash) => constantTimeEqual(hash, given));
  return found;
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
