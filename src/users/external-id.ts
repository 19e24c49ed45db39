import { violatedConstraint, plainText } from '../database/database-errors.js';
import { IamError } from '../errors/iam.error.js';

/** The id under which a host knows a user. */
export const externalIdSchema = plainText(255);

/** An external id from code of the host, whose types nobody checked. @throws IamError `invalid_request` */
export function readExternalId(given: unknown): string {
  const { success, data, error } = externalIdSchema.safeParse(given);
  if (success) return data;
  throw new IamError('invalid_request', `external id: ${error.issues[0]?.message ?? 'not valid'}`);
}

/** Another user has the external id. @throws IamError `identity_conflict`, else the cause */
export function explainTaken(cause: unknown): never {
  if (violatedConstraint(cause) === 'users_external_id_key')
    throw new IamError('identity_conflict', 'the external id belongs to another user', { cause });
  throw cause;
}
