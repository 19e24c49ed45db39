import { Injectable } from '@nestjs/common';
import { z } from 'zod';
import { empty, type Answer } from '../http/answer.js';
import type { IamRequest } from '../http/iam-request.js';
import { parseInput } from '../http/parse-input.js';
import { IamError } from '../iam.error.js';
import { AccessTokens } from '../sessions/access-tokens.service.js';
import { Sessions } from '../sessions/sessions.service.js';
import { Clients } from './clients.service.js';

/** The body of `POST /revoke` (RFC 7009 §2.1). */
export const revocationBody = z.object({
  client_id: z.string().min(1).max(128),
  token: z.string().min(1).max(4096),
});

/** `POST /revoke` (RFC 7009): either token ends the whole session; an unknown token is answered like a known one. */
@Injectable()
export class Revocation {
  constructor(
    private readonly clients: Clients,
    private readonly sessions: Sessions,
    private readonly accessTokens: AccessTokens,
  ) {}

  async revoke({ body, origin }: IamRequest): Promise<Answer> {
    const { client_id, token } = parseInput(revocationBody, body);
    this.clients.authenticate(client_id);
    const sessionId = this.sessions.findSessionId(token) ?? (await this.sessionOfAccessToken(token));
    const caller = { clientId: client_id, sessionsOf: [client_id], origin };
    if (sessionId !== null) await this.sessions.end(sessionId, 'revoked', caller);
    return empty(200);
  }

  private async sessionOfAccessToken(token: string): Promise<string | null> {
    try {
      return (await this.accessTokens.verify(token)).sessionId;
    } catch (error) {
      if (error instanceof IamError && error.code === 'invalid_token') return null;
      throw error;
    }
  }
}
