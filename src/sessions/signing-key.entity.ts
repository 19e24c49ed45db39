import { Column, CreateDateColumn, Entity, PrimaryColumn, Unique } from 'typeorm';

/** A row of `iam.signing_keys`. The unique `generation` lets one of many starting replicas create the first key. */
@Entity({ schema: 'iam', name: 'signing_keys' })
@Unique('signing_keys_generation_key', ['generation'])
export class SigningKeyEntity {
  @PrimaryColumn({ type: 'text' })
  kid!: string;

  @Column({ type: 'integer' })
  generation!: number;

  @Column({ type: 'text' })
  algorithm!: string;

  @Column({ type: 'jsonb', name: 'public_jwk' })
  publicJwk!: Record<string, unknown>;

  /** Sealed private JWK. */
  @Column({ type: 'text', name: 'private_jwk' })
  privateJwk!: string;

  /** Signs from this time on; published in the JWKS before, so that whoever caches it knows the key in time. */
  @Column({ type: 'timestamptz', name: 'active_at', default: () => 'now()' })
  activeAt!: Date;

  /** Verifies until this time; null for the newest key. */
  @Column({ type: 'timestamptz', name: 'retires_at', nullable: true })
  retiresAt!: Date | null;

  @CreateDateColumn({ type: 'timestamptz', name: 'created_at', default: () => 'now()' })
  createdAt!: Date;
}
