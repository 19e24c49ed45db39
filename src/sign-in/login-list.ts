import { z } from 'zod';
import { plainText } from '../database/database-errors.js';
import { defineList, equal, rowId, rowTime } from '../database/list.js';
import { sql } from '../database/sql.js';
import { loginStatuses } from './login.entity.js';

const row = z.object({
  id: rowId,
  status: z.string(),
  error: z.string().nullable(),
  provider: z.string(),
  method: z.string(),
  appid: z.string(),
  client_id: z.string(),
  user_id: rowId.nullable(),
  new_user: z.boolean(),
  ip: z.string().nullable(),
  user_agent: z.string().nullable(),
  age_seconds: z.number(),
  created_at: rowTime,
  scanned_at: rowTime.nullable(),
  confirmed_at: rowTime.nullable(),
  redeem_before: rowTime.nullable(),
});

const columns = sql`
  l.id, l.status, l.error, l.provider, l.method, l.appid, l.client_id, l.user_id, l.is_new_user AS new_user, l.ip, l.user_agent,
  GREATEST(0, extract(epoch FROM now() - l.created_at))::int AS age_seconds, l.created_at, l.scanned_at, l.confirmed_at,
  l.redeem_before`;

/** Sign-in attempts as administrators see them: nothing that could be redeemed, and nothing that WeChat proved. */
export const loginList = defineList(
  { row, columns, from: sql`iam.logins l`, key: 'l.id' },
  {
    status: equal('l.status', z.enum(loginStatuses)),
    error: equal('l.error', plainText(64).describe('The error code that it ended with')),
    provider: equal('l.provider', plainText(64).describe('Slug of an identity provider')),
    user: equal('l.user_id', z.uuid().describe('Id of a user')),
  },
);
