import { CreateDateColumn, Entity, Index, JoinColumn, ManyToOne, PrimaryColumn } from 'typeorm';
import { UserEntity } from '../users/user.entity.js';
import { RoleEntity } from './role.entity.js';

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
