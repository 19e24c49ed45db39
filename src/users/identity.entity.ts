import { boolean, defineTable, key, nullable, now, text, timestamp, uuid } from '../database/define-table.js';

/** `iam.identities`: proven WeChat subjects. `(appid, openid)` belongs to one user, by constraint. */
export const IdentityEntity = defineTable('identities', {
  columns: {
    id: key(uuid),
    user_id: uuid,
    /** Slug of the provider row through which it was first seen. */
    provider: text,
    app_kind: text,
    appid: text,
    openid: text,
    union_scope: text,
    /** The last one that WeChat showed, with its scope; `iam.identity_unions` has one for every scope. */
    unionid: nullable(text),
    /** When nickname and avatar were last read from WeChat. */
    profile_read_at: nullable(timestamp),
    /** Follows the Official Account; null before the first event. */
    follows: nullable(boolean),
    /** `CreateTime` of the event that `follows` comes from: an older one changes nothing. */
    follow_changed_at: nullable(timestamp),
    /** `CreateTime` of the last withdrawal of everything that the app may do: what WeChat proved before it begins no session. */
    withdrawn_at: nullable(timestamp),
    created_at: now,
  },
  uniques: {
    identities_appid_openid_key: ['appid', 'openid'],
    identities_id_user_id_key: ['id', 'user_id'],
  },
  checks: { identities_app_kind_check: "app_kind IN ('open', 'mp', 'mini', 'mobile')" },
  indexes: {
    identities_user_id_idx: ['user_id'],
    identities_openid_idx: ['openid'],
    identities_unionid_idx: ['unionid'],
    identities_provider_idx: ['provider', 'user_id'],
    identities_union_idx: ['union_scope', 'unionid'],
  },
  references: { identities_user_id_fkey: { table: 'users', columns: { user_id: 'id' } } },
});

/**
 * `iam.unions`: who owns a unionid, which means something only within its Open Platform account. It goes with the last
 * identity that carries it (`IdentityUnionEntity`).
 */
export const UnionEntity = defineTable('unions', {
  columns: { union_scope: key(text), unionid: key(text), user_id: uuid, created_at: now },
  uniques: { unions_union_user_id_key: ['union_scope', 'unionid', 'user_id'] },
  indexes: { unions_user_id_idx: ['user_id'] },
  references: { unions_user_id_fkey: { table: 'users', columns: { user_id: 'id' } } },
});

const withItsRow = { onDelete: 'CASCADE', onUpdate: 'CASCADE', deferrable: 'INITIALLY DEFERRED' } as const;

/**
 * `iam.identity_unions`: an identity that carries a unionid of its user in one scope. Triggers write it with the identity and
 * remove a union that nothing carries any more (docs/decisions/0031).
 */
export const IdentityUnionEntity = defineTable('identity_unions', {
  columns: { identity_id: key(uuid), union_scope: key(text), unionid: text, user_id: uuid },
  indexes: { identity_unions_union_idx: ['union_scope', 'unionid'] },
  references: {
    identity_unions_identity_fkey: {
      table: 'identities',
      columns: { identity_id: 'id', user_id: 'user_id' },
      ...withItsRow,
    },
    identity_unions_union_fkey: {
      table: 'unions',
      columns: { union_scope: 'union_scope', unionid: 'unionid', user_id: 'user_id' },
      ...withItsRow,
    },
  },
});

/**
 * `answered`: known and not used yet. `joined`: the user got the new openid. `already_there`: the user had it before.
 * `second_user`: another user has it. `barred`: the ban of another user covers it. `not_follower`: WeChat has none.
 */
export const moveOutcomes = [
  'answered',
  'joined',
  'already_there',
  'second_user',
  'barred',
  'not_follower',
] as const;

/**
 * `iam.openid_moves`: what WeChat said an identity's openid is in another Official Account. WeChat says it for fifteen days
 * only, so it is kept, until the identity goes (docs/decisions/0078).
 */
export const OpenidMoveEntity = defineTable('openid_moves', {
  columns: {
    identity_id: key(uuid),
    to_appid: key(text),
    to_openid: nullable(text),
    outcome: text,
    answered_at: now,
  },
  checks: {
    openid_moves_outcome_check:
      "outcome IN ('answered', 'joined', 'already_there', 'second_user', 'barred', 'not_follower')",
    openid_moves_openid_check: "(to_openid IS NULL) = (outcome = 'not_follower')",
  },
  references: {
    openid_moves_identity_fkey: {
      table: 'identities',
      columns: { identity_id: 'id' },
      onDelete: 'CASCADE',
    },
  },
});
