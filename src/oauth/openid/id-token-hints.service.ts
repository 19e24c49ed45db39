import { Inject, Injectable } from '@nestjs/common';
import * as errors from 'jose/errors';
import { DataSource } from 'typeorm';
import { z } from 'zod';
import { IAM_DATA_SOURCE, IAM_OPTIONS, type ResolvedIamOptions } from '../../config/iam.resolved-options.js';
import { isSealed, Sealer } from '../../crypto/sealer.js';
import { hasRow, sql } from '../../database/sql.js';
import { IamError } from '../../errors/iam.error.js';
import { ClientRegistry } from '../../http/client-registry.service.js';
import { Jwts } from '../../sessions/jwts.service.js';
import { SubjectIdentifiers } from '../../sessions/subject-identifiers.service.js';
import { samePersonSql } from '../../users/user.entity.js';

const claims = z.object({
  iss: z.string(),
  sub: z.string().min(1),
  aud: z.union([z.string(), z.array(z.string())]),
  sid: z.string().optional(),
});

/** What an ID token of ours says of an earlier sign-in; it may have expired. */
export interface IdTokenHint {
  readonly userId: string;
  readonly sessionId: string | undefined;
  readonly audience: readonly string[];
}

/** The kinds of our tokens that are no ID token. */
const otherKinds: ReadonlySet<string | undefined> = new Set(['at+jwt', 'logout+jwt']);

const PURPOSE = 'id-token-hint';
const sealedHint = z.object({ userId: z.string(), clientId: z.string() });

/** The parameter `id_token_hint`: which person a client means (OpenID Connect Core 3.1.2.1). */
@Injectable()
export class IdTokenHints {
  private readonly sealer: Sealer;

  constructor(
    @Inject(IAM_OPTIONS) private readonly options: ResolvedIamOptions,
    @Inject(IAM_DATA_SOURCE) private readonly dataSource: DataSource,
    private readonly jwts: Jwts,
    private readonly registry: ClientRegistry,
    private readonly subjects: SubjectIdentifiers,
  ) {
    this.sealer = new Sealer(options.keyRing, PURPOSE);
  }

  /**
   * An ID token of ours, of any age; null where the key is gone that may have signed it.
   * @throws IamError `invalid_request`
   */
  async verify(token: string): Promise<IdTokenHint | null> {
    try {
      const { payload, protectedHeader } = await this.jwts.verifySignature(token);
      if (otherKinds.has(protectedHeader.typ))
        throw new IamError('invalid_request', 'id_token_hint: no ID token');
      const { iss, sub, aud, sid } = claims.parse(JSON.parse(Buffer.from(payload).toString()));
      if (iss !== this.options.publicUrl)
        throw new IamError('invalid_request', 'id_token_hint: of another issuer');
      const audience = [aud].flat();
      // Each application may know people by a `sub` of its own.
      const client = audience.map((id) => this.registry.find(id)).find((each) => each !== undefined);
      const userId = client === undefined ? null : await this.subjects.userOf(sub, client);
      if (userId === null) throw new IamError('invalid_request', 'id_token_hint: of nobody here');
      return { userId, sessionId: sid, audience };
    } catch (cause) {
      if (cause instanceof errors.JWKSNoMatchingKey) return null;
      if (!isRefusal(cause)) throw cause;
      throw new IamError('invalid_request', 'id_token_hint: does not verify', { cause });
    }
  }

  /**
   * The hint of an authorization request as the rest of the sign-in carries it: short, and sealed for the client. A page of ours that
   * starts anew sends it in that form.
   * @throws IamError `invalid_request` for a token that is not ours or of another client
   */
  async seal(hint: string, clientId: string): Promise<string> {
    if (isSealed(hint)) {
      this.userOf(hint, clientId);
      return hint;
    }
    const verified = await this.verify(hint);
    if (verified?.audience.includes(clientId) !== true)
      throw new IamError('invalid_request', 'id_token_hint: not an ID token of this client');
    return this.sealer.seal(JSON.stringify({ userId: verified.userId, clientId }), PURPOSE);
  }

  /** The person of a sealed hint. @throws IamError `invalid_request` */
  userOf(sealed: string, clientId: string): string {
    const hint = this.sealer.openJson(sealed, PURPOSE, sealedHint);
    if (hint?.clientId !== clientId)
      throw new IamError('invalid_request', 'id_token_hint: not of this client');
    return hint.userId;
  }

  /** Whether the user of a hint and this one are one person; one query where the ids differ. */
  async isSamePerson(hinted: string, userId: string): Promise<boolean> {
    return hinted === userId || hasRow(this.dataSource, sql`SELECT 1 WHERE ${samePersonSql(hinted, userId)}`);
  }
}

/** The token is at fault. */
function isRefusal(cause: unknown): boolean {
  return cause instanceof errors.JOSEError || cause instanceof z.ZodError || cause instanceof SyntaxError;
}
