import { Check, Column, CreateDateColumn, Entity, PrimaryColumn, Unique, UpdateDateColumn } from 'typeorm';

/** A row of `iam.identity_providers`: one WeChat set-up (design section 3). Secret columns hold sealed text or `plain:…`. */
@Entity({ schema: 'iam', name: 'identity_providers' })
@Unique('identity_providers_slug_key', ['slug'])
@Check('identity_providers_slug_check', "slug ~ '^[a-z0-9][a-z0-9_-]{0,62}$'")
@Check('identity_providers_sign_up_check', "sign_up IN ('auto', 'bind', 'off')")
@Check('identity_providers_mp_scope_check', "mp_scope IN ('snsapi_userinfo', 'snsapi_base')")
@Check('identity_providers_mp_message_mode_check', "mp_message_mode IN ('safe', 'compatible', 'plain')")
@Check('identity_providers_qr_login_with_check', "qr_login_with IN ('mp', 'open')")
@Check('identity_providers_qr_confirmation_check', "qr_confirmation IN ('tap', 'number', 'none')")
export class IdentityProviderEntity {
  /** TypeORM drops the casts; a bare `gen_random_uuid()` it would take for a column of its own making and try to change. */
  @PrimaryColumn({ type: 'uuid', default: () => '((gen_random_uuid()))' })
  id!: string;

  @Column({ type: 'text' })
  slug!: string;

  @Column({ type: 'text' })
  name!: string;

  @Column({ type: 'boolean', default: true })
  enabled!: boolean;

  @Column({ type: 'text', name: 'sign_up', default: 'auto' })
  signUp!: string;

  @Column({ type: 'text', name: 'open_app_id', nullable: true })
  openAppId!: string | null;

  @Column({ type: 'text', name: 'open_app_secret', nullable: true })
  openAppSecret!: string | null;

  @Column({ type: 'text', name: 'mp_app_id', nullable: true })
  mpAppId!: string | null;

  @Column({ type: 'text', name: 'mp_app_secret', nullable: true })
  mpAppSecret!: string | null;

  @Column({ type: 'text', name: 'mp_scope', default: 'snsapi_userinfo' })
  mpScope!: string;

  @Column({ type: 'text', name: 'mp_token', nullable: true })
  mpToken!: string | null;

  @Column({ type: 'text', name: 'mp_token_previous', nullable: true })
  mpTokenPrevious!: string | null;

  @Column({ type: 'text', name: 'mp_encoding_aes_key', nullable: true })
  mpEncodingAesKey!: string | null;

  @Column({ type: 'text', name: 'mp_encoding_aes_key_previous', nullable: true })
  mpEncodingAesKeyPrevious!: string | null;

  @Column({ type: 'text', name: 'mp_message_mode', default: 'safe' })
  mpMessageMode!: string;

  @Column({ type: 'boolean', name: 'qr_enabled', default: false })
  qrEnabled!: boolean;

  @Column({ type: 'text', name: 'qr_login_with', default: 'mp' })
  qrLoginWith!: string;

  @Column({ type: 'text', name: 'qr_confirmation', default: 'tap' })
  qrConfirmation!: string;

  @Column({ type: 'text', name: 'mini_app_id', nullable: true })
  miniAppId!: string | null;

  @Column({ type: 'text', name: 'mini_app_secret', nullable: true })
  miniAppSecret!: string | null;

  @Column({ type: 'text', name: 'mobile_app_id', nullable: true })
  mobileAppId!: string | null;

  @Column({ type: 'text', name: 'mobile_app_secret', nullable: true })
  mobileAppSecret!: string | null;

  /** Which Open Platform account the apps are bound to; null means the slug. */
  @Column({ type: 'text', name: 'union_scope', nullable: true })
  unionScope!: string | null;

  /** Which pairs WeChat has confirmed: see `readConfirmations`. */
  @Column({ type: 'jsonb', default: () => "'{}'" })
  confirmations!: unknown;

  @CreateDateColumn({ type: 'timestamptz', name: 'created_at', default: () => 'now()' })
  createdAt!: Date;

  @UpdateDateColumn({ type: 'timestamptz', name: 'updated_at', default: () => 'now()' })
  updatedAt!: Date;
}
