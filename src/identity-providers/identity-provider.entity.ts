import { Check, Column, CreateDateColumn, Entity, PrimaryColumn, Unique, UpdateDateColumn } from 'typeorm';
import { factsOf, type PlainColumn, type SecretColumn, type StoredColumns } from './provider-columns.js';

/** Maps a column as its line of the table says, with the list of a choice as a CHECK. */
function Plain(target: object, name: PlainColumn): void {
  const { default: initial, options, isNullable } = factsOf(name);
  const type = typeof initial === 'boolean' ? 'boolean' : 'text';
  Column({ type, nullable: isNullable, ...(initial !== undefined && { default: initial }) })(target, name);
  if (options === undefined) return;
  const list = options.map((option) => `'${option}'`).join(', ');
  Check(`identity_providers_${name}_check`, `${name} IN (${list})`)(target, name);
}

function Sealed(target: object, name: SecretColumn): void {
  Column({ type: 'text', nullable: true })(target, name);
}

/** A row of `iam.identity_providers`: one WeChat set-up (design section 3). Its properties have the names of the columns. */
@Entity({ schema: 'iam', name: 'identity_providers' })
@Unique('identity_providers_slug_key', ['slug'])
@Check('identity_providers_slug_check', "slug ~ '^[a-z0-9][a-z0-9_-]{0,62}$'")
export class IdentityProviderEntity implements StoredColumns {
  /** TypeORM drops the casts; a bare `gen_random_uuid()` it would take for a column of its own making and try to change. */
  @PrimaryColumn({ type: 'uuid', default: () => '((gen_random_uuid()))' })
  id!: string;

  @Column({ type: 'text' })
  slug!: string;

  @Plain name!: string;
  @Plain enabled!: boolean;
  @Plain sign_up!: StoredColumns['sign_up'];
  @Plain open_app_id!: string | null;
  @Sealed open_app_secret!: string | null;
  @Plain mp_app_id!: string | null;
  @Sealed mp_app_secret!: string | null;
  @Plain mp_scope!: StoredColumns['mp_scope'];
  @Sealed mp_token!: string | null;
  @Sealed mp_token_previous!: string | null;
  @Sealed mp_encoding_aes_key!: string | null;
  @Sealed mp_encoding_aes_key_previous!: string | null;
  @Plain mp_message_mode!: StoredColumns['mp_message_mode'];
  @Plain qr_enabled!: boolean;
  @Plain qr_login_with!: StoredColumns['qr_login_with'];
  @Plain qr_confirmation!: StoredColumns['qr_confirmation'];
  @Plain mini_app_id!: string | null;
  @Sealed mini_app_secret!: string | null;
  @Plain mobile_app_id!: string | null;
  @Sealed mobile_app_secret!: string | null;
  /** Which Open Platform account the apps are bound to; null means the slug. */
  @Plain union_scope!: string | null;

  /** Which pairs WeChat has confirmed: see `readRow`. */
  @Column({ type: 'jsonb', default: () => "'{}'" })
  confirmations!: unknown;

  @CreateDateColumn({ type: 'timestamptz', default: () => 'now()' })
  created_at!: Date;

  @UpdateDateColumn({ type: 'timestamptz', default: () => 'now()' })
  updated_at!: Date;
}
