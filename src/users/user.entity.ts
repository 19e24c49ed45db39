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
  UpdateDateColumn,
} from 'typeorm';

/** `active` may sign in; an administrator has banned a `disabled` one; `merged` continues as `merged_into`. */
export type UserStatus = 'active' | 'disabled' | 'merged';

/** Who set a field of a profile: WeChat, the host (its code, hook or administrator), or the person. */
export type ProfileAuthor = 'wechat' | 'host' | 'user';

/** A row of `iam.users`: a person, with all their ways of signing in. */
@Entity({ schema: 'iam', name: 'users' })
@Unique('users_external_id_key', ['externalId'])
@Index('users_status_idx', ['status', 'id'])
@Index('users_deletion_at_idx', ['deletionAt'], { where: '(deletion_at IS NOT NULL)' })
@Index('users_nickname_idx', { synchronize: false })
@Check('users_phone_check', '(phone_number IS NULL) = (phone_verified_at IS NULL)')
@Check('users_nickname_by_check', "nickname_by IN ('wechat', 'host', 'user')")
@Check('users_avatar_by_check', "avatar_by IN ('wechat', 'host', 'user')")
@Check('users_status_check', "status IN ('active', 'disabled', 'merged')")
@Check('users_merged_check', "(status = 'merged') = (merged_into IS NOT NULL)")
export class UserEntity {
  /** UUID version 7, so ids sort by creation. */
  @PrimaryColumn({ type: 'uuid' })
  id!: string;

  /** The id under which the host knows this user. */
  @Column({ type: 'text', name: 'external_id', nullable: true })
  externalId!: string | null;

  @Column({ type: 'text', nullable: true })
  nickname!: string | null;

  /** Who set the nickname; `wechat` also where there is none, which WeChat may fill. */
  @Column({ type: 'text', name: 'nickname_by', default: 'wechat' })
  nicknameBy!: ProfileAuthor;

  @Column({ type: 'text', name: 'avatar_url', nullable: true })
  avatarUrl!: string | null;

  @Column({ type: 'text', name: 'avatar_by', default: 'wechat' })
  avatarBy!: ProfileAuthor;

  @Column({ type: 'text', default: 'active' })
  status!: UserStatus;

  @Index('users_merged_into_idx')
  @Column({ type: 'uuid', name: 'merged_into', nullable: true })
  mergedInto!: string | null;

  @ManyToOne(() => UserEntity)
  @JoinColumn({ name: 'merged_into', foreignKeyConstraintName: 'users_merged_into_fkey' })
  mergedIntoUser?: UserEntity | null;

  /** When the user is erased, at their own request, unless they cancel it. */
  @Column({ type: 'timestamptz', name: 'deletion_at', nullable: true })
  deletionAt!: Date | null;

  /** With country code, e.g. `+8613800000000`; from WeChat alone, and never a key that joins people. */
  @Column({ type: 'text', name: 'phone_number', nullable: true })
  phoneNumber!: string | null;

  @Column({ type: 'timestamptz', name: 'phone_verified_at', nullable: true })
  phoneVerifiedAt!: Date | null;

  @CreateDateColumn({ type: 'timestamptz', name: 'created_at', default: () => 'now()' })
  createdAt!: Date;

  @UpdateDateColumn({ type: 'timestamptz', name: 'updated_at', default: () => 'now()' })
  updatedAt!: Date;
}

/**
 * A row of `iam.barred_subjects`: an identity or a unionid that a ban covers. Triggers write it when a user is disabled,
 * remove it when they are enabled, and refuse the subject to other users; it outlives the user (docs/decisions/0032).
 */
@Entity({ schema: 'iam', name: 'barred_subjects' })
@Check('barred_subjects_kind_check', "kind IN ('identity', 'union')")
export class BarredSubjectEntity {
  /** By `iam.subject_hash`: the subject itself is deleted with the user. */
  @PrimaryColumn({ type: 'text', name: 'subject_hash' })
  subjectHash!: string;

  @Column({ type: 'text' })
  kind!: 'identity' | 'union';

  /** The user who was disabled; no reference, since they may have been erased. */
  @Index('barred_subjects_user_id_idx')
  @Column({ type: 'uuid', name: 'user_id' })
  userId!: string;

  @CreateDateColumn({ type: 'timestamptz', name: 'created_at', default: () => 'now()' })
  createdAt!: Date;
}
