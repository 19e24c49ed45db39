import { Injectable } from '@nestjs/common';
import { z } from 'zod';
import { type IamError, wrongMember } from '../../errors/iam.error.js';
import { OutgoingCalls, OutgoingError } from '../../http/outgoing-calls.service.js';
import type { ClientRow } from './client-columns.js';

const MOST_BYTES = 65_536;
const uris = z.array(z.string());

/** The documents by which applications of several hosts prove that they are one sector (OpenID Connect Core 8.1). */
@Injectable()
export class SectorDocuments {
  constructor(private readonly calls: OutgoingCalls) {}

  /** Reads the document of an application, which has to list all its redirect URIs. @throws IamError `invalid_request` */
  async check(
    client: Pick<ClientRow, 'subject_type' | 'sector_identifier_uri' | 'redirect_uris'>,
  ): Promise<void> {
    const { subject_type, sector_identifier_uri: url, redirect_uris } = client;
    if (subject_type === 'public' || url === null) return;
    const listed = await this.read(url);
    const missing = redirect_uris.find((uri) => !listed.includes(uri));
    if (missing !== undefined) throw refusal(`its document does not list ${missing}`);
  }

  private async read(url: string): Promise<string[]> {
    try {
      const { status, body } = await this.calls.send({ url, maxBytes: MOST_BYTES });
      if (status !== 200) throw refusal(`the server responded ${status}`);
      return uris.parse(JSON.parse(body.toString('utf8')));
    } catch (cause) {
      if (cause instanceof OutgoingError) throw refusal(cause.message, cause);
      if (cause instanceof SyntaxError || cause instanceof z.ZodError)
        throw refusal('expected a JSON array of redirect URIs', cause);
      throw cause;
    }
  }
}

function refusal(reason: string, cause?: unknown): IamError {
  return wrongMember('sector_identifier_uri', reason, cause);
}
