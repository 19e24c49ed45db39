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

/**
 * `iam.browser_sessions`: a browser in which a person is signed in, for clients with `sso`. A trigger ends the sessions that
 * were born from it with it.
 */
export const BrowserSessionEntity = defineTable('browser_sessions', {
  columns: {
    id: key(uuid),
    user_id: uuid,
    /** How often the same person has signed in again; the live cookie is the one of this generation. */
    generation: { ...integer, default: 0 },
    provider: text,
    method: text,
    appid: text,
    openid: text,
    /** The sign-in has proven a follow. */
    has_followed: { ...boolean, default: false },
    ip: nullable(text),
    user_agent: nullable(text),
    created_at: now,
    /** When WeChat proved the person last, in whole milliseconds. */
    auth_time: timestamp,
    last_used_at: now,
    idle_expires_at: timestamp,
    expires_at: timestamp,
    ended_at: nullable(timestamp),
    end_reason: nullable(text),
  },
  checks: { browser_sessions_end_check: '(ended_at IS NULL) = (end_reason IS NULL)' },
  indexes: {
    browser_sessions_user_id_idx: ['user_id'],
    browser_sessions_live_openid_idx: { columns: ['openid'], where: '(ended_at IS NULL)' },
    browser_sessions_expires_at_idx: ['expires_at'],
  },
  references: { browser_sessions_user_id_fkey: { table: 'users', columns: { user_id: 'id' } } },
});
