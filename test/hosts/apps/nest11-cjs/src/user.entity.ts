import { Column, Entity, PrimaryGeneratedColumn } from 'typeorm';

/** The host's own `users`, as it was before it signed anybody in with WeChat. */
@Entity('users')
export class UserEntity {
  @PrimaryGeneratedColumn()
  id!: number;

  @Column({ type: 'text', unique: true })
  name!: string;
}
