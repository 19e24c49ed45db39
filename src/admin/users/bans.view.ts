import { z } from 'zod';
import type { LastingBan, SoughtSubject } from '../../users/lasting-bans.service.js';
import { pageOf, pageQuery } from '../page.js';
import { plainText } from '../../database/database-errors.js';

const name = plainText(128);

/** `GET /admin/bans`. */
export const banQuery = pageQuery
  .extend({
    appid: name.optional(),
    openid: name.optional().describe('With `appid`: the ban that covers this identity'),
    union_scope: name.optional(),
    unionid: name.optional().describe('With `union_scope`: the ban that covers this unionid'),
  })
  .refine(({ appid, openid, union_scope, unionid }) => {
    const isWhole = (appid === undefined) === (openid === undefined);
    const isWholeUnion = (union_scope === undefined) === (unionid === undefined);
    return isWhole && isWholeUnion && (openid === undefined || unionid === undefined);
  }, 'takes appid with openid, or union_scope with unionid');

const banItem = z.object({
  id: z.uuid().describe('The user who was disabled and erased, as in the audit log'),
  banned_at: z.iso.datetime(),
  identities: z.int().describe('How many identities stay barred'),
  unions: z.int().describe('How many unionids stay barred'),
});

/** What `GET /admin/bans` answers. */
export const banPage = pageOf(banItem);

/** Whose ban is looked for, if anybody's. */
export function toSoughtSubject(query: z.infer<typeof banQuery>): SoughtSubject | undefined {
  const { appid, openid, union_scope, unionid } = query;
  if (appid !== undefined && openid !== undefined)
    return { kind: 'identity', namespace: appid, subject: openid };
  if (union_scope !== undefined && unionid !== undefined)
    return { kind: 'union', namespace: union_scope, subject: unionid };
  return undefined;
}

/** A ban as the admin API shows it. */
export function toBanItem(row: LastingBan): z.infer<typeof banItem> {
  const { id, banned_at, identities, unions } = row;
  return { id, banned_at: banned_at.toISOString(), identities, unions };
}

/** An answer as a front-end gets it. */
export const banPageExample: z.infer<typeof banPage> = {
  items: [
    {
      id: '01939a3c-4c10-7bbb-8d2f-1a2b3c4d5e6f',
      banned_at: '2026-11-22T08:00:00.000Z',
      identities: 2,
      unions: 1,
    },
  ],
  next_cursor: null,
};
