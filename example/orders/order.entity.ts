import { Column, CreateDateColumn, Entity, Index, PrimaryGeneratedColumn } from 'typeorm';

/** A row of this shop's own; `userId` is the `id` of `@CurrentUser()`. */
@Entity('orders')
export class Order {
  @PrimaryGeneratedColumn('uuid')
  readonly id!: string;

  @Index()
  @Column('uuid', { name: 'user_id' })
  userId!: string;

  @Column('text')
  tea!: string;

  @CreateDateColumn({ type: 'timestamptz', name: 'created_at' })
  readonly createdAt!: Date;
}
