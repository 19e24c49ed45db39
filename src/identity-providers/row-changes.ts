import type { Sealer } from '../crypto/sealer.js';
import { IdentityProviderEntity } from './identity-provider.entity.js';
import {
  factsOf,
  plainColumnNames,
  secretColumnNames,
  type IdentityProviderChanges,
  type SecretColumn,
  type StoredColumns,
} from './provider-columns.js';
import { openSecret, secretContext } from './provider-secrets.js';
import type { EntityManager } from 'typeorm';
import type { Secret } from '../crypto/secret.js';
import { sql, queryRows } from '../database/sql.js';
import { IamError, wrongMember } from '../errors/iam.error.js';
import { appsOf, type IdentityProvider, readRow } from './identity-provider.js';
import { z } from 'zod';

/** A row; of a new one only its id. */
type KnownRow = Partial<IdentityProviderEntity> & Pick<IdentityProviderEntity, 'id'>;

/** The effect of a change on a row. */
interface RowDifference {
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
 * True for a change that takes `iam:providers:secrets`. A secret does so even where it is the one that is stored: else the
 * response would tell whether a guess was right.
 */
export function touchesTrust({ changed }: RowDifference, input: IdentityProviderChanges): boolean {
  return (
    plainColumnNames.some((name) => name in changed && factsOf(name).isTrusted === true) ||
    secretColumnNames.some((name) => input[name] !== undefined)
  );
}

/** True where nothing changes. */
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

/**
 * Refuses a row whose columns contradict each other: only following leads on to the Open Platform, and only to follow an account
 * is a consent by itself. @throws IamError `invalid_request` that names the columns
 */
export function refuseContradictions(row: Partial<StoredColumns>): void {
  const { qr_with = 'follow', qr_login_with = 'mp', qr_confirmation = 'tap' } = row;
  if (qr_with === 'follow') return;
  if (qr_login_with === 'open')
    throw wrongMember('qr_login_with', `"open" does not go with qr_with "${qr_with}"`);
  if (qr_confirmation === 'none')
    throw wrongMember('qr_confirmation', `"none" does not go with qr_with "${qr_with}"`);
}

function changeOf(from: string | null, to: string | null): 'set' | 'replaced' | 'cleared' {
  if (to === null) return 'cleared';
  return from === null ? 'set' : 'replaced';
}

/**
 * True for two rows that take pushes for this app and cannot both be right: WeChat knows one Token and one EncodingAESKey per
 * app. While they change, the current value of one row is among the values of the other.
 */
export function haveRivalKeys(one: IdentityProvider, other: IdentityProvider, appid: string): boolean {
  const takesPushes = (row: IdentityProvider) =>
    row.mpServer.tokens.length > 0 && appsOf(row).some((app) => app.appid === appid);
  if (!takesPushes(one) || !takesPushes(other)) return false;
  return (
    areRivals(one.mpServer.tokens, other.mpServer.tokens) ||
    areRivals(one.mpServer.encodingAesKeys, other.mpServer.encodingAesKeys)
  );
}

function areRivals(one: readonly Secret[], other: readonly Secret[]): boolean {
  const [current, otherCurrent] = [one[0], other[0]];
  if (current === undefined || otherCurrent === undefined) return false;
  const holds = (secrets: readonly Secret[], value: Secret) =>
    secrets.some((secret) => secret.reveal() === value.reveal());
  return !holds(other, current) && !holds(one, otherCurrent);
}

/** The first row that shares an app with this one and holds other keys for it. */
export function findRival(
  row: IdentityProvider,
  others: readonly IdentityProvider[],
): IdentityProvider | undefined {
  const appids = appsOf(row).map(({ appid }) => appid);
  return others.find(
    (other) => other.id !== row.id && appids.some((appid) => haveRivalKeys(row, other, appid)),
  );
}

/**
 * Refuses a row, of all as written in this transaction, whose keys are not those of another row with the same app. Sealed values cannot
 * be compared by the database. A row that cannot be read takes no pushes and is no rival.
 * @throws IamError `provider_keys_differ` that names the other row
 */
export function refuseRivals(rows: readonly IdentityProvider[], slug: string): void {
  const own = rows.find((row) => row.slug === slug);
  const rival = own === undefined ? undefined : findRival(own, rows);
  if (rival === undefined) return;
  throw new IamError(
    'provider_keys_differ',
    `"${slug}" and "${rival.slug}" share an app and differ in keys`,
    { members: { provider: rival.slug } },
  );
}

/** Every row that can be read, as this transaction sees it. */
export async function readRows(manager: EntityManager, sealer: Sealer): Promise<IdentityProvider[]> {
  const rows = await manager.find(IdentityProviderEntity, { order: { slug: 'ASC' } });
  return rows.flatMap((row) => tryRead(row, sealer) ?? []);
}

/** Null for a row that cannot be read. */
export function tryRead(row: IdentityProviderEntity, sealer: Sealer): IdentityProvider | null {
  try {
    return readRow(row, sealer);
  } catch {
    return null;
  }
}

/**
 * Refuses a change, as written in this transaction, after which what WeChat withdraws reaches no row for an app that people are
 * linked by. `before` is the row that changes or goes, null when it could not be read; `after` are all rows. A new AppSecret, Token or key goes on taking pushes; a row that took none before loses none.
 * @throws IamError `in_use` with the apps
 */
export async function refuseLostPushes(
  manager: EntityManager,
  before: IdentityProvider | null,
  after: readonly IdentityProvider[],
): Promise<void> {
  const heard = new Set(after.flatMap(heardApps));
  const lost = before === null ? [] : heardApps(before).filter((appid) => !heard.has(appid));
  if (lost.length === 0) return;
  const usedSql = sql`SELECT DISTINCT appid FROM iam.identities WHERE appid = ANY (${lost})`;
  const used = await queryRows(manager, appidRow, usedSql);
  if (used.length === 0) return;
  const apps = used
    .map(({ appid }) => appid)
    .sort()
    .join(' ');
  throw new IamError('in_use', `no other row takes the withdrawals of the people of ${apps}`, {
    members: { used_by: 'withdrawals', apps },
  });
}

const appidRow = z.object({ appid: z.string() });

/** The apps whose pushes a row takes, enabled or not. */
function heardApps(row: IdentityProvider): string[] {
  const { mode, tokens, encodingAesKeys } = row.mpServer;
  const takesPushes = tokens.length > 0 && (mode === 'plain' || encodingAesKeys.length > 0);
  return takesPushes ? appsOf(row).map(({ appid }) => appid) : [];
}
