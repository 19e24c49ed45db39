import type { Sealer } from '../crypto/sealer.js';
import type { IdentityProviderEntity } from './identity-provider.entity.js';
import type { IdentityProviderInput } from './identity-provider.input.js';
import { secretColumns, secretContext, secretProperties } from './secret-columns.js';

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
} as const satisfies Partial<Record<keyof IdentityProviderEntity, keyof IdentityProviderInput>>;

/** The given columns of an input as entity properties, secrets sealed for this row; what is left out stays out. */
export function rowColumns(
  rowId: string,
  input: IdentityProviderInput,
  sealer: Sealer,
): Partial<IdentityProviderEntity> {
  const open = Object.entries(plainColumns).map(([property, column]) => [property, input[column]] as const);
  const sealed = secretProperties.map((property) => {
    const clear = input[secretColumns[property]];
    return [
      property,
      typeof clear === 'string' ? sealer.seal(clear, secretContext(rowId, property)) : clear,
    ] as const;
  });
  return Object.fromEntries([...open, ...sealed].filter(([, value]) => value !== undefined));
}
