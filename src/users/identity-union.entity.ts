import { Column, Entity, Index, JoinColumn, ManyToOne, PrimaryColumn } from 'typeorm';
import { IdentityEntity } from './identity.entity.js';
import { UnionEntity } from './union.entity.js';

const withItsRow = { onDelete: 'CASCADE', onUpdate: 'CASCADE', deferrable: 'INITIALLY DEFERRED' } as const;

/**
 * A row of `iam.identity_unions`: an identity that carries a unionid of its user in one scope. Triggers write it with the
 * identity and remove a union that nothing carries any more (docs/decisions/0031).
 */
@Entity({ schema: 'iam', name: 'identity_unions' })
@Index('identity_unions_union_idx', ['unionScope', 'unionid'])
export class IdentityUnionEntity {
  @PrimaryColumn({ type: 'uuid', name: 'identity_id' })
  identityId!: string;

  @PrimaryColumn({ type: 'text', name: 'union_scope' })
  unionScope!: string;

  @Column({ type: 'text' })
  unionid!: string;

  @Column({ type: 'uuid', name: 'user_id' })
  userId!: string;

  @ManyToOne(() => IdentityEntity, withItsRow)
  @JoinColumn([
    {
      name: 'identity_id',
      referencedColumnName: 'id',
      foreignKeyConstraintName: 'identity_unions_identity_fkey',
    },
    { name: 'user_id', referencedColumnName: 'userId' },
  ])
  identity?: IdentityEntity;

  @ManyToOne(() => UnionEntity, withItsRow)
  @JoinColumn([
    {
      name: 'union_scope',
      referencedColumnName: 'unionScope',
      foreignKeyConstraintName: 'identity_unions_union_fkey',
    },
    { name: 'unionid', referencedColumnName: 'unionid' },
    { name: 'user_id', referencedColumnName: 'userId' },
  ])
  union?: UnionEntity;
}
