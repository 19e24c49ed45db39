import type { Sealer } from '../crypto/sealer.js';
import type { IdentityProviderEntity } from './identity-provider.entity.js';
import {
  factsOf,
  plainColumnNames,
  secretColumnNames,
  type IdentityProviderChanges,
  type SecretColumn,
  type StoredColumns,
} from './provider-columns.js';
import { openSecret, secretContext } from './provider-secrets.js';

/** A row, or of one to be made its id. */
type KnownRow = Partial<IdentityProviderEntity> & Pick<IdentityProviderEntity, 'id'>;

/** What a change does to a row. */
export interface RowDifference {
  /** The columns that change, secrets sealed for this row; empty when nothing does. */
  readonly columns: Partial<StoredColumns>;
  /** For the audit log: old and new values by column, and of secrets that they changed. */
  readonly changed: Readonly<Record<string, { readonly from: unknown; readonly to: unknown }>>;
  readonly secrets: Readonly<Record<string, 'set' | 'replaced' | 'cleared'>>;
}

/** Compares a row with what it is to hold; a secret that is given again in clear is no change. */
export function differenceOf(row: KnownRow, input: IdentityProviderChanges, sealer: Sealer): RowDifference {
  const plain = plainColumnNames.flatMap((name) => {
    const [from, to] = [row[name] ?? null, input[name]];
    return to === undefined || to === from ? [] : [[name, { from, to }] as const];
  });
  const secrets = secretColumnNames.flatMap((name) => {
    const to = input[name];
    return to === undefined || isSame(row, name, { to, sealer }) ? [] : [[name, to] as const];
  });
  const sealed = secrets.map(
    ([name, to]) => [name, to && sealer.seal(to, secretContext(row.id, name))] as const,
  );
  return {
    columns: Object.fromEntries([...plain.map(([name, { to }]) => [name, to] as const), ...sealed]),
    changed: Object.fromEntries(plain),
    secrets: Object.fromEntries(secrets.map(([name, to]) => [name, changeOf(row[name] ?? null, to)])),
  };
}

/**
 * The columns of a change that take `iam:providers:secrets`. A secret does so even where it is the one that is stored: else the
 * response would tell whether a guess was right.
 */
export function trustedIn({ changed }: RowDifference, input: IdentityProviderChanges): string[] {
  const plain = plainColumnNames.filter((name) => name in changed && factsOf(name).isTrusted === true);
  return [...plain, ...secretColumnNames.filter((name) => input[name] !== undefined)];
}

/** True for a difference that is none. */
export function isEmpty({ columns }: RowDifference): boolean {
  return Object.keys(columns).length === 0;
}

/** A secret that does not open is another one than any that is given. */
function isSame(
  row: KnownRow,
  name: SecretColumn,
  { to, sealer }: { readonly to: string | null; readonly sealer: Sealer },
): boolean {
  const stored = row[name] ?? null;
  if (stored === null || to === null) return stored === to;
  try {
    return openSecret(sealer, row, name) === to;
  } catch {
    return false;
  }
}

function changeOf(from: string | null, to: string | null): 'set' | 'replaced' | 'cleared' {
  if (to === null) return 'cleared';
  return from === null ? 'set' : 'replaced';
}
