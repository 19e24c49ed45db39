import { Column, Entity, Index, PrimaryColumn } from 'typeorm';

/** A row of `iam.rate_limits`: a counter of rate-limiter-flexible, whose column names these are. */
@Entity({ schema: 'iam', name: 'rate_limits' })
@Index('rate_limits_expire_idx', ['expire'])
export class RateLimitEntity {
  @PrimaryColumn({ type: 'text' })
  key!: string;

  @Column({ type: 'integer', default: 0 })
  points!: number;

  /** Milliseconds since the epoch. */
  @Column({ type: 'bigint', nullable: true })
  expire!: string | null;
}
