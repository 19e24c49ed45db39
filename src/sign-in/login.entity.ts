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
import { UserEntity } from '../users/user.entity.js';

/**
 * `pending`: claimed and WeChat is being asked, or a QR code waits to be scanned. `scanned`: the first follower has
 * scanned it. `confirmed`: and has agreed on the phone. `authenticated`: a one-time code may be redeemed. `binding`: a binding
 * token may be redeemed. `consumed`, `denied`, `failed`, `expired` are final.
 */
export type LoginStatus =
  | 'pending'
  | 'scanned'
  | 'confirmed'
  | 'authenticated'
  | 'binding'
  | 'consumed'
  | 'denied'
  | 'failed'
  | 'expired';

/** A row of `iam.logins`: one claimed callback (a redirect sign-in stores nothing before that) or one device authorization. */
@Entity({ schema: 'iam', name: 'logins' })
@Unique('logins_state_hash_key', ['stateHash'])
@Unique('logins_wechat_code_hash_key', ['wechatCodeHash'])
@Unique('logins_scene_hash_key', ['sceneHash'])
@Unique('logins_user_code_hash_key', ['userCodeHash'])
@Index('logins_status_idx', ['status', 'id'])
@Index('logins_error_idx', ['error', 'id'], { where: '(error IS NOT NULL)' })
@Index('logins_provider_idx', ['provider', 'id'])
@Index('logins_openid_idx', ['openid'], {
  where: '((openid IS NOT NULL) AND ((user_id IS NULL) OR (link_session_id IS NOT NULL)))',
})
@Index('logins_scanner_idx', ['openid', 'provider'], { where: `(status = 'scanned'::text)` })
@Check(
  'logins_status_check',
  "status IN ('pending', 'authenticated', 'binding', 'consumed', 'denied', 'failed', 'expired', 'scanned', 'confirmed')",
)
@Check('logins_confirmation_check', "confirmation IN ('tap', 'number', 'none')")
@Check(
  'logins_link_check',
  "link_session_id IS NULL OR (user_id IS NOT NULL AND status NOT IN ('authenticated', 'binding'))",
)
@Check(
  'logins_asked_check',
  "confirmation IS DISTINCT FROM 'none' OR (link_session_id IS NULL AND status <> 'binding')",
)
export class LoginEntity {
  @PrimaryColumn({ type: 'uuid' })
  id!: string;

  /** SHA-256 of `state`: claiming it twice violates the constraint. */
  @Column({ type: 'text', name: 'state_hash', nullable: true })
  stateHash!: string | null;

  /** SHA-256 of appid and WeChat's code: a code seen before is refused, whatever state brings it. */
  @Column({ type: 'text', name: 'wechat_code_hash', nullable: true })
  wechatCodeHash!: string | null;

  /** SHA-256 of the QR code's scene. */
  @Column({ type: 'text', name: 'scene_hash', nullable: true })
  sceneHash!: string | null;

  /** SHA-256 of the state of the attempt whose page asked for the QR code; several codes may be one attempt's. */
  @Column({ type: 'text', name: 'attempt_hash', nullable: true })
  attemptHash!: string | null;

  @Column({ type: 'text' })
  status!: LoginStatus;

  /** Our error code when `denied` or `failed`. */
  @Column({ type: 'text', nullable: true })
  error!: string | null;

  @Column({ type: 'text' })
  provider!: string;

  @Column({ type: 'text' })
  method!: string;

  @Column({ type: 'text' })
  appid!: string;

  @Column({ type: 'text', nullable: true })
  openid!: string | null;

  @Column({ type: 'text', name: 'client_id' })
  clientId!: string;

  @Column({ type: 'text', name: 'redirect_uri', nullable: true })
  redirectUri!: string | null;

  @Column({ type: 'text', name: 'code_challenge', nullable: true })
  codeChallenge!: string | null;

  @Index('logins_user_id_idx')
  @Column({ type: 'uuid', name: 'user_id', nullable: true })
  userId!: string | null;

  @ManyToOne(() => UserEntity)
  @JoinColumn({ name: 'user_id', foreignKeyConstraintName: 'logins_user_id_fkey' })
  user?: UserEntity | null;

  /** The identity that a signed-in user linked by this attempt, which then begins no session. */
  @Column({ type: 'uuid', name: 'linked_identity_id', nullable: true })
  linkedIdentityId!: string | null;

  /** The session in which `user_id` asked for this scan to link an identity by; the database keeps it from signing in. */
  @Column({ type: 'uuid', name: 'link_session_id', nullable: true })
  linkSessionId!: string | null;

  @Column({ type: 'boolean', name: 'is_new_user', default: false })
  isNewUser!: boolean;

  /** The number that the PC shows, which the follower types with `qr_confirmation = number`. */
  @Column({ type: 'text', name: 'user_code', nullable: true })
  userCode!: string | null;

  /** MAC of the code that a person types on the device page; only a device authorization has one. */
  @Column({ type: 'text', name: 'user_code_hash', nullable: true })
  userCodeHash!: string | null;

  /** What the phone must do, as the row said when the QR code was asked for: the PC says the same. */
  @Column({ type: 'text', nullable: true })
  confirmation!: 'tap' | 'number' | 'none' | null;

  @Column({ type: 'integer', name: 'number_tries', default: 0 })
  numberTries!: number;

  @Column({ type: 'timestamptz', name: 'scanned_at', nullable: true })
  scannedAt!: Date | null;

  @Column({ type: 'timestamptz', name: 'confirmed_at', nullable: true })
  confirmedAt!: Date | null;

  /** What WeChat proved, kept until a person without user is bound to one. */
  @Column({ type: 'jsonb', nullable: true })
  subject!: Record<string, unknown> | null;

  @Column({ type: 'text', nullable: true })
  ip!: string | null;

  @Column({ type: 'text', name: 'user_agent', nullable: true })
  userAgent!: string | null;

  @CreateDateColumn({ type: 'timestamptz', name: 'created_at', default: () => 'now()' })
  createdAt!: Date;

  /** When the QR code, the code or the binding token stops working. */
  @Column({ type: 'timestamptz', name: 'redeem_before', nullable: true })
  redeemBefore!: Date | null;

  /** When the page that shows the QR code gives up: no scan keeps the login for longer. */
  @Column({ type: 'timestamptz', name: 'attempt_ends_at', nullable: true })
  attemptEndsAt!: Date | null;

  /** When the row may be removed. */
  @Index('logins_expires_at_idx')
  @Column({ type: 'timestamptz', name: 'expires_at' })
  expiresAt!: Date;
}
