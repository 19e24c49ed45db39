import {
  Column,
  CreateDateColumn,
  Entity,
  Index,
  JoinColumn,
  ManyToOne,
  PrimaryColumn,
  Unique,
} from 'typeorm';
import { UserEntity } from './user.entity.js';

/**
 * A row of `iam.unions`: who owns a unionid, which means something only within its Open Platform account. It goes with the
 * last identity that carries it (`IdentityUnionEntity`).
 */
@Entity({ schema: 'iam', name: 'unions' })
@Unique('unions_union_user_id_key', ['unionScope', 'unionid', 'userId'])
export class UnionEntity {
  @PrimaryColumn({ type: 'text', name: 'union_scope' })
  unionScope!: string;

  @PrimaryColumn({ type: 'text' })
  unionid!: string;

  @Index('unions_user_id_idx')
  @Column({ type: 'uuid', name: 'user_id' })
  userId!: string;

  @ManyToOne(() => UserEntity)
  @JoinColumn({ name: 'user_id', foreignKeyConstraintName: 'unions_user_id_fkey' })
  user?: UserEntity;

  @CreateDateColumn({ type: 'timestamptz', name: 'created_at', default: () => 'now()' })
  createdAt!: Date;
}
