import { Column, Entity, PrimaryColumn } from 'typeorm';

/**
 * A row of `iam.accepted_secrets`: the AppSecret with which WeChat last exchanged a code of a website or mobile app. It belongs to
 * the app, not to the provider rows that have it.
 */
@Entity({ schema: 'iam', name: 'accepted_secrets' })
export class AcceptedSecretEntity {
  @PrimaryColumn({ type: 'text' })
  appid!: string;

  /** What `pairOf` makes of AppID and AppSecret. */
  @Column({ type: 'text' })
  pair!: string;

  @Column({ type: 'timestamptz', name: 'accepted_at', default: () => 'now()' })
  acceptedAt!: Date;
}
