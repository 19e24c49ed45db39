import { boolean, defineTable, key, nullable, now, text, timestamp, uuid } from '../database/define-table.js';
import { sql, type Sql } from '../database/sql.js';

/** `active` may sign in; an administrator has banned a `disabled` one; `merged` continues as `merged_into`. */
export const userStatuses = ['active', 'disabled', 'merged'] as const;

/** See `userStatuses`. */
export type UserStatus = (typeof userStatuses)[number];

/** Who set a field of a profile: WeChat, the host (its code, hook or administrator), or the person. */
export const profileAuthors = ['wechat', 'host', 'user'] as const;

/** See `profileAuthors`. */
export type ProfileAuthor = (typeof profileAuthors)[number];

/** `iam.users`: a person, with all their ways of signing in. */
export const UserEntity = defineTable('users', {
  columns: {
    /** UUID version 7, so ids sort by creation. */
    id: key(uuid),
    /** The id under which the host knows this user. */
    external_id: nullable(text),
    nickname: nullable(text),
    /** Who set the nickname; `wechat` also where there is none, which WeChat may fill. */
    nickname_by: { ...text, default: 'wechat' },
    avatar_url: nullable(text),
    avatar_by: { ...text, default: 'wechat' },
    status: { ...text, default: 'active' },
    merged_into: nullable(uuid),
    /** When the user is erased, at their own request, unless they cancel it. */
    deletion_at: nullable(timestamp),
    /** By E.164, e.g. `+8613800000000`; from WeChat alone, and never a key that joins people. */
    phone_number: nullable(text),
    phone_verified_at: nullable(timestamp),
    /** The mini program through which it came; null for one that is older than this column. */
    phone_appid: nullable(text),
    /** The host asked for numbers of one user alone when it was stored. */
    phone_is_unique: { ...boolean, default: false },
    created_at: now,
    updated_at: now,
  },
  uniques: { users_external_id_key: ['external_id'] },
  checks: {
    users_phone_check: '(phone_number IS NULL) = (phone_verified_at IS NULL)',
    users_nickname_by_check: "nickname_by IN ('wechat', 'host', 'user')",
    users_avatar_by_check: "avatar_by IN ('wechat', 'host', 'user')",
    users_status_check: "status IN ('active', 'disabled', 'merged')",
    users_merged_check: "(status = 'merged') = (merged_into IS NOT NULL)",
  },
  indexes: {
    users_status_idx: ['status', 'id'],
    users_deletion_at_idx: { columns: ['deletion_at'], where: '(deletion_at IS NOT NULL)' },
    users_nickname_idx: { synchronize: false },
    users_merged_into_idx: ['merged_into'],
    users_phone_number_key: { columns: ['phone_number'], unique: true, where: 'phone_is_unique' },
    users_phone_digits_idx: { synchronize: false },
  },
  references: { users_merged_into_fkey: { table: 'users', columns: { merged_into: 'id' } } },
});

/**
 * `iam.barred_subjects`: an identity or a unionid that a ban covers. Triggers write it when a user is disabled, remove it
 * when they are enabled, and refuse the subject to other users; it outlives the user (docs/decisions/0032).
 */
export const BarredSubjectEntity = defineTable('barred_subjects', {
  columns: {
    /** By `iam.subject_hash`: the subject itself is deleted with the user. */
    subject_hash: key(text),
    kind: text,
    /** The user who was disabled; no reference, since they may have been erased. */
    user_id: uuid,
    created_at: now,
  },
  checks: { barred_subjects_kind_check: "kind IN ('identity', 'union')" },
  indexes: { barred_subjects_user_id_idx: ['user_id'] },
});

/** Whether two ids are of one person: of one user, or of users that a merge has made one. */
export const samePersonSql = (id: string, other: string | Sql): Sql => sql`
  EXISTS (SELECT FROM iam.users u, iam.users o WHERE u.id = ${id} AND o.id = ${other}
  AND COALESCE(o.merged_into, o.id) = COALESCE(u.merged_into, u.id))`;
