import { Entity, PrimaryColumn } from 'typeorm';

/**
 * A row of `iam.audit_outbox`: an entry that the host's sink has not been given yet. A trigger fills it, see migrations. No
 * foreign key: it would be checked with every entry, and the clean-up removes both.
 */
@Entity({ schema: 'iam', name: 'audit_outbox' })
export class AuditOutboxEntity {
  @PrimaryColumn({ type: 'uuid' })
  id!: string;
}
