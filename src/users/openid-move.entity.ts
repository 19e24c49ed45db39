import { Check, Column, CreateDateColumn, Entity, JoinColumn, ManyToOne, PrimaryColumn } from 'typeorm';
import { IdentityEntity } from './identity.entity.js';

/**
 * `answered`: nothing has come of it yet. `joined`: the user has the new openid by this. `already_there`: the user had it.
 * `second_user`: another user has it. `barred`: a ban of somebody else covers it. `not_follower`: WeChat has none.
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
