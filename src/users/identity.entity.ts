import {
  Check,
  Column,
  CreateDateColumn,
  Entity,
  Index,
  JoinColumn,
  ManyToOne,
  PrimaryColumn,
  Unique,
} from 'typeorm';
import { UserEntity } from './user.entity.js';

/** A row of `iam.identities`: one proven WeChat subject. `(appid, openid)` belongs to one user, by constraint. */
@Entity({ schema: 'iam', name: 'identities' })
@Unique('identities_appid_openid_key', ['appid', 'openid'])
@Unique('identities_id_user_id_key', ['id', 'userId'])
@Index('identities_openid_idx', ['openid'])
@Index('identities_unionid_idx', ['unionid'])
@Index('identities_provider_idx', ['provider', 'userId'])
@Index('identities_union_idx', ['unionScope', 'unionid'])
@Check('identities_app_kind_check', "app_kind IN ('open', 'mp', 'mini', 'mobile')")
export class IdentityEntity {
  @PrimaryColumn({ type: 'uuid' })
  id!: string;

  @Index('identities_user_id_idx')
  @Column({ type: 'uuid', name: 'user_id' })
  userId!: string;

  @ManyToOne(() => UserEntity)
  @JoinColumn({ name: 'user_id', foreignKeyConstraintName: 'identities_user_id_fkey' })
  user?: UserEntity;

  /** Slug of the provider row through which it was first seen. */
  @Column({ type: 'text' })
  provider!: string;

  @Column({ type: 'text', name: 'app_kind' })
  appKind!: string;

  @Column({ type: 'text' })
  appid!: string;

  @Column({ type: 'text' })
  openid!: string;

  @Column({ type: 'text', name: 'union_scope' })
  unionScope!: string;

  /** The last one that WeChat showed, with its scope; `iam.identity_unions` has one for every scope. */
  @Column({ type: 'text', nullable: true })
  unionid!: string | null;

  /** When nickname and avatar were last read from WeChat. */
  @Column({ type: 'timestamptz', name: 'profile_read_at', nullable: true })
  profileReadAt!: Date | null;

  /** Follows the Official Account; null before the first event. */
  @Column({ type: 'boolean', nullable: true })
  follows!: boolean | null;

  /** `CreateTime` of the event that `follows` comes from: an older one changes nothing. */
  @Column({ type: 'timestamptz', name: 'follow_changed_at', nullable: true })
  followChangedAt!: Date | null;

  /** `CreateTime` of the last withdrawal of everything that the app may do: what WeChat proved before it begins no session. */
  @Column({ type: 'timestamptz', name: 'withdrawn_at', nullable: true })
  withdrawnAt!: Date | null;

  @CreateDateColumn({ type: 'timestamptz', name: 'created_at', default: () => 'now()' })
  createdAt!: Date;
}

/**
 * A row of `iam.unions`: who owns a unionid, which means something only within its Open Platform account. It goes with the
 * last identity that carries it (`IdentityUnionEntity`).
 */
@Entity({ schema: 'iam', name: 'unions' })
@Unique('unions_union_user_id_key', ['unionScope', 'unionid', 'userId'])
export class UnionEntity {
  @PrimaryColumn({ type: 'text', name: 'union_scope' })
  unionScope!: string;

  @PrimaryColumn({ type: 'text' })
  unionid!: string;

  @Index('unions_user_id_idx')
  @Column({ type: 'uuid', name: 'user_id' })
  userId!: string;

  @ManyToOne(() => UserEntity)
  @JoinColumn({ name: 'user_id', foreignKeyConstraintName: 'unions_user_id_fkey' })
  user?: UserEntity;

  @CreateDateColumn({ type: 'timestamptz', name: 'created_at', default: () => 'now()' })
  createdAt!: Date;
}

const withItsRow = { onDelete: 'CASCADE', onUpdate: 'CASCADE', deferrable: 'INITIALLY DEFERRED' } as const;

/**
 * A row of `iam.identity_unions`: an identity that carries a unionid of its user in one scope. Triggers write it with the
 * identity and remove a union that nothing carries any more (docs/decisions/0031).
 */
@Entity({ schema: 'iam', name: 'identity_unions' })
@Index('identity_unions_union_idx', ['unionScope', 'unionid'])
export class IdentityUnionEntity {
  @PrimaryColumn({ type: 'uuid', name: 'identity_id' })
  identityId!: string;

  @PrimaryColumn({ type: 'text', name: 'union_scope' })
  unionScope!: string;

  @Column({ type: 'text' })
  unionid!: string;

  @Column({ type: 'uuid', name: 'user_id' })
  userId!: string;

  @ManyToOne(() => IdentityEntity, withItsRow)
  @JoinColumn([
    {
      name: 'identity_id',
      referencedColumnName: 'id',
      foreignKeyConstraintName: 'identity_unions_identity_fkey',
    },
    { name: 'user_id', referencedColumnName: 'userId' },
  ])
  identity?: IdentityEntity;

  @ManyToOne(() => UnionEntity, withItsRow)
  @JoinColumn([
    {
      name: 'union_scope',
      referencedColumnName: 'unionScope',
      foreignKeyConstraintName: 'identity_unions_union_fkey',
    },
    { name: 'unionid', referencedColumnName: 'unionid' },
    { name: 'user_id', referencedColumnName: 'userId' },
  ])
  union?: UnionEntity;
}

/**
 * `answered`: known and not used yet. `joined`: the user got the new openid. `already_there`: the user had it before.
 * `second_user`: another user has it. `barred`: the ban of another user covers it. `not_follower`: WeChat has none.
 */
export type MoveOutcome = (typeof moveOutcomes)[number];

/** See `MoveOutcome`. */
export const moveOutcomes = [
  'answered',
  'joined',
  'already_there',
  'second_user',
  'barred',
  'not_follower',
] as const;

/**
 * A row of `iam.openid_moves`: what WeChat said an identity's openid is in another Official Account. WeChat says it for
 * fifteen days only, so it is kept, until the identity goes (docs/decisions/0078).
 */
@Entity({ schema: 'iam', name: 'openid_moves' })
@Check(
  'openid_moves_outcome_check',
  "outcome IN ('answered', 'joined', 'already_there', 'second_user', 'barred', 'not_follower')",
)
@Check('openid_moves_openid_check', "(to_openid IS NULL) = (outcome = 'not_follower')")
export class OpenidMoveEntity {
  @PrimaryColumn({ type: 'uuid', name: 'identity_id' })
  identityId!: string;

  @ManyToOne(() => IdentityEntity, { onDelete: 'CASCADE' })
  @JoinColumn({ name: 'identity_id', foreignKeyConstraintName: 'openid_moves_identity_fkey' })
  identity?: IdentityEntity;

  @PrimaryColumn({ type: 'text', name: 'to_appid' })
  toAppid!: string;

  @Column({ type: 'text', name: 'to_openid', nullable: true })
  toOpenid!: string | null;

  @Column({ type: 'text' })
  outcome!: MoveOutcome;

  @CreateDateColumn({ type: 'timestamptz', name: 'answered_at', default: () => 'now()' })
  answeredAt!: Date;
}
