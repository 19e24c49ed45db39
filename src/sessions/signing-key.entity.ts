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

  @CreateDateColumn({ type: 'timestamptz', name: 'created_at', default: () => 'now()' })
  createdAt!: Date;
}
