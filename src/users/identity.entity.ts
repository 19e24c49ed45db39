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

  /** The one that WeChat showed last, with its scope; `iam.identity_unions` has every scope in which it was shown. */
  @Column({ type: 'text', nullable: true })
  unionid!: string | null;

  /** When nickname and avatar were last read from WeChat. */
  @Column({ type: 'timestamptz', name: 'profile_read_at', nullable: true })
  profileReadAt!: Date | null;

  /** Follows the Official Account; null as long as no event has said so. */
  @Column({ type: 'boolean', nullable: true })
  follows!: boolean | null;

  /** `CreateTime` of the event that `follows` comes from: an older one changes nothing. */
  @Column({ type: 'timestamptz', name: 'follow_changed_at', nullable: true })
  followChangedAt!: Date | null;

  /** `CreateTime` of the last withdrawal of all that the app may do: what WeChat proved before signs nobody in. */
  @Column({ type: 'timestamptz', name: 'withdrawn_at', nullable: true })
  withdrawnAt!: Date | null;

  @CreateDateColumn({ type: 'timestamptz', name: 'created_at', default: () => 'now()' })
  createdAt!: Date;
}
