import { Column, Entity, JoinColumn, ManyToOne, PrimaryColumn } from 'typeorm';
import { Member } from './member.entity.js';

/** A browser that is signed in by password, as the shop has always done it. */
@Entity('member_sessions')
export class MemberSession {
  /** SHA-256 of what the cookie holds. */
  @PrimaryColumn('text', { name: 'token_hash' })
  tokenHash!: string;

  @ManyToOne(() => Member, { nullable: false, onDelete: 'CASCADE' })
  @JoinColumn({ name: 'member_id' })
  member!: Member;

  @Column('timestamptz', { name: 'expires_at' })
  expiresAt!: Date;
}
