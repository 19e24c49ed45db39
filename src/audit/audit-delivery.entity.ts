import { Column, Entity, PrimaryColumn } from 'typeorm';

/** The one row of `iam.audit_delivery`: whether entries are kept for a sink, and which replica gives them to it. */
@Entity({ schema: 'iam', name: 'audit_delivery' })
export class AuditDeliveryEntity {
  @PrimaryColumn({ type: 'text' })
  sink!: string;

  /** Entries are kept for the sink until then; every delivering replica puts it off. */
  @Column({ type: 'timestamptz', name: 'subscribed_until' })
  subscribedUntil!: Date;

  /** Who delivers. */
  @Column({ type: 'uuid', name: 'lease_token', nullable: true })
  leaseToken!: string | null;

  /** From then on another replica may. */
  @Column({ type: 'timestamptz', name: 'lease_until', default: () => 'now()' })
  leaseUntil!: Date;
}
