import { Check, Column, CreateDateColumn, Entity, Index, PrimaryColumn } from 'typeorm';

/**
 * A row of `iam.barred_subjects`: an identity or a unionid that a ban covers. Triggers write it when a user is disabled,
 * remove it when they are enabled, and refuse the subject to anybody else; it outlives the user (docs/decisions/0032).
 */
@Entity({ schema: 'iam', name: 'barred_subjects' })
@Check('barred_subjects_kind_check', "kind IN ('identity', 'union')")
export class BarredSubjectEntity {
  /** What `iam.subject_hash` makes of it: the text itself is forgotten with the user. */
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
