import {
  Column,
  CreateDateColumn,
  Entity,
  Index,
  JoinColumn,
  ManyToOne,
  PrimaryColumn,
  Unique,
} from 'typeorm';
import { UserEntity } from '../users/user.entity.js';

/** A row of `iam.sessions`: one per sign-in, however often its refresh token rotates. */
@Entity({ schema: 'iam', name: 'sessions' })
@Unique('sessions_login_id_key', ['loginId'])
@Index('sessions_client_id_idx', ['clientId', 'id'])
@Index('sessions_provider_idx', ['provider', 'id'])
@Index('sessions_method_idx', ['method', 'id'])
@Index('sessions_live_openid_idx', ['openid'], { where: '(ended_at IS NULL)' })
export class SessionEntity {
  /** `sid` of access tokens. */
  @PrimaryColumn({ type: 'uuid' })
  id!: string;

  @Index('sessions_user_id_idx')
  @Column({ type: 'uuid', name: 'user_id' })
  userId!: string;

  @ManyToOne(() => UserEntity)
  @JoinColumn({ name: 'user_id', foreignKeyConstraintName: 'sessions_user_id_fkey' })
  user?: UserEntity;

  @Column({ type: 'text', name: 'client_id' })
  clientId!: string;

  /** The sign-in attempt it came from; a code used twice ends it (RFC 6749 §4.1.2). */
  @Column({ type: 'uuid', name: 'login_id' })
  loginId!: string;

  @Column({ type: 'text' })
  provider!: string;

  /** `open`, `mp`, `follow`, `mini` or `mobile`. */
  @Column({ type: 'text' })
  method!: string;

  @Column({ type: 'text' })
  appid!: string;

  @Column({ type: 'text' })
  openid!: string;

  /** How often the refresh token has rotated; the live token is the one of this generation. */
  @Column({ type: 'integer', default: 0 })
  generation!: number;

  @Column({ type: 'timestamptz', name: 'rotated_at', nullable: true })
  rotatedAt!: Date | null;

  /** How often the parent token was accepted again within the grace. */
  @Column({ type: 'integer', name: 'grace_uses', default: 0 })
  graceUses!: number;

  @Column({ type: 'text', nullable: true })
  ip!: string | null;

  @Column({ type: 'text', name: 'user_agent', nullable: true })
  userAgent!: string | null;

  @CreateDateColumn({ type: 'timestamptz', name: 'created_at', default: () => 'now()' })
  createdAt!: Date;

  @Column({ type: 'timestamptz', name: 'idle_expires_at' })
  idleExpiresAt!: Date;

  @Index('sessions_expires_at_idx')
  @Column({ type: 'timestamptz', name: 'expires_at' })
  expiresAt!: Date;

  @Column({ type: 'timestamptz', name: 'ended_at', nullable: true })
  endedAt!: Date | null;

  @Column({ type: 'text', name: 'end_reason', nullable: true })
  endReason!: string | null;
}
