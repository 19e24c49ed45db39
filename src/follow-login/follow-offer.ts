import { raw, type Sql } from '../database/sql.js';
import { IamError } from '../errors/iam.error.js';
import type { IdentityProvider } from '../identity-providers/identity-provider.js';
import type { WechatApp } from '../wechat/wechat-call.js';

/** The account whose QR code a row shows, if the row has what comes after the scan too. */
export function followAccountOf({ slug, mp, open, qr }: IdentityProvider): WechatApp {
  if (mp === null) throw new IamError('wechat_mp_not_configured', `"${slug}" has no Official Account`);
  if (!qr.enabled) throw new IamError('method_unavailable', `"${slug}" has its QR code switched off`);
  if (qr.loginWith === 'open' && open === null)
    throw new IamError(
      'wechat_open_not_configured',
      `"${slug}" goes on to an Open Platform app that it does not have`,
    );
  return mp;
}

/**
 * The rule of `followAccountOf` for a login under way, by the row as it is now: why no scan can finish it any more, or null. In
 * SQL, because the push of a scan does not say whose login it is, and because a replica may know the row as it was.
 */
export const followProblemSql = (login: string): Sql =>
  raw(`
  CASE WHEN ${login}.status IN ('pending', 'scanned', 'confirmed', 'authenticated') THEN NULLIF(COALESCE((
    SELECT CASE
        WHEN NOT p.enabled THEN 'provider_disabled'
        WHEN ${login}.method = 'device' THEN ''
        WHEN ${isIncomplete('p.mp')} THEN 'wechat_mp_not_configured'
        WHEN trim(p.mp_app_id) <> ${login}.appid THEN 'provider_misconfigured'
        WHEN NOT p.qr_enabled THEN 'method_unavailable'
        WHEN p.qr_login_with = 'open' AND ${isIncomplete('p.open')} THEN 'wechat_open_not_configured'
        ELSE '' END
    FROM iam.identity_providers p WHERE p.slug = ${login}.provider), 'provider_not_found'), '') END`);

function isIncomplete(app: 'p.mp' | 'p.open'): string {
  return `(COALESCE(trim(${app}_app_id), '') = '' OR COALESCE(${app}_app_secret, '') = '')`;
}
