import type { Secret } from '../crypto/secret.js';
import { appsOf, type IdentityProvider } from './identity-provider.js';

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
