import { Column, Entity, PrimaryGeneratedColumn } from 'typeorm';

/** An account of the shop's own. Its `id` is the `external_id` of the user who signs in with WeChat. */
@Entity('members')
export class Member {
  @PrimaryGeneratedColumn('uuid')
  readonly id!: string;

  /** Null, like the password, for who came by WeChat and has never chosen one. */
  @Column('text', { unique: true, nullable: true })
  login!: string | null;

  @Column('text', { name: 'password_hash', nullable: true })
  passwordHash!: string | null;

  @Column('text')
  name!: string;

  @Column('boolean', { default: false })
  disabled!: boolean;
}
