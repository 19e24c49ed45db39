import { Column, Entity, Index, PrimaryColumn } from 'typeorm';

/** A row of `iam.refusals`: refusals of one kind in one hour, until the clean-up makes an audit entry of those that have none. */
@Entity({ schema: 'iam', name: 'refusals' })
@Index('refusals_hour_idx', ['hour'])
export class RefusalEntity {
  /** SHA-256 of what makes refusals alike: action, address, app, reason… */
  @PrimaryColumn({ type: 'text' })
  key!: string;

  @PrimaryColumn({ type: 'timestamptz' })
  hour!: Date;

  @Column({ type: 'integer', default: 1 })
  count!: number;

  @Column({ type: 'timestamptz', name: 'first_at', default: () => 'now()' })
  firstAt!: Date;

  @Column({ type: 'timestamptz', name: 'last_at', default: () => 'now()' })
  lastAt!: Date;

  @Column({ type: 'text' })
  action!: string;

  @Column({ type: 'uuid', name: 'user_id', nullable: true })
  userId!: string | null;

  @Column({ type: 'text', name: 'client_id', nullable: true })
  clientId!: string | null;

  @Column({ type: 'text', nullable: true })
  provider!: string | null;

  /** The address, or the IPv6 network that counts as one. */
  @Column({ type: 'text', nullable: true })
  ip!: string | null;

  @Column({ type: 'jsonb' })
  detail!: Record<string, unknown>;
}
