import { reasonOf } from '../src/errors/unknown.js';
import { SealError } from '../src/crypto/sealer.js';
import {
  isDatabaseUnavailable,
  isPermissionDenied,
  isSchemaOutdated,
  sqlState,
} from '../src/database/database-errors.js';
import { IamError } from '../src/errors/iam.error.js';

interface ModuleFailure {
  readonly code: string;
  readonly message: string;
  readonly exitCode: 1 | 2;
}

const NO_TABLES = ['3F000', '42P01'];
const MIGRATE_FIRST = 'run `nestjs-wechat-iam migrate` first';

/** By SQLSTATE: what an operator can mend. */
const byState: Readonly<Record<string, ModuleFailure>> = {
  '28P01': wrongUrl(
    'PostgreSQL refuses the password: compare it with that of your application, and escape what a URL does not take (encodeURIComponent)',
  ),
  '28000': wrongUrl(
    'PostgreSQL refuses the user: compare it with that of your application, or let it in by pg_hba.conf',
  ),
  '3D000': wrongUrl('there is no such database: correct its name, or create it with CREATE DATABASE'),
};

const permissionMissing: ModuleFailure = {
  code: 'database_permission_missing',
  message:
    'The database user lacks a right: migrations must create a schema, commands read and write its tables. Use the URL of your application, or GRANT the right as the owner of the tables.',
  exitCode: 1,
};

/** What the module, TypeORM or PostgreSQL's driver has thrown. */
export function describeModuleFailure(error: unknown): ModuleFailure {
  if (error instanceof IamError) return { code: error.code, message: wordsOf(error), exitCode: 1 };
  if (error instanceof SealError)
    return {
      code: 'wrong_key',
      message: `IAM_KEYS does not open what is stored, so it is not the option \`keys\` of the application: ${error.message}`,
      exitCode: 1,
    };
  const known = byState[sqlState(error) ?? ''];
  if (known !== undefined) return known;
  if (isPermissionDenied(error)) return permissionMissing;
  if (isSchemaOutdated(error))
    return missing(
      NO_TABLES.includes(sqlState(error) ?? '')
        ? 'The tables are not there'
        : 'The tables are older than this version',
    );
  if (isDatabaseUnavailable(error)) return unavailable(error);
  return {
    code: 'internal_error',
    message: reasonOf(error),
    exitCode: 1,
  };
}

function wordsOf({ detail, members }: IamError): string {
  // The detail begins with it.
  const others = Object.entries(members).filter(([name]) => name !== 'member');
  const more = others.map(([name, value]) => `${name}: ${value}`);
  return more.length === 0 ? detail : `${detail} (${more.join(', ')})`;
}

/** Node reports a refused connection to several addresses without a message of its own. */
function unavailable(error: unknown): ModuleFailure {
  const reason = error instanceof Error && error.message !== '' ? error.message : (sqlState(error) ?? '');
  return {
    code: 'database_unavailable',
    message: `PostgreSQL does not answer: ${reason}. Is DATABASE_URL right, and the server up?`,
    exitCode: 1,
  };
}

function missing(what: string): ModuleFailure {
  return { code: 'migrations_pending', message: `${what}: ${MIGRATE_FIRST}.`, exitCode: 1 };
}

function wrongUrl(what: string): ModuleFailure {
  return { code: 'environment', message: `DATABASE_URL: ${what}`, exitCode: 2 };
}
