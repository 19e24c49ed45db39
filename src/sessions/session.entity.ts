import {
  boolean,
  defineTable,
  integer,
  key,
  nullable,
  now,
  text,
  timestamp,
  uuid,
} from '../database/define-table.js';

/** `iam.sessions`: one per sign-in, however often its refresh token rotates. */
export const SessionEntity = defineTable('sessions', {
  columns: {
    /** `sid` of access tokens. */
    id: key(uuid),
    user_id: uuid,
    client_id: text,
    /** The sign-in attempt it came from; a code used twice ends it (RFC 6749 §4.1.2). */
    login_id: uuid,
    provider: text,
    /** See `AuthenticatedPerson`. */
    method: text,
    appid: text,
    openid: text,
    /** It began on a device that showed a QR code, which another one answered. */
    by_scan: { ...boolean, default: false },
    /** How often the refresh token has rotated; the live token is the one of this generation. */
    generation: { ...integer, default: 0 },
    rotated_at: nullable(timestamp),
    /** How often the parent token was accepted again within the grace. */
    grace_uses: { ...integer, default: 0 },
    /** Of the login, as what follows. */
    scope: nullable(text),
    resources: nullable({ ...text, array: true }),
    browser_session_id: nullable(uuid),
    /** When the person proved who they are; null: as the session began. */
    auth_time: nullable(timestamp),
    ip: nullable(text),
    user_agent: nullable(text),
    created_at: now,
    idle_expires_at: timestamp,
    expires_at: timestamp,
    ended_at: nullable(timestamp),
    end_reason: nullable(text),
  },
  uniques: { sessions_login_id_key: ['login_id'] },
  indexes: {
    sessions_user_id_idx: ['user_id'],
    sessions_client_id_idx: ['client_id', 'id'],
    sessions_provider_idx: ['provider', 'id'],
    sessions_method_idx: ['method', 'id'],
    sessions_live_openid_idx: { columns: ['openid'], where: '(ended_at IS NULL)' },
    sessions_expires_at_idx: ['expires_at'],
  },
  references: { sessions_user_id_fkey: { table: 'users', columns: { user_id: 'id' } } },
});
