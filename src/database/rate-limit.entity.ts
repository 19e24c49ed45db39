import { Column, Entity, Index, PrimaryColumn } from 'typeorm';

/** A row of `iam.rate_limits`: one limit of one address, network or app. `iam.take_points` reads and writes it. */
@Entity({ schema: 'iam', name: 'rate_limits' })
@Index('rate_limits_expire_idx', ['expire'])
export class RateLimitEntity {
  @PrimaryColumn({ type: 'text' })
  key!: string;

  /** Of a window: how many it has given. A bucket is its `expire` alone. */
  @Column({ type: 'integer', default: 0 })
  points!: number;

  /** Milliseconds since the epoch, by PostgreSQL's clock: when the window ends, or when the bucket is full again. */
  @Column({ type: 'double precision', nullable: true })
  expire!: number | null;

  /** Of a window: how many of its points may still come back. */
  @Column({ type: 'integer', default: 0 })
  held!: number;
}
