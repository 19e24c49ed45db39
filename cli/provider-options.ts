import type { IdentityProviderChanges } from '../src/identity-providers/identity-provider.input.js';
import { secretColumns, secretProperties } from '../src/identity-providers/secret-columns.js';
import type { OptionSpec } from './command.js';
import { secretInArguments, SOURCE } from './secret-source.js';

type SecretColumn = (typeof secretColumns)[keyof typeof secretColumns];
type PlainColumn = Exclude<keyof IdentityProviderChanges, SecretColumn>;

const plain: Readonly<Record<PlainColumn, OptionSpec>> = {
  name: { value: 'TEXT', summary: 'shown to people (default: the slug)' },
  enabled: { value: 'true|false', summary: 'default true' },
  sign_up: {
    value: 'auto|bind|off',
    summary: 'a person not seen before: a new user, an account of yours, or refused',
  },
  open_app_id: { value: 'ID', summary: 'Open Platform website app (开放平台网站应用)' },
  mp_app_id: { value: 'ID', summary: 'Official Account (服务号)' },
  mp_scope: { value: 'SCOPE', summary: 'snsapi_userinfo (default) or snsapi_base' },
  mp_message_mode: { value: 'MODE', summary: 'safe (default), compatible or plain' },
  qr_enabled: { value: 'true|false', summary: 'follow-to-login on PCs (default false)' },
  qr_login_with: { value: 'mp|open', summary: 'what follows the scan (default mp)' },
  qr_confirmation: { value: 'HOW', summary: 'tap (default), number or none' },
  mini_app_id: { value: 'ID', summary: 'mini program (小程序)' },
  mobile_app_id: { value: 'ID', summary: 'mobile app (移动应用)' },
  union_scope: { value: 'TEXT', summary: 'rows of one Open Platform account share it (default: the slug)' },
};

/** The columns that hold a secret. */
export const secretColumnNames: readonly SecretColumn[] = secretProperties.map(
  (property) => secretColumns[property],
);

const isPlainColumn = (column: string): column is PlainColumn => Object.hasOwn(plain, column);

/** The option of a column that is no secret, e.g. `mp-app-id` of `mp_app_id`; null for any other. */
export function plainColumnOf(option: string): PlainColumn | null {
  const column = option.replaceAll('-', '_');
  return isPlainColumn(column) ? column : null;
}

/** The column of `mp-app-secret-from`; null for any other option. */
export function secretColumnOf(option: string): SecretColumn | null {
  return secretColumnNames.find((column) => option === `${optionOf(column)}-from`) ?? null;
}

/** One option a column; secrets by the place where they are. */
export const providerOptions: Readonly<Record<string, OptionSpec>> = {
  ...Object.fromEntries(Object.entries(plain).map(([column, spec]) => [optionOf(column), spec])),
  ...Object.fromEntries(
    secretColumnNames.map((column) => [
      `${optionOf(column)}-from`,
      { value: SOURCE, summary: `where ${column} is` },
    ]),
  ),
  from: {
    value: SOURCE,
    summary: 'where a JSON object is, keys as the columns, secrets in clear; `-` is all of standard input',
  },
};

/** Explains why there is no `--mp-app-secret VALUE`. */
export function refuseSecretOption(option: string | null): string | null {
  const secret = secretColumnNames.map(optionOf).find((each) => each === option?.replaceAll('_', '-'));
  return secret === undefined ? null : secretInArguments(`${secret}-from`);
}

function optionOf(column: string): string {
  return column.replaceAll('_', '-');
}
