import { Column, CreateDateColumn, Entity, PrimaryColumn } from 'typeorm';

/** A row of `iam.roles`: a name and the permissions it grants, e.g. `orders:refund`. */
@Entity({ schema: 'iam', name: 'roles' })
export class RoleEntity {
  @PrimaryColumn({ type: 'text' })
  name!: string;

  @Column({ type: 'text', array: true, default: () => "'{}'" })
  permissions!: string[];

  @Column({ type: 'text', default: '' })
  description!: string;

  /** Every new user gets it. */
  @Column({ type: 'boolean', name: 'is_default', default: false })
  isDefault!: boolean;

  @CreateDateColumn({ type: 'timestamptz', name: 'created_at', default: () => 'now()' })
  createdAt!: Date;
}
