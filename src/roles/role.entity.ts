import { Column, CreateDateColumn, Entity, PrimaryColumn, Index, JoinColumn, ManyToOne } from 'typeorm';
import { UserEntity } from '../users/user.entity.js';

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

/** A row of `iam.user_roles`: a role that a user holds. */
@Entity({ schema: 'iam', name: 'user_roles' })
@Index('user_roles_role_idx', ['role', 'userId'])
export class UserRoleEntity {
  @PrimaryColumn({ type: 'uuid', name: 'user_id' })
  userId!: string;

  @PrimaryColumn({ type: 'text' })
  role!: string;

  @ManyToOne(() => UserEntity)
  @JoinColumn({ name: 'user_id', foreignKeyConstraintName: 'user_roles_user_id_fkey' })
  user?: UserEntity;

  @ManyToOne(() => RoleEntity)
  @JoinColumn({ name: 'role', foreignKeyConstraintName: 'user_roles_role_fkey' })
  roleEntity?: RoleEntity;

  @CreateDateColumn({ type: 'timestamptz', name: 'created_at', default: () => 'now()' })
  createdAt!: Date;
}
