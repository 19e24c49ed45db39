import { defineTable, integer, key, nullable, now, text, uuid } from '../../database/define-table.js';

/**
 * `iam.backchannel_logouts`: logout tokens that applications have yet to take. A trigger on `iam.sessions` writes them; what is
 * delivered is removed.
 */
export const BackchannelLogoutEntity = defineTable('backchannel_logouts', {
  columns: {
    /** Dated by PostgreSQL, as ids of the audit log. */
    id: key(uuid),
    client_id: text,
    /** `sid` of the token: the session that has ended. */
    session_id: uuid,
    user_id: uuid,
    /** `pending`: to be sent at `due_at`. `dead`: given up. */
    status: { ...text, default: 'pending' },
    /** How often a replica has begun to send it. */
    attempts: { ...integer, default: 0 },
    /** Also the end of the lease of the replica that sends it now. */
    due_at: now,
    lease_token: nullable(uuid),
    /** Why the last attempt failed. */
    last_error: nullable(text),
    created_at: now,
  },
  checks: { backchannel_logouts_status_check: "status IN ('pending', 'dead')" },
  indexes: {
    backchannel_logouts_due_idx: { columns: ['client_id', 'due_at'], where: "(status = 'pending'::text)" },
    backchannel_logouts_status_idx: ['status', 'id'],
  },
});
