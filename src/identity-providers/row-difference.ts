import type { Sealer } from '../crypto/sealer.js';
import type { IdentityProviderEntity } from './identity-provider.entity.js';
import type { IdentityProviderChanges } from './provider-columns.js';
import {
  openSecret,
  secretColumns,
  secretContext,
  secretProperties,
  type SecretProperty,
} from './provider-secrets.js';

const plainColumns = {
  name: 'name',
  enabled: 'enabled',
  signUp: 'sign_up',
  openAppId: 'open_app_id',
  mpAppId: 'mp_app_id',
  mpScope: 'mp_scope',
  mpMessageMode: 'mp_message_mode',
  qrEnabled: 'qr_enabled',
  qrLoginWith: 'qr_login_with',
  qrConfirmation: 'qr_confirmation',
  miniAppId: 'mini_app_id',
  mobileAppId: 'mobile_app_id',
  unionScope: 'union_scope',
} as const satisfies Partial<Record<keyof IdentityProviderEntity, keyof IdentityProviderChanges>>;

type PlainProperty = keyof typeof plainColumns;

const plainProperties = Object.keys(plainColumns).filter((key): key is PlainProperty => key in plainColumns);

/** What a change does to a row. */
export interface RowDifference {
  /** The entity properties that change, secrets sealed for this row; empty when nothing does. */
  readonly columns: Pick<Partial<IdentityProviderEntity>, PlainProperty | SecretProperty>;
  /** For the audit log: old and new values by column name, and of secrets that they changed. */
  readonly changed: Readonly<Record<string, { readonly from: unknown; readonly to: unknown }>>;
  readonly secrets: Readonly<Record<string, 'set' | 'replaced' | 'cleared'>>;
}

/** Compares a row with what it is to hold; a secret that is given again in clear is no change. */
export function differenceOf(
  row: Partial<IdentityProviderEntity> & Pick<IdentityProviderEntity, 'id'>,
  input: IdentityProviderChanges,
  sealer: Sealer,
): RowDifference {
  const plain = plainProperties.flatMap((property) => {
    const to = input[plainColumns[property]];
    const from = row[property] ?? null;
    return to === undefined || to === from ? [] : [{ property, from, to }];
  });
  const secrets = secretProperties.flatMap((property) => {
    const to = input[secretColumns[property]];
    return to === undefined || isSame(row, property, { to, sealer }) ? [] : [{ property, to }];
  });
  const columns: readonly (readonly [string, string | boolean | null])[] = [
    ...plain.map(({ property, to }) => [property, to] as const),
    ...secrets.map(
      ({ property, to }) => [property, to && sealer.seal(to, secretContext(row.id, property))] as const,
    ),
  ];
  return {
    columns: Object.fromEntries(columns),
    changed: Object.fromEntries(
      plain.map(({ property, from, to }) => [plainColumns[property], { from, to }]),
    ),
    secrets: Object.fromEntries(
      secrets.map(({ property, to }) => [secretColumns[property], changeOf(row[property] ?? null, to)]),
    ),
  };
}

/** The columns that say whose messages and sign-ins are believed; the others say what happens to them. */
const trustColumns: ReadonlySet<string> = new Set<keyof IdentityProviderChanges>([
  'open_app_id',
  'mp_app_id',
  'mini_app_id',
  'mobile_app_id',
  'mp_message_mode',
  'union_scope',
]);

/**
 * What of a change takes `iam:providers:secrets`. A secret does so even where it is the one that is stored: else the answer would
 * tell whether a guess was right.
 */
export function trustedIn({ changed }: RowDifference, input: IdentityProviderChanges): string[] {
  const secrets = Object.values(secretColumns).filter((column) => input[column] !== undefined);
  return [...Object.keys(changed).filter((column) => trustColumns.has(column)), ...secrets];
}

/** True for a difference that is none. */
export function isEmpty({ columns }: RowDifference): boolean {
  return Object.keys(columns).length === 0;
}

/** A secret that does not open is another one than any that is given. */
function isSame(
  row: Partial<IdentityProviderEntity> & Pick<IdentityProviderEntity, 'id'>,
  property: SecretProperty,
  { to, sealer }: { readonly to: string | null; readonly sealer: Sealer },
): boolean {
  const stored = row[property] ?? null;
  if (stored === null || to === null) return stored === to;
  try {
    return openSecret(sealer, { id: row.id, [property]: stored }, property) === to;
  } catch {
    return false;
  }
}

function changeOf(from: string | null, to: string | null): 'set' | 'replaced' | 'cleared' {
  if (to === null) return 'cleared';
  return from === null ? 'set' : 'replaced';
}
